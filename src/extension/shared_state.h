/*
 * shared_state.h
 *		What launcher, workers and backends share: one slot per database.
 *
 * The launcher assigns a slot to a database; the worker it starts takes the
 * slot or exits, so a database never has two workers, even when the launcher
 * died between.  A slot's worker is set while that process lives.
 */
#ifndef CCTV_SHARED_STATE_H
#define CCTV_SHARED_STATE_H

#define CCTV_MAX_DATABASES 64

/* What the launcher tells a worker, in bgw_extra. */
typedef struct CctvWorkerArgs
{
	Oid database;
	Oid role;
	int slot;
} CctvWorkerArgs;

/* From _PG_init while shared libraries are preloaded. */
extern void cctv_shared_state_request(void);

/* Was the library preloaded, and are we in a running server? */
extern bool cctv_shared_state_exists(void);

/* The launcher: to be woken when a worker ends. */
extern void cctv_shared_state_attach_launcher(void);

/* The launcher: a slot for the database, its own or a free one; -1 when all are taken. */
extern int cctv_slot_assign(Oid database);
extern void cctv_slot_release(int slot); /* unless a worker holds it */
extern Oid cctv_slot_database(int slot);
extern pid_t cctv_slot_worker_pid(int slot);
extern void cctv_slot_terminate_worker(int slot);

/* The worker: false when another process holds the slot or it was reassigned. */
extern bool cctv_slot_take(int slot, Oid database);

/* How often the configuration changed: the worker compares with what it saw. */
extern uint32 cctv_slot_wakeups(int slot);

/* The worker: does a request want an engine, whatever the cameras do? */
extern bool cctv_slot_wants_engine(int slot, int64 now_ms);

/*
 * What became of the events of engines: from the worker's start, and what waits
 * for it now.
 */
typedef struct CctvIngestFigures
{
	uint64 stored;
	uint64 dropped; /* the database refused them */
	uint64 batches;
	uint64 retries; /* batches that did not go through */
	uint64 waiting;
	uint64 waiting_bytes;
} CctvIngestFigures;

/* The worker: let others see them. */
extern void cctv_slot_publish(int slot, const CctvIngestFigures *figures);

/* Any backend: those of its database's worker.  False when none runs. */
extern bool cctv_ingest_figures_of(Oid database, CctvIngestFigures *figures);

/* Any backend, about its own database. */
extern void cctv_want_engine(Oid database, int64 now_ms, int for_ms);
extern void cctv_wake_worker(Oid database);
extern pid_t cctv_worker_pid_of(Oid database);

#endif /* CCTV_SHARED_STATE_H */
