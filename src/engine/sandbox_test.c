/*
 * sandbox_test.c
 *		pg_cctv_engine --sandbox-test: tries what a hijacked engine would try.
 *
 * System calls are made without the C library where something of the engine's own
 * stands before it: an intruder would do the same.
 */
#define _GNU_SOURCE
#include "sandbox_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

#define PATH 4096

/* What is tried at; all of it is there, and open to this user, before the sandbox. */
typedef struct Targets
{
	char outside[PATH]; /* a directory of this test */
	char victim[PATH];	/* a file in it */
	char data_dir[PATH];
	char version[PATH]; /* data_dir/PG_VERSION */
	char link[PATH];	/* to it, in the media directory */
	char media_dir[PATH];
	char media_file[PATH];
	char socket[PATH]; /* PostgreSQL's, or one like it */
	int listening;	   /* on the latter; -1: it is PostgreSQL's */
	bool own_data_dir;
	bool own_media_dir;
} Targets;

/* Returns 0 when it succeeded, else why it did not. */
typedef int (*Attempt)(const Targets *targets);

static int
result_of(long value)
{
	return value < 0 ? errno : 0;
}

static int
open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
read_data(const Targets *targets)
{
	return open_and_close(targets->version, O_RDONLY);
}

static int
list_data(const Targets *targets)
{
	return open_and_close(targets->data_dir, O_RDONLY | O_DIRECTORY);
}

static int
read_data_by_link(const Targets *targets)
{
	return open_and_close(targets->link, O_RDONLY);
}

static int
link_data(const Targets *targets)
{
	char path[PATH + 16];
	int result;

	snprintf(path, sizeof(path), "%s/hard-link", targets->media_dir);
	result = result_of(link(targets->victim, path));
	unlink(path);
	return result;
}

static int
read_environment(const Targets *targets)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int) getppid());
	return open_and_close(path, O_RDONLY);
}

static int
read_passwords(const Targets *targets)
{
	return open_and_close("/etc/passwd", O_RDONLY);
}

static int
reach_postgresql(const Targets *targets)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int) syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", targets->socket);
	result = result_of(syscall(SYS_connect, fd, &address, sizeof(address)));
	close(fd);
	return result;
}

static int
make_socket_pair(const Targets *targets)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0)
		return errno;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int
run_program(const Targets *targets)
{
	char *arguments[] = {"true", NULL};
	pid_t child;
	int error = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, arguments + 1);
	int status = 0;

	if (error != 0)
		return error;
	waitpid(child, &status, 0);
	return status == 0 ? 0 : ECHILD;
}

/* A directory cannot be run (EACCES), so this process stays whatever the answer is. */
static int
call_execve(const Targets *targets)
{
	char *arguments[] = {"nothing", NULL};

	execve("/", arguments, arguments + 1);
	return errno == EACCES ? 0 : errno;
}

static int
create_in(const char *directory)
{
	char path[PATH + 64];
	int result;

	snprintf(path, sizeof(path), "%s/pg_cctv_sandbox_test.%d", directory, (int) getpid());
	result = open_and_close(path, O_WRONLY | O_CREAT | O_EXCL);
	unlink(path);
	return result;
}

static int
write_outside(const Targets *targets)
{
	return create_in(targets->outside);
}

static int
write_data(const Targets *targets)
{
	return create_in(targets->data_dir);
}

static int
write_tmp(const Targets *targets)
{
	return create_in("/tmp");
}

static int
write_shared_memory(const Targets *targets)
{
	return create_in("/dev/shm");
}

static int
change_file(const Targets *targets)
{
	return open_and_close(targets->victim, O_WRONLY);
}

static int
move_out(const Targets *targets)
{
	char path[PATH + 16];
	int result;

	snprintf(path, sizeof(path), "%s/moved", targets->outside);
	result = result_of(rename(targets->media_file, path));
	if (result == 0)
		result = result_of(rename(path, targets->media_file));
	return result;
}

static int
truncate_file(const Targets *targets)
{
	return result_of(truncate(targets->victim, 1));
}

/* Landlock before version 3 lets this pass. */
static int
open_truncated(const Targets *targets)
{
	return open_and_close(targets->victim, O_RDONLY | O_TRUNC);
}

static int
change_mode(const Targets *targets)
{
	return result_of(chmod(targets->victim, 0644));
}

static int
change_time(const Targets *targets)
{
	return result_of(utimensat(AT_FDCWD, targets->victim, NULL, 0));
}

static int
signal_parent(const Targets *targets)
{
	return result_of(kill(getppid(), 0));
}

static int
slow_parent(const Targets *targets)
{
	return result_of(setpriority(PRIO_PROCESS, getppid(), getpriority(PRIO_PROCESS, getppid())));
}

