/*
 * worker.c
 *		The background worker of one database.
 *
 * It holds the only database connection of the camera side: it reads what
 * should run, keeps engines doing that, and writes what they report.  It
 * decodes nothing and talks to no network.  README.md has the diagram of its
 * states; docs/architecture.md says how it fits in.
 *
 * One pass of the loop does what is due and then waits.  Nothing is waited for
 * inside a transaction except locks, and those for at most LOCK_TIMEOUT.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/xact.h"
#include "action.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "database_lock.h"
#include "compat.h"
#include "engine_socket.h"
#include "engines.h"
#include "executor/spi.h"
#include "guc.h"
#include "ingest.h"
#include "media_dir.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "reconcile.h"
#include "shared_state.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/ps_status.h"
#include "worker.h"

#define LOCK_TIMEOUT "5s"
/* It looks for a deadlock sooner than others do: it tries again, a user gets an error. */
#define DEADLOCK_TIMEOUT "100ms"
#define CHECK_INTERVAL_MS 1000		/* does the extension exist? */
#define SECOND_LOOK_MS 200			/* is the database still claimed? */
#define RECONCILE_INTERVAL_MS 10000 /* for changes that woke nobody */
#define REPORT_INTERVAL_MS 5000
#define MAINTAIN_INTERVAL_MS 60000
#define FIRST_RETRY_MS 200
#define LONGEST_RETRY_MS 5000
#define RECOVERY_PAUSE_US 500000

/* Something done over and over, sooner again when it failed. */
typedef struct Duty
{
	int64 due;
	int delay_ms; /* 0: it did not fail the last time */
} Duty;

static struct
{
	int slot;
	MemoryContext cycle; /* reset in every pass */
	bool serving;		 /* the extension is there and fits the library */
	char *told_reason;	 /* why not, as last logged */
	uint32 wakeups_seen;
	char *fixed_settings;
	char *title;
	int64 next_check;
	bool claimed_before; /* the database was, at the last look */
	Duty reconcile;
	Duty maintain;
	int64 next_report;
} worker;

/* ---- session ---- */

static void
set_option(const char *name, const char *value)
{
	/* Overrides what ALTER ROLE or ALTER DATABASE may say. */
	SetConfigOption(name, value, PGC_USERSET, PGC_S_OVERRIDE);
}

