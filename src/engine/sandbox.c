/*
 * sandbox.c
 *		What a hijacked engine cannot do: see files, start programs, reach local
 *		sockets, touch other processes.
 *
 * Landlock confines the file system, so that the database's own directory is
 * unreadable.  Seccomp forbids execve and local sockets: Landlock does not stop
 * a connect() to PostgreSQL's socket, where `peer` authentication would make the
 * intruder a superuser.
 */
#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

/* Newer than the oldest kernel headers that this is built with. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* Newer than libseccomp; the same on every architecture. */
#define CALL_FCHMODAT2 452
#define CALL_SETXATTRAT 463
#define CALL_REMOVEXATTRAT 466
#define CALL_FILE_SETATTR 469

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LOAD (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE                                                                                      \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |  \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define DEVICE                                                                                     \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* Rights that may be granted on what is not a directory. */
#define FILE_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* struct landlock_ruleset_attr of the newest kernel known here. */
typedef struct Ruleset
{
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
} Ruleset;

typedef struct Grant
{
	const char *path;
	uint64_t rights;
} Grant;

static const Grant system_grants[] = {
	/*
	 * Libraries: ONNX Runtime and name service modules are loaded late.  Not all of
	 * /usr: a server built from source keeps its data below /usr/local/pgsql.
	 */
	{"/usr/lib", LOAD},
	{"/usr/lib64", LOAD},
	{"/usr/local/lib", LOAD},
	{"/usr/local/lib64", LOAD},
	{"/lib", LOAD},
	{"/lib64", LOAD},
	{CCTV_PKGLIBDIR, LOAD},
	{"/etc/ld.so.cache", READ},
	/* The choice of kernels for this CPU, the number of cores. */
	{"/proc/cpuinfo", READ},
	{"/sys/devices/system/cpu", READ},
	/* Names to addresses; see also name_files. */
	{"/run/systemd/resolve", READ},
	{"/etc/services", READ},
	{"/etc/localtime", READ},
	{"/usr/share/zoneinfo", READ},
	/* TLS. */
	{"/etc/ssl/certs", READ},
	{"/etc/pki/tls/certs", READ},
	{"/etc/ca-certificates", READ},
	{"/etc/gnutls", READ},
	{"/usr/share/ca-certificates", READ},
	{"/usr/local/share/ca-certificates", READ},
	{"/dev/null", DEVICE},
	{"/dev/urandom", READ},
};

static const char *const name_files[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
										 "/etc/gai.conf", "/etc/host.conf"};
#define NAME_FILES (sizeof(name_files) / sizeof(name_files[0]))

/* The version of Landlock that has all that is asked of it here. */
#define COMPLETE_ABI 6

static Ruleset
supported_rules(long abi)
{
	Ruleset rules = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

	if (abi >= 2)
		rules.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rules.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	/* The engine only ever connects: it listens to nobody. */
	if (abi >= 4)
		rules.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP;
	if (abi >= 5)
		rules.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= 6)
		rules.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	return rules;
}