static const struct
{
	const char *name;
	Attempt attempt;
} attempts[] = {
	{"read a file of the data directory", read_data},
	{"list the data directory", list_data},
	{"read a file of the data directory by a link in the media directory", read_data_by_link},
	{"give a file of others a name in the media directory", link_data},
	{"read /etc/passwd", read_passwords},
	{"read another process's environment", read_environment},
	{"connect to PostgreSQL's socket", reach_postgresql},
	{"make a pair of local sockets", make_socket_pair},
	{"start a program", run_program},
	{"become a program", call_execve},
	{"make a file in the data directory", write_data},
	{"make a file beside the media directory", write_outside},
	{"make a file in /tmp", write_tmp},
	{"make a file in /dev/shm", write_shared_memory},
	{"write to a file", change_file},
	{"move a file out of the media directory", move_out},
	{"truncate a file", truncate_file},
	{"truncate a file by opening it for reading", open_truncated},
	{"change the mode of a file", change_mode},
	{"change the times of a file", change_time},
	{"signal another process", signal_parent},
	{"change the priority of another process", slow_parent},
};

#define ATTEMPTS ((int) (sizeof(attempts) / sizeof(attempts[0])))

/* ---- the report ---- */

typedef struct Report
{
	int count;
	int failed;
} Report;

static void
say(Report *report, bool ok, const char *who, const char *verb, const char *what, const char *why)
{
	printf("%sok %d - %s%s %s%s%s\n", ok ? "" : "not ", ++report->count, who, verb, what,
		   *why != '\0' ? ": " : "", why);
	report->failed += !ok;
}

/* One thread's attempts: all of them must fail. */
typedef struct Intruder
{
	const char *name;
	const Targets *targets;
	const int *before; /* results without the sandbox */
	Report *report;
	bool brings_another;
} Intruder;

static void
try_everything(const Intruder *intruder)
{
	for (int i = 0; i < ATTEMPTS; i++)
	{
		int result;

		if (intruder->before[i] != 0)
			continue;
		result = attempts[i].attempt(intruder->targets);
		say(intruder->report, result != 0, intruder->name, result != 0 ? " cannot" : " can",
			attempts[i].name, result != 0 ? strerror(result) : "");
	}
}

static void run_thread(const Intruder *intruder);

static void *
intrude(void *arg)
{
	const Intruder *intruder = arg;
	Intruder child = *intruder;

	try_everything(intruder);
	if (intruder->brings_another)
	{
		child.name = "a thread's thread";
		child.brings_another = false;
		run_thread(&child);
	}
	return NULL;
}

static void
run_thread(const Intruder *intruder)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, intrude, (void *) intruder);

	if (error == 0)
		pthread_join(thread, NULL);
	else
		say(intruder->report, false, "the engine", " cannot", "start a thread", strerror(error));
}

/* What the engine lives by must still be possible. */
static void
try_what_is_needed(const Targets *targets, Report *report)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = create_in(targets->media_dir);

	say(report, fd >= 0, "the engine", fd >= 0 ? " can" : " cannot", "open a socket of IPv4", "");
	if (fd >= 0)
		close(fd);
	say(report, result == 0, "the engine", result == 0 ? " can" : " cannot",
		"write in the media directory", result != 0 ? strerror(result) : "");
}

static void
look_at_limits(Report *report)
{
	struct rlimit core = {1, 1};
	struct rlimit files = {RLIM_INFINITY, RLIM_INFINITY};

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_NOFILE, &files);
	say(report, core.rlim_max == 0, "the engine", core.rlim_max == 0 ? " leaves" : " may leave",
		core.rlim_max == 0 ? "no core dump" : "a core dump", "");
	say(report, files.rlim_max <= 1024, "the engine", " has",
		files.rlim_max <= 1024 ? "a limit of descriptors" : "no limit of descriptors", "");
	say(report, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "the engine", " has",
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "no new privileges" : "new privileges", "");
}

/* The attempts without a sandbox, in a child that leaves no trace in this process. */
static bool
try_before(const Targets *targets, int before[])
{
	int ends[2];
	pid_t child;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	child = fork();
	if (child == 0)
	{
		int results[ATTEMPTS];

		for (int i = 0; i < ATTEMPTS; i++)
			results[i] = attempts[i].attempt(targets);
		_exit(write(ends[1], results, sizeof(results)) == sizeof(results) ? 0 : 1);
	}
	close(ends[1]);
	got = child > 0 ? read(ends[0], before, ATTEMPTS * sizeof(int)) : -1;
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return got == (ssize_t) (ATTEMPTS * sizeof(int));
}

/* ---- the targets ---- */

static bool
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

/* A socket that somebody listens on, as PostgreSQL would. */
static bool
stand_in_socket(Targets *targets)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(targets->socket, sizeof(targets->socket), "%.4000s/.s.PGSQL.5432", targets->outside);
	if (strlen(targets->socket) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, targets->socket);
	targets->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return targets->listening >= 0 &&
		   bind(targets->listening, (struct sockaddr *) &address, sizeof(address)) == 0 &&
		   listen(targets->listening, ATTEMPTS) == 0;
}

