/*
 * launcher.c
 *		Keeps one worker running in every database named in cctv.databases.
 *
 * After the pattern of the logical replication launcher: connected to shared
 * catalogs only, level-triggered.  Each look compares what should run with the
 * slots in shared memory and mends just the difference, so it does not matter
 * whether a worker died, a setting changed or the launcher itself was restarted.
 * Workers are never restarted by the postmaster: their back-off is kept here.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "clock.h"
#include "compat.h"
#include "guc.h"
#include "launcher.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "shared_state.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker.h"

#define LOOK_INTERVAL_MS 60000	 /* when all is as it should be */
#define MISSING_INTERVAL_MS 1000 /* a database, the role or a worker is missing */
#define FIRST_DELAY_MS 1000		 /* between the death of a worker and the next */
#define LONGEST_DELAY_MS 60000
#define NO_SLOT_DELAY_MS 5000 /* max_worker_processes is exhausted */
#define HEALTHY_AFTER_MS 5000 /* a worker that lived this long starts afresh */

/* What the launcher knows about a slot besides what is in shared memory. */
typedef struct Watch
{
	BackgroundWorkerHandle *handle; /* NULL: none registered by this launcher */
	bool had_worker;
	int64 started_at;
	int64 next_start;
	int delay_ms;
} Watch;

static Watch watches[CCTV_MAX_DATABASES];

/* Each of these is told once, until it is mended. */
static bool told_no_role = false;
static bool told_too_many_databases = false;
static bool told_no_worker_slot = false;
static List *told_missing = NIL; /* database names, in TopMemoryContext */

void
cctv_register_launcher(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* A standby has nothing to record into until it is promoted. */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "pg_cctv", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cctv_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "pg_cctv launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "pg_cctv launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* Say once that a name in cctv.databases is no database. */
static void
tell_missing(const char *name)
{
	ListCell *cell;
	MemoryContext caller;

	foreach (cell, told_missing)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return;
	}
	ereport(WARNING, (errcode(ERRCODE_UNDEFINED_DATABASE),
					  errmsg("database \"%s\" in \"cctv.databases\" does not exist", name)));
	caller = MemoryContextSwitchTo(TopMemoryContext);
	told_missing = lappend(told_missing, pstrdup(name));
	MemoryContextSwitchTo(caller);
}

static void
forget_missing(void)
{
	list_free_deep(told_missing);
	told_missing = NIL;
}

/*
 * The OID of the row of a shared catalog that has this name, or InvalidOid.
 * Without a database there may be no index to look it up by, so this reads the
 * heap, as the autovacuum launcher does.
 */
static Oid
find_by_name(Oid catalog_id, AttrNumber oid_column, AttrNumber name_column, const char *name)
{
	Relation catalog = table_open(catalog_id, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(catalog, 0, NULL);
	HeapTuple tuple;
	Oid found = InvalidOid;

	while (!OidIsValid(found) && (tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool isnull;
		Datum value = heap_getattr(tuple, name_column, RelationGetDescr(catalog), &isnull);

		if (strcmp(NameStr(*DatumGetName(value)), name) == 0)
			found = DatumGetObjectId(
				heap_getattr(tuple, oid_column, RelationGetDescr(catalog), &isnull));
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static void
tell_no_role(void)
{
	if (!told_no_role)
		ereport(LOG, (errmsg("pg_cctv waits for CREATE EXTENSION pg_cctv"),
					  errdetail("Role \"cctv_worker\" does not exist yet.")));
	told_no_role = true;
}

/*
 * The databases in which a worker should run and the role it connects as,
 * which is invalid while no database has the extension.  Returns false when
 * something named is missing and worth another look soon.
 */
static bool
find_databases(List *names, List **databases, Oid *role)
{
	bool complete = true;
	ListCell *cell;
	MemoryContext caller = CurrentMemoryContext;

	*databases = NIL;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();

	*role =
		find_by_name(AuthIdRelationId, Anum_pg_authid_oid, Anum_pg_authid_rolname, "cctv_worker");
	foreach (cell, names)
	{
		Oid database = find_by_name(DatabaseRelationId, Anum_pg_database_oid,
									Anum_pg_database_datname, lfirst(cell));

		if (!OidIsValid(database))
		{
			tell_missing(lfirst(cell));
			complete = false;
			continue;
		}
		MemoryContextSwitchTo(caller);
		*databases = list_append_unique_oid(*databases, database);
	}

	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);

	if (OidIsValid(*role))
		told_no_role = false;
	else if (names != NIL)
	{
		tell_no_role();
		complete = false;
	}
	return complete;
}

/* Notice that a slot's worker has ended, and set when the next may start. */
static void
note_end_of_worker(int slot, int64 now)
{
	Watch *watch = &watches[slot];
	pid_t pid;

	if (watch->handle != NULL)
	{
		if (GetBackgroundWorkerPid(watch->handle, &pid) != BGWH_STOPPED)
			return;
		pfree(watch->handle);
		watch->handle = NULL;
	}

	/* One that an earlier launcher started may still hold the slot. */
	if (cctv_slot_worker_pid(slot) != 0)
	{
		if (!watch->had_worker)
			watch->started_at = now;
		watch->had_worker = true;
		return;
	}

	if (watch->had_worker)
	{
		if (now - watch->started_at >= HEALTHY_AFTER_MS)
			watch->delay_ms = 0;
		watch->delay_ms = cctv_next_delay(watch->delay_ms, FIRST_DELAY_MS, LONGEST_DELAY_MS);
		watch->next_start = now + watch->delay_ms;
		watch->had_worker = false;
	}
}

static bool
runs(int slot)
{
	return watches[slot].handle != NULL || watches[slot].had_worker;
}

/* Register a worker for the slot's database; it takes the slot or exits. */
static void
start_worker(int slot, Oid database, Oid role, int64 now)
{
	Watch *watch = &watches[slot];
	BackgroundWorker worker;
	CctvWorkerArgs args;
	MemoryContext caller;
	bool registered;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "pg_cctv", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "cctv_worker_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "pg_cctv worker for database %u", database);
	strlcpy(worker.bgw_type, "pg_cctv worker", BGW_MAXLEN);
	memset(&args, 0, sizeof(args));
	args.database = database;
	args.role = role;
	args.slot = slot;
	StaticAssertStmt(sizeof(args) <= BGW_EXTRALEN, "arguments must fit into bgw_extra");
	memcpy(worker.bgw_extra, &args, sizeof(args));

	caller = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &watch->handle);
	MemoryContextSwitchTo(caller);

	if (registered)
	{
		watch->had_worker = true;
		watch->started_at = now;
		told_no_worker_slot = false;
		return;
	}

	watch->handle = NULL;
	watch->next_start = now + NO_SLOT_DELAY_MS;
	if (!told_no_worker_slot)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("pg_cctv could not start a worker: out of background worker slots"),
				 errhint("You might need to increase \"max_worker_processes\".")));
	told_no_worker_slot = true;
}

