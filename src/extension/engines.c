/*
 * engines.c
 *		All engines of this worker, and the wait for what they send.
 */
#include "postgres.h"

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "clock.h"
#include "compat.h"
#include "engine_process.h"
#include "engines.h"
#include "ingest.h"
#include "miscadmin.h"

#define MAX_EVENTS_AT_ONCE 64
#define EXIT_LIMIT_MS 1500 /* between SIGTERM and SIGKILL when the worker ends */
#define KILL_LIMIT_MS 2000 /* for the kernel to end what was killed */
#define EXIT_INTERVAL_US 10000

static dlist_head engines;

/* What wait_set was made for; it is made anew when the interests change. */
static WaitEventSet *wait_set = NULL;
static int wait_set_engines = 0;

#define foreach_engine(engine, iter)                                                               \
	dlist_foreach_modify(                                                                          \
		iter, &engines) if (((engine) = dlist_container(CctvEngine, node, (iter).cur)) != NULL)

void
cctv_engines_init(void)
{
	dlist_init(&engines);
}

static CctvEngine *
find_engine(int number)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter)
	{
		if (engine->number == number)
			return engine;
	}
	return NULL;
}

static void
end_unwanted(const char *reason)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter)
	{
		if (engine->wanted)
			continue;
		cctv_engine_assign(engine, NULL, 0, NULL);
		cctv_engine_end(engine, reason);
	}
}

void
cctv_engines_apply(const CctvDesired *desired)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter) engine->wanted = false;

	for (int i = 0; i < desired->nengines; i++)
	{
		const CctvDesiredEngine *wish = &desired->engines[i];

		engine = find_engine(wish->number);
		if (engine == NULL)
		{
			engine = cctv_engine_create(wish->number);
			dlist_push_tail(&engines, &engine->node);
		}
		engine->wanted = true;
		cctv_engine_assign(engine, wish->cameras, wish->ncameras, wish->document);
	}
	end_unwanted("has no camera left");
}

void
cctv_engines_stop(const char *reason)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter) engine->wanted = false;
	end_unwanted(reason);
}

void
cctv_engines_restart(const char *reason)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter) cctv_engine_end(engine, reason);
}

long
cctv_engines_supervise(int64 now)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;
	long delay = LONG_MAX;

	foreach_engine(engine, iter)
	{
		cctv_engine_supervise(engine, now);
		if (!engine->wanted && engine->state == CCTV_ENGINE_DOWN)
		{
			cctv_ingest_engine_gone(engine->number);
			dlist_delete(&engine->node);
			cctv_engine_free(engine);
			continue;
		}
		delay = Min(delay, cctv_engine_delay(engine, now));
	}
	return delay;
}

void
cctv_engines_tick(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter) cctv_engine_tick(engine);
}

void
cctv_engines_report(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter) cctv_engine_report(engine);
}

int
cctv_engines_count(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;
	int count = 0;

	foreach_engine(engine, iter) count += engine->state == CCTV_ENGINE_UP;
	return count;
}

/* Is wait_set still what we want to wait for? */
static bool
wait_set_fits(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;
	int waited_for = 0;

	foreach_engine(engine, iter)
	{
		if (engine->waiting_for != cctv_engine_interest(engine))
			return false;
		waited_for += engine->waiting_for != 0;
	}
	return wait_set != NULL && waited_for == wait_set_engines;
}

/* A wait set cannot lose a member, so it is made anew. */
static void
make_wait_set(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;
	int count = 0;

	if (wait_set != NULL)
	{
		FreeWaitEventSet(wait_set);
		wait_set = NULL;
	}
	foreach_engine(engine, iter) count++;

	wait_set = cctv_create_wait_event_set(count + 2);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	wait_set_engines = 0;
	foreach_engine(engine, iter)
	{
		engine->waiting_for = cctv_engine_interest(engine);
		if (engine->waiting_for == 0)
			continue;
		AddWaitEventToSet(wait_set, engine->waiting_for, engine->child.control, NULL, engine);
		wait_set_engines++;
	}
}

void
cctv_engines_wait(long timeout_ms)
{
	static uint32 wait_event = 0;
	WaitEvent events[MAX_EVENTS_AT_ONCE];
	int count;

	if (!wait_set_fits())
		make_wait_set();
	count = WaitEventSetWait(wait_set, timeout_ms, events, lengthof(events),
							 cctv_wait_event(&wait_event, "CctvWorkerMain"));
	for (int i = 0; i < count; i++)
	{
		CctvEngine *engine = events[i].user_data;

		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (events[i].events & WL_SOCKET_WRITEABLE)
			cctv_channel_flush(&engine->channel);
		if (events[i].events & WL_SOCKET_READABLE)
			cctv_engine_read(engine);
	}
}

/* Reap what has ended.  Returns whether an engine is left. */
static bool
reap_all(void)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;
	bool left = false;

	foreach_engine(engine, iter)
	{
		if (engine->state == CCTV_ENGINE_DOWN)
			continue;
		if (waitpid(engine->child.pid, NULL, WNOHANG) == 0)
			left = true;
		else
			engine->state = CCTV_ENGINE_DOWN;
	}
	return left;
}

static void
signal_all(int signo)
{
	dlist_mutable_iter iter;
	CctvEngine *engine;

	foreach_engine(engine, iter)
	{
		if (engine->state != CCTV_ENGINE_DOWN)
			kill(engine->child.pid, signo);
	}
}

/* Signal all and reap them.  Returns whether none is left in time. */
static bool
end_with(int signo, int limit_ms)
{
	int64 deadline = cctv_now_ms() + limit_ms;

	signal_all(signo);
	while (reap_all())
	{
		if (cctv_now_ms() >= deadline)
			return false;
		pg_usleep(EXIT_INTERVAL_US);
	}
	return true;
}

/*
 * None may be left behind: in a container the postmaster often is the process
 * that inherits orphans, and one that dies of a signal looks to it like a
 * backend that has crashed.
 */
void
cctv_engines_end_all(void)
{
	if (!end_with(SIGTERM, EXIT_LIMIT_MS))
		(void) end_with(SIGKILL, KILL_LIMIT_MS);
}
