/*
 * protocol.h
 *		What the worker (PostgreSQL side) and the engine (media side) agree on:
 *		descriptors, limits, message names and the crash note.
 *
 * Neither postgres.h nor a media header may be needed to include this file.
 * docs/protocol.md describes the messages.
 */
#ifndef CCTV_PROTOCOL_H
#define CCTV_PROTOCOL_H

#include <stdint.h>

/* Descriptors the engine finds open when the worker has spawned it. */
#define CCTV_FD_CONTROL 3	 /* stream socket: desired state in, event lines out */
#define CCTV_FD_CRASH_NOTE 4 /* memfd of sizeof(CctvCrashNote), see below */
#define CCTV_FD_REQUESTS 5	 /* listening Unix socket: requests of backends (frame.h), if open */

/*
 * Both directions are newline-terminated JSON objects in UTF-8.  A line that
 * reaches its limit without a newline is a protocol error.
 */
#define CCTV_MAX_EVENT_LINE (64 * 1024)		   /* engine to worker, newline included */
#define CCTV_MAX_STATE_LINE (16 * 1024 * 1024) /* worker to engine */
#define CCTV_MAX_BATCH_LINES 500			   /* lines per ingest transaction */

/* The engine writes at least one line in this many milliseconds. */
#define CCTV_HEARTBEAT_MS 1000
/* An engine silent for longer than this is killed. */
#define CCTV_SILENCE_LIMIT_MS 30000

/* Values of "type" in an event line. */
#define CCTV_EVENT_STATE "state"
#define CCTV_EVENT_OBJECTS "objects"
#define CCTV_EVENT_TRACK_END "track_end"
#define CCTV_EVENT_MOTION "motion"
#define CCTV_EVENT_RECORDING "recording"
#define CCTV_EVENT_SNAPSHOT "snapshot"
#define CCTV_EVENT_STATS "stats"
#define CCTV_EVENT_LOG "log"

/*
 * Filled by the engine's fatal-signal handler, read by the worker once the
 * engine is dead.  camera_id is 0 when the faulting thread served no camera.
 */
#define CCTV_CRASH_MAGIC 0x43435456

typedef struct CctvCrashNote
{
	uint32_t magic;
	int32_t signal;
	int32_t camera_id;
	uint32_t reserved;
} CctvCrashNote;

#endif /* CCTV_PROTOCOL_H */
