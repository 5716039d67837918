/*
 * process_limits.c
 *		What the engine may take of the machine.
 */
#include "process_limits.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "log.h"

#define MAX_DESCRIPTORS 1024
#define STACK_BYTES (1024 * 1024)

/* Blocks of this size come from and go back to the system one by one. */
#define MMAP_THRESHOLD (256 * 1024)

/*
 * Every thread would get an arena of its own, and keep what its busiest moment
 * took; two suffice for a few hundred allocations a second.  The threshold is
 * fixed, else it grows until frames, too, stay in the heap for ever.
 */
void
process_limits_heap(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, MMAP_THRESHOLD);
}

static void
limit(int resource, const char *what, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) != 0)
		return;
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value)
		value = limit.rlim_max;
	limit.rlim_cur = limit.rlim_max = value;
	if (setrlimit(resource, &limit) != 0)
		log_warning("the limit of %s could not be set: %s", what, strerror(errno));
}

void
process_limits_apply(const Settings *settings)
{
	limit(RLIMIT_CORE, "core dumps", 0);
	limit(RLIMIT_STACK, "stacks", STACK_BYTES);
	limit(RLIMIT_NOFILE, "descriptors", MAX_DESCRIPTORS);
	if (settings->memory_limit > 0)
		limit(RLIMIT_DATA, "memory", settings->memory_limit);
	/* Only ever nicer: a server that is niced itself stays so. */
	if (getpriority(PRIO_PROCESS, 0) < settings->nice &&
		setpriority(PRIO_PROCESS, 0, settings->nice) != 0)
		log_warning("the niceness %d could not be set: %s", settings->nice, strerror(errno));
}
