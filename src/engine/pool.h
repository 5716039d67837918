/*
 * pool.h
 *		The detector threads, and the queue of cameras that wait for one.
 *
 * A camera has one task.  Tasks are served in the order in which they began to
 * wait, so the camera that has waited longest is next; a task never runs twice
 * at the same time.
 */
#ifndef CCTV_POOL_H
#define CCTV_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "detector.h"

typedef struct Pool Pool;

/* Part of whatever it works for; all but the first three belong to the pool. */
typedef struct PoolTask
{
	void (*run)(void *arg, Workspace *workspace);
	void *arg;
	int camera_id;
	bool queued;
	bool running;
	TAILQ_ENTRY(PoolTask) link;
} PoolTask;

/* threads = 0: one per core.  NULL when out of memory or threads. */
extern Pool *pool_create(int threads);

/* Every task must have been cancelled. */
extern void pool_free(Pool *pool);

/* Change the number of threads; those too many end after their task. */
extern void pool_resize(Pool *pool, int threads);

/* Tasks that wait for a thread. */
extern int pool_waiting(Pool *pool);

/*
 * Let the task run as soon as a thread is free.  If it waits already nothing
 * happens; if it is running it runs once more.
 */
extern void pool_submit(Pool *pool, PoolTask *task);

/* Wait until the task neither waits nor runs. */
extern void pool_wait(Pool *pool, PoolTask *task);

/* The same, until deadline_us of the monotonic clock.  Returns whether it is so. */
extern bool pool_wait_until(Pool *pool, PoolTask *task, int64_t deadline_us);

/* The same, but a task that waits is not served any more. */
extern void pool_cancel(Pool *pool, PoolTask *task);

#endif /* CCTV_POOL_H */
