/*
 * sandbox_test.h
 *		pg_cctv_engine --sandbox-test: tries what a hijacked engine would try.
 */
#ifndef CCTV_SANDBOX_TEST_H
#define CCTV_SANDBOX_TEST_H

#include <stdbool.h>

typedef struct SandboxTest
{
	const char *data_dir;  /* of a server, best a running one; NULL: a stand-in */
	const char *media_dir; /* NULL: a stand-in */
	bool no_sandbox;	   /* to see that the test can fail */
} SandboxTest;

/*
 * Print a TAP line for everything tried; returns the exit status.  Each attempt is
 * made twice: before the sandbox, where it must succeed or it would show nothing,
 * and within it by several threads, where it must fail.  No thread may have been
 * started before.
 */
extern int sandbox_test(const SandboxTest *test);

#endif /* CCTV_SANDBOX_TEST_H */
