/*
 * crash.c
 *		The note a dying engine leaves: which signal, and serving which camera.
 *
 * The worker reads it once the engine is dead, and moves a camera that was
 * blamed twice to an engine of its own.
 */
#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "protocol.h"
#include "thread.h"

/* Room for the signal frame of any present CPU, and the handler. */
#define CRASH_STACK (32 * 1024)

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

static CctvCrashNote *note;
static _Thread_local char crash_stack[CRASH_STACK] __attribute__((aligned(16)));

static void
write_note(int signal)
{
	/* The first fault counts; a second thread's follows from it. */
	if (note->magic == CCTV_CRASH_MAGIC)
		return;
	note->signal = signal;
	note->camera_id = thread_camera();
	note->magic = CCTV_CRASH_MAGIC;
}

/* SA_RESETHAND has restored the default action, so raising again is final. */
static void
on_fatal_signal(int signal)
{
	write_note(signal);
	raise(signal);
}

int
crash_install(int fd)
{
	struct sigaction action = {.sa_handler = on_fatal_signal,
							   .sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER};
	struct stat status;

	if (fstat(fd, &status) != 0)
		return errno;
	if (status.st_size < (off_t) sizeof(*note))
		return EINVAL;
	note = mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (note == MAP_FAILED)
	{
		note = NULL;
		return errno;
	}
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(fatal_signals[0]); i++)
		if (sigaction(fatal_signals[i], &action, NULL) != 0)
			return errno;
	crash_prepare_thread();
	return 0;
}

void
crash_prepare_thread(void)
{
	stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};

	if (note != NULL)
		sigaltstack(&stack, NULL);
}

void
crash_release_thread(void)
{
	stack_t stack = {.ss_flags = SS_DISABLE};

	if (note != NULL)
		sigaltstack(&stack, NULL);
}
