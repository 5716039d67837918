/*
 * process_limits.h
 *		What the engine may take of the machine.
 */
#ifndef CCTV_PROCESS_LIMITS_H
#define CCTV_PROCESS_LIMITS_H

#include "desired_state.h"

/*
 * Before the first allocation: heap settings that keep the memory of many
 * cameras small.
 */
extern void process_limits_heap(void);

/*
 * No core dumps (frames and passwords would be in them), small stacks, few
 * descriptors, and the settings' memory limit and niceness.  Logs what fails.
 */
extern void process_limits_apply(const Settings *settings);

#endif /* CCTV_PROCESS_LIMITS_H */
