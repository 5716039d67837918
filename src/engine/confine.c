/*
 * confine.c
 *		Everything that an engine gives up before its first thread.
 */
#include "confine.h"

#include <sys/stat.h>

#include "network_guard.h"
#include "process_limits.h"
#include "sandbox.h"

bool
confine(const Settings *settings, char *reason, size_t reason_size)
{
	if (!network_guard_set(settings, reason, reason_size))
		return false;
	process_limits_apply(settings);
	/* The sandbox can grant only what exists. */
	if (settings->media_dir != NULL)
		mkdir(settings->media_dir, 0700);
	if (settings->sandbox)
		sandbox_enter(settings);
	return true;
}
