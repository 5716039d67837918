/*
 * event.h
 *		Event lines: what docs/protocol.md says the engine tells the worker.
 *
 * An EventStream speaks for one camera, whichever thread calls.  at_us counts
 * from the Unix epoch.
 */
#ifndef CCTV_EVENT_H
#define CCTV_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"
#include "event_queue.h"
#include "geometry.h"
#include "log.h"

typedef enum CameraState
{
	CAMERA_STARTING,
	CAMERA_RUNNING,
	CAMERA_RECONNECTING,
	CAMERA_ERROR,
	CAMERA_FINISHED,
	CAMERA_STOPPED
} CameraState;

/* One object in an `objects` line; strings are the caller's. */
typedef struct EventObject
{
	int track;
	const char *label;
	const char *model;
	float confidence;
	Box box;
	bool stationary;
	const Attributes *attributes; /* NULL: none */
	bool first;					  /* the track's first report: since_us, snapshot */
	int64_t since_us;
	const char *snapshot; /* NULL: none */
} EventObject;

/* How the publishing of a camera does. */
typedef enum PublishState
{
	PUBLISH_OFF, /* it is not published */
	PUBLISH_WAITING,
	PUBLISH_CONNECTING,
	PUBLISH_RUNNING,
	PUBLISH_FAILED
} PublishState;

typedef struct EventPublish
{
	PublishState state;
	char message[256]; /* why it waits or has failed */
	double fps;		   /* frames sent a second */
	uint64_t dropped;  /* frames that the server was too slow for */
	int reconnects;
} EventPublish;

/* What a camera's `stats` line says. */
#define EVENT_RUNTIME 512

typedef struct EventStats
{
	int64_t last_frame_us; /* 0: no frame yet */
	double fps_in;
	double fps_decoded;
	double fps_analysed;
	double inference_ms; /* negative: none in the period */
	uint64_t packets;
	uint64_t frames;
	uint64_t analysed;
	uint64_t skipped;
	uint64_t inferences;
	int reconnects;
	int width;
	int height;
	char codec[32];
	bool watching;			 /* only keyframes are decoded now */
	char decoding_note[128]; /* why they are not although they should be */
	int64_t key_interval_us; /* 0: not known */
	uint64_t watching_us;	 /* of stream time, keyframes only */
	uint64_t decoding_us;	 /* of stream time, every frame */
	uint64_t wakes;
	char runtime[EVENT_RUNTIME]; /* what runs the camera's models, "" if none has run */
	EventPublish publish;
} EventStats;

typedef struct EventStream EventStream;

/*
 * keep: lines are never dropped, their sender waits for room (a file that is
 * played as fast as possible).  *cancel ends such a wait.  Returns NULL when
 * out of memory.
 */
extern EventStream *event_stream_create(EventQueue *queue, int camera_id, bool keep,
										const atomic_bool *cancel);
extern void event_stream_free(EventStream *stream);

/* Begin a new session: a random name, seq from 1, counts from zero. */
extern void event_stream_begin(EventStream *stream);

extern void event_state(EventStream *stream, int64_t at_us, CameraState state, const char *message);
extern void event_objects(EventStream *stream, int64_t at_us, int64_t decoded_us,
						  double inference_ms, const EventObject *objects, int nobjects);
extern void event_track_end(EventStream *stream, int64_t at_us, int track, int64_t last_seen_us);
extern void event_motion(EventStream *stream, int64_t at_us, bool active, float area);

/* A picture has been written, see snapshot.h. */
struct Snapshot;
struct SnapshotFile;
extern void event_snapshot(EventStream *stream, const struct Snapshot *snapshot,
						   const struct SnapshotFile *file);

/* What a recorder says of its files, see recorder.h. */
struct RecordingEvent;
extern void event_recording(EventStream *stream, int64_t at_us, const struct RecordingEvent *event);
extern void event_stats(EventStream *stream, int64_t at_us, const EventStats *stats);

/* Lines about no camera's stream. */
extern void event_heartbeat(EventQueue *queue, const char *runtime, int waiting);
extern void event_log(EventQueue *queue, LogLevel level, int camera_id, const char *message);

#endif /* CCTV_EVENT_H */
