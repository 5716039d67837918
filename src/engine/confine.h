/*
 * confine.h
 *		Everything that an engine gives up before its first thread.
 */
#ifndef CCTV_CONFINE_H
#define CCTV_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "desired_state.h"

/*
 * Networks, limits, the media directory and, unless the settings say otherwise,
 * the sandbox, for good.  False, with a one-line reason, when the settings make no
 * sense.
 */
extern bool confine(const Settings *settings, char *reason, size_t reason_size);

#endif /* CCTV_CONFINE_H */
