/*
 * engine_spawn.c
 *		Start an engine process, and learn what became of it.
 *
 * Between fork and exec the child is a copy of a PostgreSQL process: it calls
 * async-signal-safe functions only and leaves through exec or _exit.  Nothing
 * of the server reaches the engine, neither descriptors nor environment.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine_spawn.h"
#include "event_line.h"
#include "storage/fd.h"

/* Descriptors that we hold for each child. */
#define HELD_DESCRIPTORS 3

/* The kernel kills an engine before a backend when memory runs out. */
#define OOM_SCORE_ADJ "500"

static char *const engine_argv[] = {"pg_cctv_engine", "--worker", NULL};
static char *const engine_environment[] = {"ORT_DISABLE_TELEMETRY=1", NULL};

/* A file in memory that the child can fill but never enlarge; -1 on failure. */
static int
make_sealed_file(const char *name, off_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, size) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
	{
		close(fd);
		return -1;
	}
	return fd;
}

/* In the child: every descriptor from `first` on. */
static void
close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned int) first, ~0U, 0) == 0)
		return;
#endif
	for (int fd = first; fd < 65536; fd++)
		close(fd);
}

/* In the child: put the descriptors where the engine looks for them. */
static bool
arrange_descriptors(int control, int crash_note, int last_words, int requests)
{
	int null = open("/dev/null", O_RDWR);
	int last = CCTV_FD_CRASH_NOTE;

	/* Out of the way first, so that no dup2 overwrites one still needed. */
	control = fcntl(control, F_DUPFD, 16);
	crash_note = fcntl(crash_note, F_DUPFD, 16);
	last_words = fcntl(last_words, F_DUPFD, 16);
	if (requests >= 0)
		requests = fcntl(requests, F_DUPFD, 16);
	if (null < 0 || control < 0 || crash_note < 0 || last_words < 0)
		return false;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(last_words, STDERR_FILENO) < 0 || dup2(control, CCTV_FD_CONTROL) < 0 ||
		dup2(crash_note, CCTV_FD_CRASH_NOTE) < 0)
		return false;
	/* Without it, cameras run all the same. */
	if (requests >= 0 && dup2(requests, CCTV_FD_REQUESTS) >= 0)
		last = CCTV_FD_REQUESTS;
	close_from(last + 1);
	return true;
}

/* In the child: signals as a new program expects them. */
static void
reset_signals(void)
{
	struct sigaction action;
	sigset_t none;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	for (int signo = 1; signo < NSIG; signo++)
	{
		/* A cancel or a reload of the worker reaches its whole process group. */
		action.sa_handler = (signo == SIGINT || signo == SIGHUP) ? SIG_IGN : SIG_DFL;
		sigaction(signo, &action, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
run_child(const char *path, pid_t parent, int control, int crash_note, int last_words, int requests)
{
	static const char failure[] = "cannot be executed\n";
	const struct rlimit no_core = {0, 0};
	int fd;

	/* Also when the worker dies without a word: an immediate stop, SIGKILL. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (!arrange_descriptors(control, crash_note, last_words, requests))
		_exit(1);
	if (chdir("/") < 0)
		_exit(1);
	umask(077);
	setrlimit(RLIMIT_CORE, &no_core);
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0)
	{
		if (write(fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ)) < 0)
		{
			/* Best effort: a container may forbid it. */
		}
		close(fd);
	}
	reset_signals();
	execve(path, engine_argv, engine_environment);
	if (write(STDERR_FILENO, failure, sizeof(failure) - 1) < 0)
		_exit(126);
	_exit(127);
}

static bool
hold_descriptors(void)
{
	int held = 0;

	while (held < HELD_DESCRIPTORS && AcquireExternalFD())
		held++;
	if (held == HELD_DESCRIPTORS)
		return true;
	while (held-- > 0)
		ReleaseExternalFD();
	errno = EMFILE;
	return false;
}

static void
close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
cctv_child_close(CctvChild *child)
{
	close_if_open(&child->control);
	close_if_open(&child->crash_note);
	close_if_open(&child->last_words);
	for (int i = 0; i < HELD_DESCRIPTORS; i++)
		ReleaseExternalFD();
}

/* The channels to a child-to-be; *remote is its end of the socket. */
static bool
open_channels(CctvChild *child, int *remote)
{
	int ends[2];

	child->control = -1;
	child->crash_note = -1;
	child->last_words = -1;
	if (!hold_descriptors())
		return false;

	child->crash_note = make_sealed_file("pg_cctv crash note", sizeof(CctvCrashNote));
	child->last_words = make_sealed_file("pg_cctv last words", CCTV_LAST_WORDS);
	if (child->crash_note >= 0 && child->last_words >= 0 &&
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
	{
		child->control = ends[0];
		*remote = ends[1];
		if (fcntl(child->control, F_SETFL, O_NONBLOCK) == 0)
			return true;
		close(*remote);
	}
	cctv_child_close(child);
	return false;
}

bool
cctv_child_spawn(const char *path, int requests, CctvChild *child)
{
	pid_t parent = getpid();
	int remote;
	sigset_t all;
	sigset_t before;

	if (access(path, X_OK) < 0)
	{
		ereport(WARNING,
				(errcode_for_file_access(), errmsg("could not execute engine \"%s\": %m", path),
				 errhint("Check \"cctv.engine_path\".")));
		return false;
	}
	if (!open_channels(child, &remote))
	{
		ereport(WARNING, (errcode_for_socket_access(),
						  errmsg("could not open the channels to an engine: %m")));
		return false;
	}

	/* No handler of the server may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child->pid = fork();
	if (child->pid == 0)
		run_child(path, parent, remote, child->crash_note, child->last_words, requests);
	sigprocmask(SIG_SETMASK, &before, NULL);

	close(remote);
	if (child->pid < 0)
	{
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("could not fork an engine: %m")));
		cctv_child_close(child);
		return false;
	}
	return true;
}

int32
cctv_child_blames(const CctvChild *child)
{
	CctvCrashNote note;

	if (pread(child->crash_note, &note, sizeof(note), 0) != sizeof(note) ||
		note.magic != CCTV_CRASH_MAGIC)
		return 0;
	return note.camera_id;
}

char *
cctv_child_last_words(const CctvChild *child)
{
	char words[CCTV_LAST_WORDS];
	ssize_t length = pread(child->last_words, words, sizeof(words), 0);

	if (length <= 0)
		return pstrdup("");
	length = strnlen(words, length);
	while (length > 0 && words[length - 1] == '\n')
		length--;
	return cctv_printable(words, length);
}

bool
cctv_child_usage(const CctvChild *child, int64 *cpu_ms, int64 *rss)
{
	char path[64];
	char stat[1024];
	const char *fields;
	ssize_t length;
	unsigned long user;
	unsigned long system;
	long pages;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int) child->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (length <= 0)
		return false;
	stat[length] = '\0';

	/* proc(5): fields 14, 15 and 24; field 2, in parentheses, may hold anything. */
	fields = strrchr(stat, ')');
	if (fields == NULL ||
		sscanf(fields + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d "
			   "%*u %*u %ld",
			   &user, &system, &pages) != 3)
		return false;
	*cpu_ms = (int64) (user + system) * 1000 / sysconf(_SC_CLK_TCK);
	*rss = (int64) pages * sysconf(_SC_PAGESIZE);
	return true;
}
