/*
 * recorder.h
 *		Records one camera: copies packets from its ring into segments, for as
 *		long as somebody wants it.
 *
 * A recorder reads the ring at its own pace, so a slow or full disk never holds
 * up the thread that fills it.  recorder_want() and recorder_configure() may be
 * called by any thread, everything else by one thread at a time.
 */
#ifndef CCTV_RECORDER_H
#define CCTV_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "media_file.h"
#include "media_path.h"
#include "packet_ring.h"

/* Why something is recorded; a segment carries the last of those that hold. */
typedef enum RecordReason
{
	RECORD_CONTINUOUS,
	RECORD_SCHEDULED,
	RECORD_MOTION,
	RECORD_MANUAL,
	RECORD_ALERT,
	RECORD_REASONS
} RecordReason;

extern const char *record_reason_name(RecordReason reason);

/* For recorder_want(): until told otherwise. */
#define RECORD_FOREVER INT64_MAX

typedef enum RecordingAction
{
	RECORDING_OPENED, /* said once the file holds something that plays */
	RECORDING_CLOSED,
	RECORDING_FAILED, /* said once; it is tried again until it works */
	RECORDING_FOUND	  /* not by a recorder: see salvage.h; as RECORDING_CLOSED */
} RecordingAction;

typedef struct RecordingEvent
{
	RecordingAction action;

	/* RECORDING_OPENED and RECORDING_CLOSED */
	char path[MEDIA_PATH]; /* below the media directory */
	int64_t started_us;	   /* when the file's time 0 was, since the Unix epoch */
	RecordReason reason;
	char codec[32];
	int width;
	int height;
	bool has_audio;

	/* RECORDING_CLOSED */
	int64_t ended_us;
	int64_t frames;
	int64_t bytes;
	char sha256[MEDIA_SHA256];

	/* RECORDING_FAILED; for people */
	char message[128];
} RecordingEvent;

typedef void (*RecordingCallback)(void *arg, const RecordingEvent *event);

typedef struct RecorderSettings
{
	int camera_id;
	const char *media_dir; /* copied */
	int64_t segment_us;	   /* cut at the first keyframe after this long */
	int64_t pre_roll_us;   /* record from this long before it is wanted */
	int64_t retry_us;	   /* after a failure; 0: five seconds */
} RecorderSettings;

typedef struct Recorder Recorder;

/* The ring must outlive the recorder.  Returns NULL when out of memory. */
extern Recorder *recorder_create(const RecorderSettings *settings, PacketRing *ring,
								 RecordingCallback callback, void *arg);

/* Closes the segment being written, if any. */
extern void recorder_free(Recorder *recorder);

/* The media directory of a recorder is for life; the rest may change. */
extern void recorder_configure(Recorder *recorder, const RecorderSettings *settings);

/*
 * Have [from, until) recorded, in the packets' times, and the pre-roll before
 * it.  What overlaps an earlier wish for the same reason extends it, and `until`
 * replaces the earlier one: a time in the past ends it.  Recording ends at the
 * next keyframe, so that the one after it can begin where it ended.
 */
extern void recorder_want(Recorder *recorder, RecordReason reason, int64_t from_us,
						  int64_t until_us);

/*
 * Write what has come into the ring.  To be called a few times a second, and
 * before the recorder is freed if nothing may be lost.  Never waits for packets.
 */
extern void recorder_run(Recorder *recorder);

#endif /* CCTV_RECORDER_H */
