/*
 * camera.h
 *		A running camera: a thread that opens its stream, decodes it, has it
 *		analysed, and reconnects for ever.
 *
 * Called by the control thread.  docs/architecture.md has the states.
 */
#ifndef CCTV_CAMERA_H
#define CCTV_CAMERA_H

#include "camera_plan.h"
#include "event.h"
#include "live.h"
#include "model_cache.h"
#include "pool.h"
#include "recording_writer.h"
#include "snapshot_queue.h"

/* What all cameras of an engine share. */
typedef struct CameraWorld
{
	EventQueue *queue;
	Pool *pool;
	ModelCache *models;
	LiveBoard *live;
	SnapshotQueue *snapshots;		/* NULL: none */
	RecordingWriter *recordings;	/* NULL: nothing is recorded */
	const StringList *source_paths; /* NULL: any file */
	atomic_llong stall_timeout_us;
	int news_fd; /* eventfd, written to when a camera's thread ends or fails */
} CameraWorld;

typedef struct Camera Camera;

/* Start a camera.  NULL, with a log line, when out of memory or threads. */
extern Camera *camera_start(CameraWorld *world, CameraPlan *plan);
extern const CameraPlan *camera_plan(const Camera *camera);

/* Follow a plan for the same stream. */
extern void camera_configure(Camera *camera, CameraPlan *plan);

/*
 * Ask it to stop; it says `stopped` if announce.  Returns at once: camera_done
 * tells when the thread has ended, be it by itself because the file has.
 */
extern void camera_stop(Camera *camera, bool announce);
extern bool camera_done(const Camera *camera);

/*
 * Has its thread used CAMERA_HANG_US of processor time since its last packet?
 * Then it will not come back: codecs have bugs that loop.  Asked every second.
 */
#ifndef CAMERA_HANG_US
#define CAMERA_HANG_US INT64_C(10000000)
#endif
extern bool camera_hangs(Camera *camera);

/* How the camera ended, or is. */
extern CameraState camera_state(const Camera *camera);

/* Waits for the thread. */
extern void camera_free(Camera *camera);

/* Tell how the camera does; every CAMERA_STATS_US. */
#define CAMERA_STATS_US INT64_C(2000000)
extern void camera_report_stats(Camera *camera);

#endif /* CCTV_CAMERA_H */
