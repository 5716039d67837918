/*
 * engine_spawn.h
 *		Start an engine process, and learn what became of it.
 */
#ifndef CCTV_ENGINE_SPAWN_H
#define CCTV_ENGINE_SPAWN_H

#include "protocol.h"

/* What an engine may leave on its standard error, the rest is lost. */
#define CCTV_LAST_WORDS 4096

/* The worker's side of a child; the descriptors are its own to close. */
typedef struct CctvChild
{
	pid_t pid;
	int control;	/* non-blocking stream socket */
	int crash_note; /* memfd of CctvCrashNote */
	int last_words; /* memfd that is the child's standard error */
} CctvChild;

/*
 * Start the executable.  requests is a listening socket for it, or -1, and stays
 * the caller's.  Returns false, with the reason logged, if it cannot be.
 */
extern bool cctv_child_spawn(const char *path, int requests, CctvChild *child);

/* Close the descriptors of a child that was reaped. */
extern void cctv_child_close(CctvChild *child);

/* The camera that the dead child blames, 0 if none.  Anything may have written it. */
extern int32 cctv_child_blames(const CctvChild *child);

/* What the dead child wrote to its standard error, fit for the log; palloc'd. */
extern char *cctv_child_last_words(const CctvChild *child);

/* CPU time in ms and resident size in bytes; false once the process is gone. */
extern bool cctv_child_usage(const CctvChild *child, int64 *cpu_ms, int64 *rss);

#endif /* CCTV_ENGINE_SPAWN_H */
