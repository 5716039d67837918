/*
 * wake.c
 *		Wake this database's worker once the current transaction has committed.
 *
 * A change that is rolled back wakes nobody; one in a subtransaction that alone
 * is rolled back may wake the worker in vain, which costs it one look.  A
 * prepared transaction commits elsewhere: the worker's periodic look finds it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "shared_state.h"
#include "wake.h"

static bool wake_pending = false;

static void
at_end_of_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (wake_pending)
			{
				wake_pending = false;
				cctv_wake_worker(MyDatabaseId);
			}
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wake_pending = false;
			break;
		default:
			break;
	}
}

void
cctv_wake_at_commit(void)
{
	static bool registered = false;

	if (!cctv_shared_state_exists())
		return;
	if (!registered)
	{
		RegisterXactCallback(at_end_of_transaction, NULL);
		registered = true;
	}
	wake_pending = true;
}
