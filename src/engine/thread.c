/*
 * thread.c
 *		Threads of the engine, and which camera the calling one serves.
 */
#define _GNU_SOURCE
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "clock.h"
#include "crash.h"

/* Stacks count in full against RLIMIT_DATA; decoders need a tenth of this. */
#define THREAD_STACK (1024 * 1024)

/* Added to the niceness of a thread that steps back. */
#define STEP_BACK 5

typedef struct Start
{
	char name[16];
	void *(*body)(void *);
	void *arg;
} Start;

static _Thread_local int served_camera;

static void *
run_thread(void *arg)
{
	Start start = *(Start *) arg;
	void *result;

	free(arg);
	pthread_setname_np(pthread_self(), start.name);
	crash_prepare_thread();
	result = start.body(start.arg);
	crash_release_thread();
	return result;
}

int
thread_start(pthread_t *thread, const char *name, void *(*body)(void *), void *arg)
{
	Start *start = malloc(sizeof(*start));
	pthread_attr_t attributes;
	sigset_t blocked;
	sigset_t previous;
	int error;

	if (start == NULL)
		return ENOMEM;
	snprintf(start->name, sizeof(start->name), "%s", name);
	start->body = body;
	start->arg = arg;

	if ((error = pthread_attr_init(&attributes)) != 0)
	{
		free(start);
		return error;
	}
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	/* Only the main thread takes signals; the fatal ones cannot be blocked. */
	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGABRT);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	pthread_sigmask(SIG_SETMASK, &blocked, &previous);
	error = pthread_create(thread, &attributes, run_thread, start);
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	pthread_attr_destroy(&attributes);
	if (error != 0)
		free(start);
	return error;
}

int
thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	int error;

	if ((error = pthread_condattr_init(&attributes)) != 0)
		return error;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
	return error;
}

int
thread_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, long long deadline_us)
{
	struct timespec until = {.tv_sec = deadline_us / CLOCK_SECOND,
							 .tv_nsec = deadline_us % CLOCK_SECOND * 1000};

	return pthread_cond_timedwait(cond, mutex, &until);
}

void
thread_serve_camera(int camera_id)
{
	served_camera = camera_id;
}

int
thread_camera(void)
{
	return served_camera;
}

void
thread_step_back(void)
{
	/* Of this thread alone, as Linux has it; the sandbox lets a thread name no other. */
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + STEP_BACK);
}
