/*
 * engines.h
 *		All engines of this worker.
 */
#ifndef CCTV_ENGINES_H
#define CCTV_ENGINES_H

#include "reconcile.h"

extern void cctv_engines_init(void);

/* Assign cameras and documents; end the engines that are left without any. */
extern void cctv_engines_apply(const CctvDesired *desired);

/* Without a desired state: end them all. */
extern void cctv_engines_stop(const char *reason);

/* End them all; those that are wanted start anew. */
extern void cctv_engines_restart(const char *reason);

/* Start, end and reap.  Returns in how many milliseconds there is more to do. */
extern long cctv_engines_supervise(int64 now);

/* Once a second. */
extern void cctv_engines_tick(void);

/* Queue their figures for ingest. */
extern void cctv_engines_report(void);

/*
 * Wait until the latch is set, an engine can be read or written, or the time
 * is over; read and write what is possible.
 */
extern void cctv_engines_wait(long timeout_ms);

/* The worker is ending: end and reap every engine, after 1.5 s by force. */
extern void cctv_engines_end_all(void);

extern int cctv_engines_count(void);

#endif /* CCTV_ENGINES_H */
