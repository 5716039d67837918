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

/*
 * Which of the files that host names are looked up in can be read (or are not
 * there), a bit for each.  A right is to a file and not to its name: when another
 * takes its place, as editors and DHCP clients do it, names cannot be looked up
 * until there is a new engine.
 */
extern unsigned sandbox_name_files(void);

#endif /* CCTV_SANDBOX_H */
