/*
 * live.h
 *		The newest picture of each camera, for who wants to look at it now.
 *
 * A camera keeps its newest frame only while somebody looks: from a request on,
 * for some seconds.  Otherwise a frame costs it one comparison.
 */
#ifndef CCTV_LIVE_H
#define CCTV_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "event.h"
#include "geometry.h"
#include "snapshot.h"

#define LIVE_MAX_OBJECTS 64
#define LIVE_CAPTION 96

/* An object as it is drawn. */
typedef struct LiveObject
{
	Box box;
	Box speed; /* of the box's coordinates, per second */
	char caption[LIVE_CAPTION];
} LiveObject;

/* A frame and what is known to be in it. */
typedef struct LivePicture
{
	AVFrame *frame; /* the holder frees it */
	int64_t at_us;
	uint64_t number; /* of the frame, counted while somebody looks */
	char camera[CAPTION_NAME];
	int nobjects;
	LiveObject objects[LIVE_MAX_OBJECTS];
} LivePicture;

typedef struct Live Live;			/* of one camera */
typedef struct LiveBoard LiveBoard; /* of all cameras of the engine */

extern LiveBoard *live_board_create(void); /* NULL: out of memory */
extern void live_board_free(LiveBoard *board);

/* ---- the camera's side ---- */

/* Each returns a reference, or is the end of one.  NULL: out of memory. */
extern Live *live_join(LiveBoard *board, int camera_id);
extern void live_leave(Live *live);
extern void live_unref(Live *live);

/* What its pictures call the camera. */
extern void live_set_name(Live *live, const char *name);

/* Files that are made of its pictures are told here, until live_leave. */
extern void live_set_events(Live *live, EventStream *events);

/* Does anybody look?  Pictures need not be decoded for this while nobody does. */
extern bool live_is_watched(const Live *live);

/* A frame has been decoded; the caller keeps its own reference. */
extern void live_show_frame(Live *live, const AVFrame *frame, int64_t at_us);

/*
 * These objects were found in the frame of this time, or (still) stand in
 * whatever frame is newest.
 */
extern void live_show_objects(Live *live, const LiveObject *objects, int nobjects, bool still,
							  int64_t at_us);

/* The stream is gone, and its picture with it; it is back with the next frame. */
extern void live_clear(Live *live);

/* ---- the request's side ---- */

/* A reference, or NULL when the camera does not run here. */
extern Live *live_find(LiveBoard *board, int camera_id);

typedef enum LiveResult
{
	LIVE_OK,
	LIVE_NOTHING,	/* no picture by the deadline */
	LIVE_CANCELLED, /* *cancelled was set */
	LIVE_NO_MEMORY
} LiveResult;

/* Tell of a file, unless the camera has gone. */
extern void live_tell_snapshot(Live *live, const Snapshot *snapshot, const SnapshotFile *file);

/*
 * The newest picture, which is awaited if there is none of the last seconds,
 * though not for long if there is no stream.  The boxes of its objects are where
 * the last search and their speed put them at its time.  On LIVE_OK the caller
 * frees picture->frame.
 */
extern LiveResult live_look(Live *live, int64_t deadline_us, const atomic_bool *cancelled,
							LivePicture *picture);

/*
 * The newest picture, awaited if it is not newer than the one numbered `after`:
 * for who wants each of them.  Nobody waits for who is slow: the numbers tell what
 * was missed.
 */
extern LiveResult live_next(Live *live, uint64_t after, int64_t deadline_us,
							const atomic_bool *cancelled, LivePicture *picture);

/* The number of the newest picture. */
extern uint64_t live_newest(Live *live);

#endif /* CCTV_LIVE_H */
