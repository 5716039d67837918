/*
 * pool.c
 *		The detector threads, and the queue of cameras that wait for one.
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "thread.h"

#define MAX_THREADS 64

typedef struct PoolThread
{
	Pool *pool;
	int index;
	bool started;
	pthread_t thread;
} PoolThread;

struct Pool
{
	pthread_mutex_t lock;
	pthread_cond_t work; /* a task waits, or threads should end */
	pthread_cond_t done; /* a task has ended */
	TAILQ_HEAD(, PoolTask) waiting;
	int wanted; /* threads with a lower index stay */
	PoolThread threads[MAX_THREADS];
};

/* The next task for this thread; NULL when the thread should end. */
static PoolTask *
next_task(PoolThread *self)
{
	Pool *pool = self->pool;
	PoolTask *task = NULL;

	while (self->index < pool->wanted)
	{
		/* A task that is queued again while it runs waits for its own end. */
		TAILQ_FOREACH(task, &pool->waiting, link)
		{
			if (!task->running)
			{
				TAILQ_REMOVE(&pool->waiting, task, link);
				task->queued = false;
				task->running = true;
				return task;
			}
		}
		pthread_cond_wait(&pool->work, &pool->lock);
	}
	return NULL;
}

static void *
serve(void *arg)
{
	PoolThread *self = arg;
	Pool *pool = self->pool;
	Workspace *workspace = workspace_create();
	PoolTask *task;

	if (workspace == NULL)
	{
		log_error("a detector thread could not start: out of memory");
		return NULL;
	}
	pthread_mutex_lock(&pool->lock);
	while ((task = next_task(self)) != NULL)
	{
		pthread_mutex_unlock(&pool->lock);
		thread_serve_camera(task->camera_id);
		task->run(task->arg, workspace);
		thread_serve_camera(0);
		pthread_mutex_lock(&pool->lock);
		task->running = false;
		if (task->queued)
			pthread_cond_signal(&pool->work);
		pthread_cond_broadcast(&pool->done);
	}
	pthread_mutex_unlock(&pool->lock);
	workspace_free(workspace);
	return NULL;
}

Pool *
pool_create(int threads)
{
	Pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	thread_cond_init(&pool->done);
	TAILQ_INIT(&pool->waiting);
	pool_resize(pool, threads);
	if (!pool->threads[0].started)
	{
		pool_free(pool);
		return NULL;
	}
	return pool;
}

void
pool_resize(Pool *pool, int threads)
{
	if (threads == 0)
		threads = (int) sysconf(_SC_NPROCESSORS_ONLN);
	if (threads < 1)
		threads = 1;
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;

	pthread_mutex_lock(&pool->lock);
	pool->wanted = threads;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < MAX_THREADS; i++)
	{
		PoolThread *slot = &pool->threads[i];

		if (i >= threads && slot->started)
		{
			pthread_join(slot->thread, NULL);
			slot->started = false;
		}
		else if (i < threads && !slot->started)
		{
			slot->pool = pool;
			slot->index = i;
			slot->started = thread_start(&slot->thread, "detector", serve, slot) == 0;
		}
	}
}

void
pool_free(Pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->wanted = 0;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < MAX_THREADS; i++)
		if (pool->threads[i].started)
			pthread_join(pool->threads[i].thread, NULL);
	pthread_cond_destroy(&pool->done);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int
pool_waiting(Pool *pool)
{
	PoolTask *task;
	int count = 0;

	pthread_mutex_lock(&pool->lock);
	TAILQ_FOREACH(task, &pool->waiting, link)
	count++;
	pthread_mutex_unlock(&pool->lock);
	return count;
}

void
pool_submit(Pool *pool, PoolTask *task)
{
	pthread_mutex_lock(&pool->lock);
	if (!task->queued)
	{
		task->queued = true;
		TAILQ_INSERT_TAIL(&pool->waiting, task, link);
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
}

static void
wait_until_idle(Pool *pool, PoolTask *task)
{
	while (task->queued || task->running)
		pthread_cond_wait(&pool->done, &pool->lock);
}

void
pool_wait(Pool *pool, PoolTask *task)
{
	pthread_mutex_lock(&pool->lock);
	wait_until_idle(pool, task);
	pthread_mutex_unlock(&pool->lock);
}

bool
pool_wait_until(Pool *pool, PoolTask *task, int64_t deadline_us)
{
	bool idle;

	pthread_mutex_lock(&pool->lock);
	while (task->queued || task->running)
		if (thread_cond_wait_until(&pool->done, &pool->lock, deadline_us) == ETIMEDOUT)
			break;
	idle = !task->queued && !task->running;
	pthread_mutex_unlock(&pool->lock);
	return idle;
}

void
pool_cancel(Pool *pool, PoolTask *task)
{
	pthread_mutex_lock(&pool->lock);
	if (task->queued)
	{
		TAILQ_REMOVE(&pool->waiting, task, link);
		task->queued = false;
	}
	wait_until_idle(pool, task);
	pthread_mutex_unlock(&pool->lock);
}
