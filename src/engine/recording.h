/*
 * recording.h
 *		What of one camera is recorded, and when: the packets of its stream, kept
 *		in a ring, and the policy that has a recorder write them.
 *
 * Three threads meet here, each with calls of its own: the camera's decides, the
 * one that reads the stream (the camera's too, unless a stream of its own is
 * recorded) brings packets, and the writer's writes.  None waits for the disk
 * but the writer and, at its end, the camera.
 */
#ifndef CCTV_RECORDING_H
#define CCTV_RECORDING_H

#include <stdatomic.h>

#include "desired_state.h"
#include "event.h"
#include "source.h"
#include "timeline.h"

typedef struct Recording Recording;

/* ---- the camera's thread ---- */

/*
 * segment_us is read again for every look at the packets.  What it points at,
 * and events, outlive the recording.  NULL when out of memory.
 */
extern Recording *recording_create(int camera_id, const char *media_dir,
								   const atomic_llong *segment_us, EventStream *events);
extern int recording_camera(const Recording *recording);

/* Follow these settings from now_us (stream time) on. */
extern void recording_configure(Recording *recording, const RecordSettings *settings,
								int64_t now_us);

/* Something moves, or no longer does, at this stream time. */
extern void recording_motion(Recording *recording, bool moving, int64_t at_us);

/* The clock was set back to now_us: what is wanted is wanted from there on. */
extern void recording_follow_clock(Recording *recording, int64_t now_us);

/* Is anything to be recorded, now or when something happens? */
extern bool recording_wanted(const Recording *recording);

/*
 * The end: write what there is, and complete the file.  Nobody may bring
 * packets or run it any more.
 */
extern void recording_free(Recording *recording);

/* ---- whoever reads the stream ---- */

/*
 * A connection has been made.  frames is the time line of the stream's frames so
 * far, or NULL for a live stream.  Returns 0 or an AVERROR.
 */
extern int recording_connect(Recording *recording, const Source *source, const Timeline *frames);

/* A packet of it has been read; it stays the caller's. */
extern void recording_packet(Recording *recording, const Source *source, AVPacket *packet);

/* May packets still be needed, if only to end a file well? */
extern bool recording_listens(const Recording *recording);

/*
 * Somebody else reads the ring, too, or no longer does: then packets are kept
 * even if nothing is to be recorded.
 */
extern PacketRing *recording_ring(Recording *recording);
extern void recording_share_ring(Recording *recording, bool shared);

/* The stream to be recorded cannot be had: tell people, once for each reason. */
extern void recording_complain(Recording *recording, const char *reason);

/* ---- the writer's thread ---- */

/* Write what has come. */
extern void recording_run(Recording *recording);

#endif /* CCTV_RECORDING_H */
