/*
 * database_lock.c
 *		Does somebody want this database for themselves?
 *
 * DROP DATABASE and its like lock the row in pg_database, and give up when other
 * sessions do not end within five seconds.  A session that connects takes the
 * weak lock that is tried here, so that it waits for them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "database_lock.h"
#include "miscadmin.h"
#include "storage/lock.h"

bool
cctv_database_is_claimed(void)
{
	LOCKTAG tag;
	bool claimed;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	StartTransactionCommand();
	claimed = LockAcquire(&tag, RowExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL;
	CommitTransactionCommand();
	return claimed;
}
