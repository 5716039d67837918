/*
 * analysis.h
 *		One camera's perception: motion, then objects where it is worth a look,
 *		then tracks, then events.
 *
 * Called by the camera's thread.  Inference runs on a detector thread, which
 * goes on to track and report, so that nothing waits for the next packet; of a
 * file that is played as fast as possible the camera's thread waits and reports
 * itself, so that nothing is dropped and the order is always the same.  All
 * times are stream time: microseconds since the Unix epoch, never going back.
 */
#ifndef CCTV_ANALYSIS_H
#define CCTV_ANALYSIS_H

#include "camera_plan.h"
#include "counters.h"
#include "event.h"
#include "live.h"
#include "pool.h"
#include "snapshot_queue.h"

#define ANALYSIS_NOTICE 384

typedef struct Analysis Analysis;

/*
 * What it works with outlives it; snapshots may be NULL.  NULL when out of
 * memory.
 */
extern Analysis *analysis_create(int camera_id, CameraPlan *plan, EventStream *events, Pool *pool,
								 SnapshotQueue *snapshots, Live *live, Counters *counters);

/* analysis_cut must have been called. */
extern void analysis_free(Analysis *analysis);

/* Follow a new plan from the next frame on; at_us is the last frame's time. */
extern void analysis_configure(Analysis *analysis, CameraPlan *plan, int64_t at_us);

/* Look at a sampled frame; the caller keeps its reference. */
extern void analysis_frame(Analysis *analysis, const AVFrame *frame, int64_t at_us,
						   int64_t decoded_us);

/*
 * The scene is cut here (stream lost, file begun again, detection switched off):
 * end all tracks, forget the background, and have everything reported that is
 * still under way.  Tracks of the next scene count from 1 if renumber.
 */
extern void analysis_cut(Analysis *analysis, int64_t at_us, bool renumber);

/* Did anything move in the last frame looked at? */
extern bool analysis_moving(const Analysis *analysis);

/*
 * Is anything going on: motion, a background that is being learnt, an object
 * under way?  As of the last frame looked at, or, where inference takes longer,
 * of one before it.
 */
extern bool analysis_active(const Analysis *analysis);

/* Wait for the search that is under way, until deadline_us of the monotonic clock. */
extern void analysis_wait(Analysis *analysis, int64_t deadline_us);

/*
 * What a person should know about why there are no objects, "" if nothing.
 * Returns whether it has changed since the last call.
 */
extern bool analysis_notice(Analysis *analysis, char notice[ANALYSIS_NOTICE]);

#endif /* CCTV_ANALYSIS_H */
