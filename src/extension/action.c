/*
 * action.c
 *		Something the worker does in SQL: a transaction of its own that may fail.
 *
 * Every action first takes a share lock on the extension itself, which DROP
 * EXTENSION locks before anything that belongs to it.  So the two wait for each
 * other whole: they cannot deadlock over tables, and no action ever meets half
 * an extension.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "action.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_extension.h"
#include "clock.h"
#include "compat.h"
#include "event_line.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "rate_limit.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#define SAME_REPORT_MS 60000

/*
 * The extension that the first successful action met.  One made anew under
 * its name is another: what it says of cameras is not about those we run.
 */
static Oid served_extension = InvalidOid;

/* The extension's OID, invalid if absent, and its version. */
static Oid
find_extension(char **version)
{
	Relation catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid extension = InvalidOid;

	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("pg_cctv"));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum datum =
			heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(catalog), &isnull);

		extension = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		*version = TextDatumGetCString(datum);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return extension;
}

/*
 * Lock the extension for this transaction.  Returns false, and says why, if it
 * cannot be used.
 */
static bool
lock_extension(Oid *locked, CctvFailure *failure)
{
	char *version;
	Oid extension = find_extension(&version);

	if (OidIsValid(extension))
	{
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		/* It may have gone, even returned under another OID, while we waited. */
		if (find_extension(&version) != extension)
			extension = InvalidOid;
	}
	if (!OidIsValid(extension))
	{
		failure->message = "extension \"pg_cctv\" does not exist";
		return false;
	}
	if (OidIsValid(served_extension) && extension != served_extension)
	{
		failure->message = "extension \"pg_cctv\" was dropped and made anew";
		return false;
	}
	if (strcmp(version, CCTV_VERSION) != 0)
	{
		failure->message = psprintf("extension \"pg_cctv\" has version %s but its library has %s",
									version, CCTV_VERSION);
		failure->hint = "Run ALTER EXTENSION pg_cctv UPDATE, or restart the server if the library "
						"is the older one.";
		return false;
	}
	*locked = extension;
	return true;
}

static CctvOutcome
classify(int sqlstate, bool committing)
{
	if (committing && sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED)
		return CCTV_NOTIFY_FULL;

	/*
	 * Not the whole class 55: "object not in prerequisite state" is what somebody's
	 * trigger says of a row, and would be said of it for ever.
	 */
	switch (sqlstate)
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_OBJECT_IN_USE:
			return CCTV_RETRY;
		default:
			break;
	}
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('0', '8', '0', '0', '0'): /* connection (a foreign table's) */
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'): /* read-only transaction */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* deadlock, serialization */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* out of disk, memory, connections */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* cancelled */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* system error */
			return CCTV_RETRY;
		default:
			return CCTV_FAILED;
	}
}

/* What went wrong, in one line: it may quote, at length, what an engine sent. */
static char *
describe(const ErrorData *error)
{
	char *text = error->detail != NULL ? psprintf("%s (%s)", error->message, error->detail)
									   : pstrdup(error->message);

	return cctv_printable(text, strlen(text));
}

CctvOutcome
cctv_action_run(const char *what, CctvActionBody body, void *arg, CctvFailure *failure)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile CctvOutcome outcome = CCTV_DONE;
	volatile bool committing = false;

	failure->sqlstate = 0;
	failure->message = NULL;
	failure->hint = NULL;
	pgstat_report_activity(STATE_RUNNING, what);

	PG_TRY();
	{
		Oid extension = InvalidOid;

		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		if (!lock_extension(&extension, failure))
		{
			failure->message = MemoryContextStrdup(caller, failure->message);
			outcome = CCTV_GONE;
		}
		else if (body != NULL)
		{
			SPI_connect();
			PushActiveSnapshot(GetTransactionSnapshot());
			body(arg);
			SPI_finish();
			PopActiveSnapshot();
		}
		committing = true;
		CommitTransactionCommand();
		if (outcome == CCTV_DONE)
			served_extension = extension;
	}
	PG_CATCH();
	{
		ErrorData *error;

		/* As PostgresMain does: nothing may interrupt the clean-up. */
		HOLD_INTERRUPTS();
		disable_all_timeouts(false);
		QueryCancelPending = false;
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(caller);

		failure->sqlstate = error->sqlerrcode;
		failure->message = describe(error);
		FreeErrorData(error);
		outcome = classify(failure->sqlstate, committing);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	cctv_signal_listeners();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return outcome;
}

void
cctv_action_forget_extension(void)
{
	served_extension = InvalidOid;
}

void
cctv_action_report(const char *what, const CctvFailure *failure)
{
	static int last_sqlstate;
	static int64 last_at;
	static CctvRateLimit limit;
	int64 now = cctv_now_ms();
	int suppressed;

	if (last_sqlstate == failure->sqlstate && now - last_at < SAME_REPORT_MS)
		return;
	/* Who makes failures on purpose can make two kinds in turn. */
	if (!cctv_rate_limit_allow(&limit, now, &suppressed))
		return;
	last_sqlstate = failure->sqlstate;
	last_at = now;
	ereport(WARNING, (errcode(failure->sqlstate),
					  errmsg("pg_cctv worker failed at %s: %s", what, failure->message)));
}

bool
cctv_role_is_fit(void)
{
	MemoryContext caller = CurrentMemoryContext;
	HeapTuple tuple;
	bool fit;

	StartTransactionCommand();
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	fit = HeapTupleIsValid(tuple) && !((Form_pg_authid) GETSTRUCT(tuple))->rolsuper;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller); /* the commit left us in TopMemoryContext */
	return fit;
}