/* The socket of the server that runs on the data directory, by its postmaster.pid. */
static bool
find_socket(Targets *targets)
{
	char path[PATH + 16];
	char line[PATH];
	char port[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/postmaster.pid", targets->data_dir);
	file = fopen(path, "re");
	targets->socket[0] = '\0';
	for (int i = 1; file != NULL && i <= 5 && fgets(line, sizeof(line), file) != NULL; i++)
	{
		line[strcspn(line, "\n")] = '\0';
		if (i == 4)
			snprintf(port, sizeof(port), "%.15s", line);
		if (i == 5 && line[0] != '\0')
			snprintf(targets->socket, sizeof(targets->socket), "%.4000s/.s.PGSQL.%s", line, port);
	}
	if (file != NULL)
		fclose(file);
	return targets->socket[0] != '\0';
}

/* A directory that was named, or one of the test's own. */
static bool
choose_directory(const char *given, const char *name, char path[PATH], bool *own,
				 const char *outside)
{
	*own = given == NULL;
	if (given != NULL)
		return realpath(given, path) != NULL;
	snprintf(path, PATH, "%.4000s/%s", outside, name);
	return mkdir(path, 0700) == 0;
}

static bool
make_targets(const SandboxTest *test, Targets *targets)
{
	const char *base = getenv("TMPDIR");

	targets->listening = -1;
	snprintf(targets->outside, PATH, "%.3000s/pg_cctv_sandbox_test_XXXXXX",
			 base != NULL ? base : "/tmp");
	if (mkdtemp(targets->outside) == NULL ||
		!choose_directory(test->data_dir, "data", targets->data_dir, &targets->own_data_dir,
						  targets->outside) ||
		!choose_directory(test->media_dir, "media", targets->media_dir, &targets->own_media_dir,
						  targets->outside))
		return false;
	if (strlen(targets->data_dir) > PATH - 64 || strlen(targets->media_dir) > PATH - 64)
	{
		errno = ENAMETOOLONG;
		return false;
	}
	snprintf(targets->version, PATH, "%.4000s/PG_VERSION", targets->data_dir);
	snprintf(targets->victim, PATH, "%.4000s/victim", targets->outside);
	snprintf(targets->link, PATH, "%.4000s/sandbox-test-link", targets->media_dir);
	snprintf(targets->media_file, PATH, "%.4000s/sandbox-test-file", targets->media_dir);
	return (!targets->own_data_dir || write_file(targets->version, "0\n")) &&
		   write_file(targets->victim, "something to lose\n") &&
		   write_file(targets->media_file, "") && symlink(targets->version, targets->link) == 0 &&
		   ((test->data_dir != NULL && find_socket(targets)) || stand_in_socket(targets));
}

/* By a process outside the sandbox, that lives until the others are done. */
static void
remove_targets(const Targets *targets)
{
	unlink(targets->link);
	unlink(targets->media_file);
	unlink(targets->victim);
	if (targets->listening >= 0)
		unlink(targets->socket);
	if (targets->own_data_dir)
	{
		unlink(targets->version);
		rmdir(targets->data_dir);
	}
	if (targets->own_media_dir)
		rmdir(targets->media_dir);
	rmdir(targets->outside);
}

/* ---- the test ---- */

static int
test_inside(const SandboxTest *test, Targets *targets)
{
	Settings settings = {.models_dir = CCTV_MODELS_DIR,
						 .media_dir = targets->media_dir,
						 .any_network = true,
						 .sandbox = !test->no_sandbox};
	Report report = {0};
	int before[ATTEMPTS];
	Intruder intruder = {"the main thread", targets, before, &report, false};
	char reason[256];

	if (!try_before(targets, before))
	{
		fprintf(stderr, "sandbox test: the attempts without a sandbox were not made: %s\n",
				strerror(errno));
		return 2;
	}
	/* Files cannot be moved between file systems, whoever tries. */
	for (int i = 0; i < ATTEMPTS; i++)
		say(&report, before[i] == 0 || before[i] == EXDEV, "without a sandbox one",
			before[i] == 0 ? " can" : " cannot either", attempts[i].name,
			before[i] != 0 ? strerror(before[i]) : "");
	fflush(stdout);
	if (!confine(&settings, reason, sizeof(reason)))
	{
		fprintf(stderr, "sandbox test: %s\n", reason);
		return 2;
	}
	try_everything(&intruder);
	intruder.name = "a thread";
	intruder.brings_another = true;
	run_thread(&intruder);
	try_what_is_needed(targets, &report);
	look_at_limits(&report);
	printf("1..%d\n", report.count);
	fflush(stdout);
	return report.failed > 0 ? 1 : 0;
}

int
sandbox_test(const SandboxTest *test)
{
	Targets targets = {0};
	pid_t child;
	int status = 2 << 8;

	if (!make_targets(test, &targets))
	{
		fprintf(stderr, "sandbox test: cannot begin: %s\n", strerror(errno));
		remove_targets(&targets);
		return 2;
	}
	child = fork();
	if (child == 0)
		_exit(test_inside(test, &targets));
	if (child > 0)
		waitpid(child, &status, 0);
	remove_targets(&targets);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "sandbox test: it died of signal %d\n", WTERMSIG(status));
	return 2;
}
