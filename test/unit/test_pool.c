/* Who is served next by the detector threads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "pool.h"

#define TASKS 4

typedef struct Worker
{
	PoolTask task;
	atomic_int runs;
	atomic_int at_once;
	atomic_bool overlapped;
} Worker;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int served;
static int order[64];

/* Run while the gate is open, and note who did. */
static void
work(void *arg, Workspace *workspace)
{
	Worker *worker = arg;

	if (++worker->at_once > 1)
		worker->overlapped = true;
	pthread_mutex_lock(&gate);
	order[served++ % 64] = worker->task.camera_id;
	pthread_mutex_unlock(&gate);
	worker->runs++;
	worker->at_once--;
}

static void
prepare(Worker workers[TASKS])
{
	served = 0;
	for (int i = 0; i < TASKS; i++)
		workers[i] = (Worker){.task = {.run = work, .arg = &workers[i], .camera_id = i}};
}

static void
wait_for_running(const Worker *worker)
{
	while (worker->at_once == 0)
		sched_yield();
}

static void
the_longest_waiting_camera_is_next(void **state)
{
	Pool *pool = pool_create(1);
	Worker workers[TASKS];

	prepare(workers);
	pthread_mutex_lock(&gate);
	pool_submit(pool, &workers[0].task);
	wait_for_running(&workers[0]);
	pool_submit(pool, &workers[2].task);
	pool_submit(pool, &workers[0].task); /* once more, after its run */
	pool_submit(pool, &workers[1].task);
	pool_submit(pool, &workers[2].task); /* waits already: keeps its place */
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < TASKS; i++)
		pool_wait(pool, &workers[i].task);
	assert_int_equal(served, 4);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 0);
	assert_int_equal(order[3], 1);
	pool_free(pool);
}

static void
a_camera_is_never_served_twice_at_once(void **state)
{
	Pool *pool = pool_create(4);
	Worker workers[TASKS];

	prepare(workers);
	for (int i = 0; i < 2000; i++)
		pool_submit(pool, &workers[i % 2].task);
	for (int i = 0; i < TASKS; i++)
		pool_wait(pool, &workers[i].task);
	assert_true(workers[0].runs > 0 && workers[1].runs > 0);
	assert_false(workers[0].overlapped || workers[1].overlapped);
	pool_free(pool);
}

static void
a_cancelled_camera_is_not_served(void **state)
{
	Pool *pool = pool_create(1);
	Worker workers[TASKS];

	prepare(workers);
	pthread_mutex_lock(&gate);
	pool_submit(pool, &workers[0].task);
	wait_for_running(&workers[0]);
	pool_submit(pool, &workers[1].task);
	pool_submit(pool, &workers[2].task);
	pool_cancel(pool, &workers[1].task);
	pthread_mutex_unlock(&gate);
	pool_wait(pool, &workers[2].task);
	pool_cancel(pool, &workers[0].task);
	assert_int_equal(workers[0].runs, 1);
	assert_int_equal(workers[1].runs, 0);
	assert_int_equal(workers[2].runs, 1);
	pool_free(pool);
}

static void
threads_come_and_go(void **state)
{
	static const int sizes[] = {3, 1, 8, 0, 100, 2};
	Pool *pool = pool_create(1);
	Worker workers[TASKS];

	prepare(workers);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		for (int j = 0; j < TASKS; j++)
			pool_submit(pool, &workers[j].task);
		pool_resize(pool, sizes[i]);
		for (int j = 0; j < TASKS; j++)
		{
			pool_wait(pool, &workers[j].task);
			assert_int_equal(workers[j].runs, i + 1);
		}
	}
	pool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_waiting_camera_is_next),
		cmocka_unit_test(a_camera_is_never_served_twice_at_once),
		cmocka_unit_test(a_cancelled_camera_is_not_served),
		cmocka_unit_test(threads_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
