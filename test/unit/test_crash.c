/* The note of a dying engine. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "crash.h"
#include "protocol.h"
#include "thread.h"

static void *
fault(void *arg)
{
	int signal = *(int *) arg;

	thread_serve_camera(17);
	raise(signal);
	return NULL;
}

/* Use up the stack; the compiler must not make a loop of it. */
static int __attribute__((noinline)) recurse(volatile char *below)
{
	volatile char block[4096];

	block[0] = below[0];
	return block[0] == 0 ? 0 : block[0] + recurse(block);
}

static void *
overflow(void *arg)
{
	volatile char start = 1;

	thread_serve_camera(18);
	recurse(&start);
	return NULL;
}

/* What is noted when a child's thread runs body. */
static CctvCrashNote
die(void *(*body)(void *), int signal, int *status)
{
	CctvCrashNote note = {0};
	int fd = memfd_create("note", MFD_CLOEXEC);
	pid_t child;

	assert_int_equal(ftruncate(fd, sizeof(note)), 0);
	child = fork();
	if (child == 0)
	{
		pthread_t thread;

		if (crash_install(fd) != 0 || thread_start(&thread, "victim", body, &signal) != 0)
			_exit(1);
		pthread_join(thread, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, status, 0), child);
	assert_int_equal(pread(fd, &note, sizeof(note), 0), sizeof(note));
	close(fd);
	return note;
}

static void
a_fault_names_its_signal_and_camera(void **state)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
	{
		int status;
		CctvCrashNote note = die(fault, signals[i], &status);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_int_equal(note.magic, CCTV_CRASH_MAGIC);
		assert_int_equal(note.signal, signals[i]);
		assert_int_equal(note.camera_id, 17);
	}
}

static void
a_stack_overflow_is_noted_too(void **state)
{
	int status;
	CctvCrashNote note = die(overflow, 0, &status);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(note.magic, CCTV_CRASH_MAGIC);
	assert_int_equal(note.signal, WTERMSIG(status));
	assert_int_equal(note.camera_id, 18);
}

static void
a_quiet_end_leaves_no_note(void **state)
{
	int status;
	CctvCrashNote note = die(fault, 0, &status);

	assert_true(WIFEXITED(status));
	assert_int_equal(note.magic, 0);
}

static void
a_note_that_is_too_small_is_refused(void **state)
{
	int fd = memfd_create("note", MFD_CLOEXEC);

	assert_int_not_equal(crash_install(fd), 0);
	close(fd);
	assert_int_not_equal(crash_install(-1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_names_its_signal_and_camera),
		cmocka_unit_test(a_stack_overflow_is_noted_too),
		cmocka_unit_test(a_quiet_end_leaves_no_note),
		cmocka_unit_test(a_note_that_is_too_small_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
