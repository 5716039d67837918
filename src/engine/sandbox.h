/*
 * sandbox.h
 *		What a hijacked engine cannot do: see files, start programs, reach local
 *		sockets, touch other processes.
 */
#ifndef CCTV_SANDBOX_H
#define CCTV_SANDBOX_H

#include "desired_state.h"

/*
 * Give up every right that the engine does not need, for good.  Must be called
 * before the first thread is started: one started earlier stays free.  What the
 * kernel does not support is logged once and done without.
 */
extern void sandbox_enter(const Settings *settings);

#endif /* CCTV_SANDBOX_H */