/* End the workers of databases that are no longer wanted, and free their slots. */
static void
end_unwanted_workers(List *databases)
{
	for (int slot = 0; slot < CCTV_MAX_DATABASES; slot++)
	{
		Oid database = cctv_slot_database(slot);

		if (!OidIsValid(database) || list_member_oid(databases, database))
			continue;
		if (!runs(slot))
		{
			cctv_slot_release(slot);
			memset(&watches[slot], 0, sizeof(Watch));
			continue;
		}
		if (watches[slot].handle != NULL)
			TerminateBackgroundWorker(watches[slot].handle);
		else
			cctv_slot_terminate_worker(slot);
	}
}

/* Returns false when a wanted worker does not run. */
static bool
start_missing_workers(List *databases, Oid role, int64 now)
{
	bool complete = true;
	bool too_many = false;
	ListCell *cell;

	foreach (cell, databases)
	{
		int slot = cctv_slot_assign(lfirst_oid(cell));

		if (slot < 0)
		{
			too_many = true;
			continue;
		}
		if (!runs(slot) && now >= watches[slot].next_start)
			start_worker(slot, lfirst_oid(cell), role, now);
		if (!runs(slot))
			complete = false;
	}

	if (too_many && !told_too_many_databases)
		ereport(WARNING, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						  errmsg("pg_cctv runs in at most %d databases", CCTV_MAX_DATABASES),
						  errdetail("The others in \"cctv.databases\" have no worker.")));
	told_too_many_databases = too_many;
	return complete && !too_many;
}

/* One look at everything.  Returns how long to sleep, in milliseconds. */
static long
look(void)
{
	int64 now = cctv_now_ms();
	List *databases;
	Oid role;
	bool complete;

	complete = find_databases(cctv_database_names(), &databases, &role);
	for (int slot = 0; slot < CCTV_MAX_DATABASES; slot++)
	{
		if (OidIsValid(cctv_slot_database(slot)))
			note_end_of_worker(slot, now);
	}
	end_unwanted_workers(databases);
	if (OidIsValid(role) && !start_missing_workers(databases, role, now))
		complete = false;
	return complete ? LOOK_INTERVAL_MS : MISSING_INTERVAL_MS;
}

void
cctv_launcher_main(Datum main_arg)
{
	MemoryContext cycle;
	static uint32 wait_event = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	/* Nothing here is worth cancelling. */
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();

	cctv_shared_state_attach_launcher();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	cycle = AllocSetContextCreate(TopMemoryContext, "pg_cctv launcher", ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		long timeout;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			forget_missing();
			told_too_many_databases = false;
		}

		MemoryContextSwitchTo(cycle);
		timeout = look();
		MemoryContextReset(cycle);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
						 cctv_wait_event(&wait_event, "CctvLauncherMain"));
		ResetLatch(MyLatch);
	}
}