static void
set_session_options(void)
{
	set_option("search_path", "pg_catalog, pg_temp");
	set_option("lock_timeout", LOCK_TIMEOUT);
	SetConfigOption("deadlock_timeout", DEADLOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	set_option("statement_timeout", "0");
	set_option("idle_in_transaction_session_timeout", "0");
	if (GetConfigOption("transaction_timeout", true, false) != NULL) /* since 17 */
		set_option("transaction_timeout", "0");
	set_option("default_transaction_read_only", "off");
	set_option("default_transaction_isolation", "read committed");
	set_option("default_transaction_deferrable", "off");
	set_option("DateStyle", "ISO, YMD");
	set_option("IntervalStyle", "postgres");
	set_option("extra_float_digits", "1");
	/* Short statements, and no compiler's memory in a process that stays. */
	set_option("jit", "off");
}

/* What pg_stat_activity and ps show. */
static void
show_title(int ncameras)
{
	int nengines = cctv_engines_count();
	char *title = psprintf("%d camera%s, %d engine%s", ncameras, ncameras == 1 ? "" : "s", nengines,
						   nengines == 1 ? "" : "s");

	if (worker.title != NULL && strcmp(worker.title, title) == 0)
		return;
	if (worker.title != NULL)
		pfree(worker.title);
	worker.title = MemoryContextStrdup(TopMemoryContext, title);
	pgstat_report_appname(psprintf("pg_cctv worker: %s", title));
	set_ps_display(title);
}

/* ---- media directory ---- */

static void
make_media_dir(void)
{
	char *path;

	if (cctv_make_media_dir(&path) < 0)
		ereport(WARNING, (errcode_for_file_access(),
						  errmsg("could not create media directory \"%s\": %m", path),
						  errhint("Create it for the server's user, or set \"cctv.media_dir\".")));
	pfree(path);
}

/* ---- the extension comes and goes ---- */

static void
make_due(void)
{
	worker.reconcile.due = 0;
	worker.reconcile.delay_ms = 0;
}

static void
announce_start(void *arg)
{
	Oid types[2] = {INT4OID, BOOLOID};
	Datum values[2];

	values[0] = Int32GetDatum(MyProcPid);
	values[1] = BoolGetDatum(*(bool *) arg);
	if (SPI_execute_with_args("select cctv.worker_started($1, $2)", 2, types, values, NULL, false,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of cctv.worker_started()");
}

static void
begin_serving(void)
{
	worker.serving = true;
	if (worker.told_reason != NULL)
		pfree(worker.told_reason);
	worker.told_reason = NULL;
	worker.maintain.due = 0;
	worker.maintain.delay_ms = 0;
	worker.next_report = 0;
	make_due();
	ereport(LOG, (errmsg("pg_cctv worker is serving its database")));
}

static void
stop_serving(const CctvFailure *failure)
{
	if (worker.serving)
	{
		worker.serving = false;
		cctv_engines_stop("ends with the extension");
		cctv_ingest_clear();
		cctv_action_forget_extension();
		show_title(0);
	}
	if (worker.told_reason != NULL && strcmp(worker.told_reason, failure->message) == 0)
		return;
	if (worker.told_reason != NULL)
		pfree(worker.told_reason);
	worker.told_reason = MemoryContextStrdup(TopMemoryContext, failure->message);
	ereport(LOG, (errmsg("pg_cctv worker is waiting: %s", failure->message),
				  failure->hint != NULL ? errhint("%s", failure->hint) : 0));
}

/*
 * Make way for DROP DATABASE and its like, which give up after five seconds.  The
 * launcher's next attempt to connect waits for their end.  Two looks, since whoever
 * may not drop the database holds the lock too, for the moment of being refused.
 */
static void
make_way(int64 now)
{
	bool claimed = cctv_database_is_claimed();

	if (claimed && worker.claimed_before)
	{
		ereport(LOG, (errmsg("pg_cctv worker makes way: its database is being dropped, renamed, "
							 "moved or copied")));
		proc_exit(0);
	}
	worker.claimed_before = claimed;
	if (claimed)
		worker.next_check = now + SECOND_LOOK_MS;
}

/* Once a second, and when a transaction failed: is there work for us? */
static void
check_extension(int64 now)
{
	bool notify = true;
	CctvFailure failure;
	CctvOutcome outcome;

	worker.next_check = now + CHECK_INTERVAL_MS;
	if (!cctv_role_is_fit())
		ereport(FATAL, (errcode(ERRCODE_INVALID_ROLE_SPECIFICATION),
						errmsg("role \"cctv_worker\" was dropped or made superuser"),
						errhint("The worker never runs as superuser.")));

	outcome = cctv_action_run("looking for the extension", worker.serving ? NULL : announce_start,
							  &notify, &failure);
	if (outcome == CCTV_NOTIFY_FULL)
	{
		notify = false;
		outcome = cctv_action_run("looking for the extension", announce_start, &notify, &failure);
	}
	if (outcome == CCTV_GONE)
		stop_serving(&failure);
	else if (outcome != CCTV_DONE)
		cctv_action_report("looking for the extension", &failure);
	else if (!worker.serving)
		begin_serving();
	make_way(now);
}

/* ---- duties ---- */

static void
finish_duty(Duty *duty, const char *what, CctvOutcome outcome, const CctvFailure *failure,
			int64 now, int interval_ms)
{
	if (outcome == CCTV_DONE)
	{
		duty->delay_ms = 0;
		duty->due = now + interval_ms;
		return;
	}
	if (outcome == CCTV_GONE)
		worker.next_check = 0;
	else
		cctv_action_report(what, failure);
	duty->delay_ms = cctv_next_delay(duty->delay_ms, FIRST_RETRY_MS, LONGEST_RETRY_MS);
	duty->due = now + duty->delay_ms;
}

static void
reconcile(int64 now)
{
	CctvDesired desired;
	CctvFailure failure;
	CctvOutcome outcome;
	int interval_ms = RECONCILE_INTERVAL_MS;

	/* Taken before the look: what commits after it wakes us again. */
	worker.wakeups_seen = cctv_slot_wakeups(worker.slot);
	outcome = cctv_read_desired(&desired, cctv_slot_wants_engine(worker.slot, now), &failure);
	if (outcome == CCTV_DONE)
	{
		cctv_engines_apply(&desired);
		(void) cctv_engines_supervise(now);
		show_title(desired.ncameras);
		if (desired.next_look_ms >= 0)
			interval_ms = Min(interval_ms, desired.next_look_ms);
	}
	cctv_erase_desired(&desired);
	finish_duty(&worker.reconcile, "reading the desired state", outcome, &failure, cctv_now_ms(),
				interval_ms);
}

static void
maintain_body(void *arg)
{
	if (SPI_execute("select cctv.maintain()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of cctv.maintain()");
}

static void
maintain(int64 now)
{
	CctvFailure failure;
	CctvOutcome outcome = cctv_action_run("cctv.maintain", maintain_body, NULL, &failure);

	finish_duty(&worker.maintain, "maintenance", outcome, &failure, now, MAINTAIN_INTERVAL_MS);
	if (outcome != CCTV_DONE)
		worker.maintain.due = now + MAINTAIN_INTERVAL_MS;
}

static void
reload(void)
{
	char *fixed;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	make_due();
	/* Also on a disk that is new at the same place. */
	make_media_dir();

	fixed = cctv_engine_fixed_settings();
	if (strcmp(fixed, worker.fixed_settings) == 0)
		return;
	pfree(worker.fixed_settings);
	worker.fixed_settings = MemoryContextStrdup(TopMemoryContext, fixed);
	cctv_engines_restart("is starting anew with changed settings");
}

/* ---- the loop ---- */

/* Before a batch, in case it waits for a lock, and after: others may look at any time. */
static void
publish_figures(void)
{
	CctvIngestFigures figures = cctv_ingest_figures();

	cctv_slot_publish(worker.slot, &figures);
}

static void
do_what_is_due(int64 now)
{
	bool reassign = false;

	if (now >= worker.next_report)
	{
		worker.next_report = now + REPORT_INTERVAL_MS;
		cctv_engines_report();
	}
	publish_figures();
	cctv_ingest_next(now, &reassign);
	if (reassign || worker.wakeups_seen != cctv_slot_wakeups(worker.slot))
		worker.reconcile.due = Min(worker.reconcile.due, now + worker.reconcile.delay_ms);
	if (now >= worker.reconcile.due)
		reconcile(now);
	if (now >= worker.maintain.due)
		maintain(now);
}

static long
time_to_wait(long delay)
{
	int64 now = cctv_now_ms();
	long ingest = cctv_ingest_delay(now);

	delay = Min(delay, Max(0, worker.next_check - now));
	if (worker.serving)
	{
		delay = Min(delay, Max(0, worker.reconcile.due - now));
		if (ingest >= 0)
			delay = Min(delay, ingest);
	}
	return delay;
}

static void
pass(void)
{
	int64 now;
	long delay;

	MemoryContextSwitchTo(worker.cycle);
	MemoryContextReset(worker.cycle);

	/* A cancel is for a statement; between transactions there is none. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
		reload();

	now = cctv_now_ms();
	if (now >= worker.next_check ||
		(!worker.serving && worker.wakeups_seen != cctv_slot_wakeups(worker.slot)))
	{
		/* While serving, only a look at the desired state answers a wake-up. */
		if (!worker.serving)
			worker.wakeups_seen = cctv_slot_wakeups(worker.slot);
		cctv_engines_tick();
		check_extension(now);
	}
	if (worker.serving)
		do_what_is_due(now);

	/* A signal that ends us also ended the engines: start none in their place. */
	CHECK_FOR_INTERRUPTS();
	delay = cctv_engines_supervise(cctv_now_ms());
	publish_figures();
	cctv_engines_wait(time_to_wait(delay));
}

/* No error ends the worker; what is left of it is undone here. */
static void
recover_from_error(void)
{
	HOLD_INTERRUPTS();
	QueryCancelPending = false;
	EmitErrorReport();
	MemoryContextSwitchTo(TopMemoryContext);
	FlushErrorState();
	AbortOutOfAnyTransaction();
	RESUME_INTERRUPTS();
}

static void
end_engines(int code, Datum arg)
{
	cctv_engines_end_all();
	cctv_socket_remove_all();
}

void
cctv_worker_main(Datum main_arg)
{
	CctvWorkerArgs args;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (!cctv_slot_take(args.slot, args.database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(args.database, args.role, 0);
	set_session_options();

	worker.slot = args.slot;
	worker.cycle =
		AllocSetContextCreate(TopMemoryContext, "pg_cctv worker", ALLOCSET_DEFAULT_SIZES);
	worker.fixed_settings = cctv_engine_fixed_settings();
	cctv_engines_init();
	cctv_ingest_init();
	cctv_socket_remove_all();
	before_shmem_exit(end_engines, (Datum) 0);
	make_media_dir();
	show_title(0);

	for (;;)
	{
		volatile bool failed = false;

		PG_TRY();
		{
			pass();
		}
		PG_CATCH();
		{
			recover_from_error();
			failed = true;
		}
		PG_END_TRY();

		/* Should it come again at once, the log must not be flooded. */
		if (failed)
			pg_usleep(RECOVERY_PAUSE_US);
	}
}
