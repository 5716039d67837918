/*
 * What the sandbox takes away.  Each check runs in a child that enters the
 * sandbox for good, without the sanitizers' own needs in the way.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <linux/landlock.h>
#include <cmocka.h>

#include "sandbox.h"

static char root[] = "/var/tmp/pg_cctv_sandbox_XXXXXX";
static char media[64];
static char source[64];
static char secret[64];
static int complaints;

static void
count_complaints(void *arg, LogLevel level, int camera_id, const char *message)
{
	if (level > LOG_LEVEL_WARNING)
		return;
	fprintf(stderr, "%s\n", message);
	complaints++;
}

static int
touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int
set_up(void **state)
{
	char path[96];

	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(media, sizeof(media), "%s/media", root);
	snprintf(source, sizeof(source), "%s/source", root);
	snprintf(secret, sizeof(secret), "%s/secret", root);
	mkdir(media, 0700);
	mkdir(source, 0700);
	snprintf(path, sizeof(path), "%s/video", source);
	return touch(secret) | touch(path);
}

static int
tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static bool
has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* Let the kernel be one that has never heard of Landlock. */
static void
forget_landlock(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL ||
		seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) !=
			0 ||
		seccomp_load(filter) != 0)
		_exit(98);
	seccomp_release(filter);
}

/*
 * Run a check in a child inside the sandbox; it returns 0, or which of its steps
 * failed.
 */
static void
inside_of(int (*check)(void), bool landlock)
{
	pid_t child = fork();
	int status;

	if (child == 0)
	{
		char *paths[] = {source};
		Settings settings = {
			.models_dir = "/nonexistent", .media_dir = media, .source_paths = {1, paths}};

		log_set_sink(count_complaints, NULL);
		if (!landlock)
			forget_landlock();
		sandbox_enter(&settings);
		_exit(landlock && complaints > 0 ? 99 : check());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
inside(int (*check)(void))
{
	inside_of(check, true);
}

#define STEP(n, condition)                                                                         \
	if (!(condition))                                                                              \
		return n;

/* Can the file be opened so? */
static bool
opens(const char *directory, const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s%s", directory, name);
	fd = open(path, flags, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int
check_files(void)
{
	STEP(1, !opens(secret, "", O_RDONLY));
	STEP(2, !opens("/etc/passwd", "", O_RDONLY));
	STEP(3, opens(source, "/video", O_RDONLY));
	STEP(4, !opens(source, "/video", O_WRONLY));
	STEP(5, !opens(source, "/new", O_WRONLY | O_CREAT));
	STEP(6, opens(media, "/new", O_WRONLY | O_CREAT));
	STEP(7, opens(media, "/new", O_RDWR | O_TRUNC));
	STEP(8, !opens(root, "/new", O_WRONLY | O_CREAT));
	STEP(9, !opens("/tmp", "/pg_cctv_sandbox_escape", O_WRONLY | O_CREAT));
	STEP(10, opens("/proc/cpuinfo", "", O_RDONLY));
	STEP(11, opens("/sys/devices/system/cpu", "", O_RDONLY));
	STEP(12, opens("/etc/nsswitch.conf", "", O_RDONLY));
	STEP(13, !opens("/proc/1/environ", "", O_RDONLY));
	STEP(14, opens("/usr/lib", "", O_RDONLY | O_DIRECTORY));
	STEP(15, !opens("/usr/bin/env", "", O_RDONLY));
	STEP(16, !opens("/usr/local", "", O_RDONLY | O_DIRECTORY));
	STEP(17, sandbox_name_files() == 31);
	return 0;
}

/* What Landlock leaves open in some version or other. */
static int
check_changes(void)
{
	STEP(1, truncate(secret, 0) == -1 && errno == EPERM);
	STEP(2, !opens(secret, "", O_RDONLY | O_TRUNC) && errno == EPERM);
	STEP(3, chmod(secret, 0777) == -1 && errno == EPERM);
	STEP(4, utimensat(AT_FDCWD, secret, NULL, 0) == -1 && errno == EPERM);
	STEP(5, setxattr(secret, "user.x", "x", 1, 0) == -1 && errno == EPERM);
	STEP(6, opens(media, "/new", O_WRONLY | O_CREAT | O_TRUNC));
	return 0;
}

/* A kernel without Landlock: said once, and the rest is confined all the same. */
static int
check_without_landlock(void)
{
	STEP(1, complaints == 1);
	STEP(2, opens(secret, "", O_RDONLY));
	STEP(3, socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EPERM);
	STEP(4, truncate(secret, 0) == -1 && errno == EPERM);
	STEP(5, syscall(SYS_fork) == -1 && errno == EPERM);
	return 0;
}

static int
check_sockets(void)
{
	struct addrinfo *list = NULL;
	int pair[2];
	int fd;

	STEP(1, socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EPERM);
	STEP(2, socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == EPERM);
	STEP(3, socket(AF_VSOCK, SOCK_STREAM, 0) == -1 && errno == EPERM);
	STEP(4, syscall(SYS_socket, (1UL << 32) | AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EPERM);
	STEP(5, (fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	STEP(6, (fd = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
	STEP(9, listen(fd, 1) == -1 && errno == EPERM);
	STEP(10, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1 && errno == EPERM);
	STEP(7, (fd = socket(AF_NETLINK, SOCK_RAW, 0)) >= 0);
	STEP(8, getaddrinfo("localhost", "554", NULL, &list) == 0);
	freeaddrinfo(list);
	return 0;
}

static void *
do_nothing(void *arg)
{
	return arg;
}

static int
check_processes(void)
{
	char *arguments[] = {"true", NULL};
	pthread_t thread;

	STEP(1, execve("/bin/true", arguments, arguments + 1) == -1 && errno == EPERM);
	STEP(2, syscall(SYS_fork) == -1 && errno == EPERM);
	STEP(3, kill(getppid(), 0) == -1 && errno == EPERM);
	STEP(4, kill(getpid(), 0) == 0);
	STEP(5, shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) == -1 && errno == EPERM);
	STEP(6, unshare(CLONE_NEWUSER) == -1 && errno == EPERM);
	STEP(7, syscall(SYS_io_uring_setup, 1, NULL) == -1 && errno == EPERM);
	STEP(8, pthread_create(&thread, NULL, do_nothing, NULL) == 0);
	STEP(9, pthread_join(thread, NULL) == 0);
	STEP(10, syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0) == -1 && errno == EPERM);
	return 0;
}

/* abort() must still end in SIGABRT: the crash note depends on it. */
static void
it_can_still_crash(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
	{
		Settings settings = {.models_dir = "/nonexistent"};

		signal(SIGABRT, SIG_DFL);
		sandbox_enter(&settings);
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
files_are_out_of_reach(void **state)
{
	if (!has_landlock())
		skip();
	inside(check_files);
}

static void
files_are_not_changed(void **state)
{
	if (!has_landlock())
		skip();
	inside(check_changes);
}

static void
it_degrades_without_landlock(void **state)
{
	inside_of(check_without_landlock, false);
}

static void
local_sockets_are_out_of_reach(void **state)
{
	inside(check_sockets);
}

static void
other_processes_are_out_of_reach(void **state)
{
	inside(check_processes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_out_of_reach),
		cmocka_unit_test(files_are_not_changed),
		cmocka_unit_test(it_degrades_without_landlock),
		cmocka_unit_test(local_sockets_are_out_of_reach),
		cmocka_unit_test(other_processes_are_out_of_reach),
		cmocka_unit_test(it_can_still_crash),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
