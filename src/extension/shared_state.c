/*
 * shared_state.c
 *		What launcher, workers and backends share: one slot per database.
 *
 * One LWLock guards everything but the wake-up counters.  Latches are set under
 * it, so the process they belong to cannot have gone meanwhile.
 */
#include "postgres.h"

#include <signal.h>

#include "compat.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "shared_state.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#define TRANCHE "pg_cctv"

typedef struct Slot
{
	Oid database;	/* InvalidOid: free */
	PGPROC *worker; /* NULL: none runs */
	pid_t worker_pid;
	pg_atomic_uint32 wakeups;
	pg_atomic_uint64 engine_wanted_until; /* ms of clock.h: for requests */
	CctvIngestFigures figures;
} Slot;

typedef struct SharedState
{
	LWLock *lock;
	PGPROC *launcher; /* NULL: none runs */
	Slot slots[CCTV_MAX_DATABASES];
} SharedState;

static SharedState *shared = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request_memory(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

#ifdef CCTV_HAVE_SHMEM_REQUEST_HOOK
static shmem_request_hook_type previous_request_hook = NULL;

static void
request_hook(void)
{
	if (previous_request_hook)
		previous_request_hook();
	request_memory();
}
#endif

static void
startup_hook(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("pg_cctv", sizeof(SharedState), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(SharedState));
		shared->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
		for (int i = 0; i < CCTV_MAX_DATABASES; i++)
		{
			pg_atomic_init_u32(&shared->slots[i].wakeups, 0);
			pg_atomic_init_u64(&shared->slots[i].engine_wanted_until, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
cctv_shared_state_request(void)
{
#ifdef CCTV_HAVE_SHMEM_REQUEST_HOOK
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_hook;
#else
	request_memory();
#endif
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_hook;
}

bool
cctv_shared_state_exists(void)
{
	return shared != NULL && IsUnderPostmaster;
}

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared->lock);
}

void
cctv_shared_state_attach_launcher(void)
{
	before_shmem_exit(detach_launcher, (Datum) 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = MyProc;
	LWLockRelease(shared->lock);
}

/* The database's slot, or NULL.  The caller holds the lock. */
static Slot *
find_slot(Oid database)
{
	for (int i = 0; i < CCTV_MAX_DATABASES; i++)
	{
		if (shared->slots[i].database == database)
			return &shared->slots[i];
	}
	return NULL;
}

int
cctv_slot_assign(Oid database)
{
	Slot *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot == NULL)
	{
		slot = find_slot(InvalidOid);
		if (slot != NULL)
			slot->database = database;
	}
	LWLockRelease(shared->lock);
	return slot == NULL ? -1 : (int) (slot - shared->slots);
}

void
cctv_slot_release(int slot)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->slots[slot].worker == NULL)
		shared->slots[slot].database = InvalidOid;
	LWLockRelease(shared->lock);
}

Oid
cctv_slot_database(int slot)
{
	Oid database;

	LWLockAcquire(shared->lock, LW_SHARED);
	database = shared->slots[slot].database;
	LWLockRelease(shared->lock);
	return database;
}

pid_t
cctv_slot_worker_pid(int slot)
{
	pid_t pid;

	LWLockAcquire(shared->lock, LW_SHARED);
	pid = shared->slots[slot].worker_pid;
	LWLockRelease(shared->lock);
	return pid;
}

/* Under the lock the process cannot have ended and its PID been used again. */
void
cctv_slot_terminate_worker(int slot)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	if (shared->slots[slot].worker_pid != 0)
		kill(shared->slots[slot].worker_pid, SIGTERM);
	LWLockRelease(shared->lock);
}

static void
leave_slot(int code, Datum arg)
{
	Slot *slot = &shared->slots[DatumGetInt32(arg)];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->worker = NULL;
	slot->worker_pid = 0;
	if (shared->launcher != NULL)
		SetLatch(&shared->launcher->procLatch);
	LWLockRelease(shared->lock);
}

bool
cctv_slot_take(int index, Oid database)
{
	Slot *slot = &shared->slots[index];
	bool taken = false;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (slot->database == database && slot->worker == NULL)
	{
		slot->worker = MyProc;
		slot->worker_pid = MyProcPid;
		memset(&slot->figures, 0, sizeof(slot->figures));
		taken = true;
	}
	LWLockRelease(shared->lock);

	if (taken)
		before_shmem_exit(leave_slot, Int32GetDatum(index));
	return taken;
}

uint32
cctv_slot_wakeups(int slot)
{
	return pg_atomic_read_u32(&shared->slots[slot].wakeups);
}

void
cctv_wake_worker(Oid database)
{
	Slot *slot;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(database);
	if (slot != NULL)
	{
		pg_atomic_fetch_add_u32(&slot->wakeups, 1);
		if (slot->worker != NULL)
			SetLatch(&slot->worker->procLatch);
	}
	LWLockRelease(shared->lock);
}

bool
cctv_slot_wants_engine(int slot, int64 now_ms)
{
	return (int64) pg_atomic_read_u64(&shared->slots[slot].engine_wanted_until) > now_ms;
}

/* Wakes the worker only when it does not know yet. */
void
cctv_want_engine(Oid database, int64 now_ms, int for_ms)
{
	Slot *slot;
	bool news = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(database);
	if (slot != NULL)
		news =
			(int64) pg_atomic_exchange_u64(&slot->engine_wanted_until, now_ms + for_ms) <= now_ms;
	LWLockRelease(shared->lock);
	if (news)
		cctv_wake_worker(database);
}

pid_t
cctv_worker_pid_of(Oid database)
{
	Slot *slot;
	pid_t pid = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(database);
	if (slot != NULL)
		pid = slot->worker_pid;
	LWLockRelease(shared->lock);
	return pid;
}

void
cctv_slot_publish(int slot, const CctvIngestFigures *figures)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[slot].figures = *figures;
	LWLockRelease(shared->lock);
}

bool
cctv_ingest_figures_of(Oid database, CctvIngestFigures *figures)
{
	Slot *slot;
	bool runs;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(database);
	runs = slot != NULL && slot->worker != NULL;
	if (runs)
		*figures = slot->figures;
	LWLockRelease(shared->lock);
	return runs;
}
