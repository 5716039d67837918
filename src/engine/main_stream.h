/*
 * main_stream.h
 *		The stream that is recorded when another is analysed: a thread that reads
 *		it for as long as recording wants it, and reconnects for ever.
 */
#ifndef CCTV_MAIN_STREAM_H
#define CCTV_MAIN_STREAM_H

#include "recording.h"

typedef struct MainStream MainStream;

/*
 * config describes the stream; recording, source_paths and stall_timeout_us
 * outlive it.  NULL, with a log line, when out of memory or threads.
 */
extern MainStream *main_stream_start(CameraConfig *config, const StringList *source_paths,
									 const atomic_llong *stall_timeout_us, Recording *recording);

/* It ends by itself once nothing is to be recorded any more. */
extern bool main_stream_done(const MainStream *stream);

/* End it, and wait for that. */
extern void main_stream_stop(MainStream *stream);

#endif /* CCTV_MAIN_STREAM_H */