static void
grant(int ruleset, const Ruleset *rules, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {0};
	struct stat status;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	rule.allowed_access = rights & rules->handled_access_fs;
	if (fstat(rule.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
		rule.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		log_warning("sandbox: %s cannot be granted: %s", path, strerror(errno));
	close(rule.parent_fd);
}

static void
grant_all(int ruleset, const Ruleset *rules, const Settings *settings)
{
	for (size_t i = 0; i < sizeof(system_grants) / sizeof(system_grants[0]); i++)
		grant(ruleset, rules, system_grants[i].path, system_grants[i].rights);
	for (size_t i = 0; i < NAME_FILES; i++)
		grant(ruleset, rules, name_files[i], READ);
	/* Set by a developer's hand only: the worker gives the engine no environment. */
	if (getenv("PG_CCTV_ORT") != NULL)
		grant(ruleset, rules, getenv("PG_CCTV_ORT"), LOAD);
	grant(ruleset, rules, settings->models_dir, READ);
	if (settings->media_dir != NULL)
		grant(ruleset, rules, settings->media_dir, WRITE);
	for (int i = 0; i < settings->source_paths.count; i++)
	{
		const char *path = settings->source_paths.items[i];

		grant(ruleset, rules, path, strncmp(path, "/dev/", 5) == 0 ? DEVICE : READ);
	}
}

static void
confine_files(const Settings *settings)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	Ruleset rules;
	size_t size = sizeof(rules);
	int ruleset;

	if (abi < 1)
	{
		log_warning("sandbox: this kernel has no Landlock: files are not confined");
		return;
	}
	rules = supported_rules(abi);
	if (abi < COMPLETE_ABI)
		log_info("sandbox: Landlock of version %ld; %d and later also confine%s%s%s", abi,
				 COMPLETE_ABI, abi < 4 ? " listening on ports," : "",
				 abi < 5 ? " commands to devices," : "", " abstract sockets and signals");
	if (abi < 6)
		size = offsetof(Ruleset, scoped);
	if (abi < 4)
		size = offsetof(Ruleset, handled_access_net);
	ruleset = (int) syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (ruleset >= 0)
		grant_all(ruleset, &rules, settings);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		log_warning("sandbox: files are not confined: %s", strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
}

/* Calls that a media program never makes. */
static const int forbidden_calls[] = {
	/* other programs */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	/* other processes, which run as the same user */
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(tkill),
	SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo),
	SCMP_SYS(kcmp),
	/* memory and messages that PostgreSQL shares by number */
	SCMP_SYS(shmget),
	SCMP_SYS(shmat),
	SCMP_SYS(shmctl),
	SCMP_SYS(semget),
	SCMP_SYS(semop),
	SCMP_SYS(semtimedop),
	SCMP_SYS(semctl),
	SCMP_SYS(msgget),
	SCMP_SYS(msgsnd),
	SCMP_SYS(msgrcv),
	SCMP_SYS(msgctl),
	/* what Landlock does not confine in any version, or not in the first ones */
	SCMP_SYS(truncate),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmodat),
	CALL_FCHMODAT2,
	SCMP_SYS(chown),
	SCMP_SYS(lchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(utime),
	SCMP_SYS(utimes),
	SCMP_SYS(futimesat),
	SCMP_SYS(utimensat),
	SCMP_SYS(setxattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(removexattr),
	SCMP_SYS(lremovexattr),
	CALL_SETXATTRAT,
	CALL_REMOVEXATTRAT,
	CALL_FILE_SETATTR,
	SCMP_SYS(socketpair),
	SCMP_SYS(listen),
	/* the processor's time that others get */
	SCMP_SYS(sched_setparam),
	SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_setattr),
	SCMP_SYS(ioprio_set),
	SCMP_SYS(migrate_pages),
	SCMP_SYS(move_pages),
	/* ways around these rules, and large surfaces of the kernel */
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(quotactl),
	SCMP_SYS(syslog),
	SCMP_SYS(mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(personality),
	SCMP_SYS(acct),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(reboot),
};

/* Refuse socket() outside IPv4, IPv6 and netlink (which getaddrinfo needs). */
static int
forbid_sockets(scmp_filter_ctx filter)
{
	int failed = 0;

	/* One rule cannot compare an argument twice, so the gaps are spelt out. */
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
							   SCMP_A0(SCMP_CMP_LT, AF_INET));
	for (int family = AF_INET + 1; family < AF_NETLINK; family++)
		if (family != AF_INET6)
			failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
									   SCMP_A0(SCMP_CMP_EQ, family));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
							   SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	return failed;
}

/* Signals and limits for this process alone; threads, but no processes or namespaces. */
static int
forbid_others(scmp_filter_ctx filter)
{
	int failed = 0;

	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1,
							   SCMP_A0(SCMP_CMP_NE, getpid()));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
							   SCMP_A0(SCMP_CMP_NE, getpid()));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
							   SCMP_A0(SCMP_CMP_NE, 0));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
							   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), 1,
							   SCMP_A1(SCMP_CMP_NE, 0));
	/* Their flags lie in memory, out of the filter's sight; glibc then uses clone, open. */
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return failed;
}

/* A file opened for reading, and cut off by that: Landlock before version 3 allows it. */
static int
forbid_truncation(scmp_filter_ctx filter)
{
	int failed = 0;

	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
							   SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_TRUNC, O_TRUNC));
	failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
							   SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_TRUNC, O_TRUNC));
	return failed;
}

static void
confine_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int failed = filter == NULL;

	for (size_t i = 0; !failed && i < sizeof(forbidden_calls) / sizeof(forbidden_calls[0]); i++)
		failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden_calls[i], 0);
	if (!failed)
		failed = forbid_sockets(filter);
	if (!failed)
		failed = forbid_others(filter);
	if (!failed)
		failed = forbid_truncation(filter);
	if (!failed)
		failed = seccomp_load(filter);
	if (failed)
		log_warning("sandbox: system calls are not confined: %s", strerror(errno));
	if (filter != NULL)
		seccomp_release(filter);
}

void
sandbox_enter(const Settings *settings)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warning("sandbox: privileges can still be gained: %s", strerror(errno));
	confine_files(settings);
	confine_calls();
}

unsigned
sandbox_name_files(void)
{
	unsigned readable = 0;

	for (size_t i = 0; i < NAME_FILES; i++)
	{
		int fd = open(name_files[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			close(fd);
		if (fd >= 0 || errno == ENOENT)
			readable |= 1u << i;
	}
	return readable;
}
