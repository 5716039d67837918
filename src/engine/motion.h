/*
 * motion.h
 *		Is something moving, and where: a background model on the luma plane,
 *		scaled down.  Time is the stream's, in microseconds, never the clock's.
 */
#ifndef CCTV_MOTION_H
#define CCTV_MOTION_H

#include <stdbool.h>
#include <stdint.h>
#include <libavutil/frame.h>

#include "geometry.h"
#include "luma_grid.h"
#include "polygon.h"

#define MOTION_MAX_CLUSTERS 16

typedef struct MotionSettings
{
	int threshold;	/* luma levels, 1..255, at ordinary noise */
	float min_area; /* of a cluster, fraction of the frame */
} MotionSettings;

typedef struct MotionResult
{
	bool active;	  /* a cluster of at least min_area, held over short gaps */
	bool calibrating; /* the background is being learnt; active is false */
	float area;		  /* moving fraction of the frame */
	int nclusters;	  /* largest first; if there are more, the last covers the rest */
	Box clusters[MOTION_MAX_CLUSTERS];
} MotionResult;

typedef struct Motion Motion;

/* Returns NULL when out of memory. */
extern Motion *motion_create(const MotionSettings *settings);
extern void motion_free(Motion *motion);
extern void motion_configure(Motion *motion, const MotionSettings *settings);

/*
 * Nothing moves in these parts, however it changes: in the cells of the grid
 * whose centres lie in one.  The list outlives the motion or the next call.
 */
extern void motion_set_masks(Motion *motion, const PolygonList *masks);

/* What the last frame looks like; valid until the next, NULL before the first. */
extern const LumaGrid *motion_grid(const Motion *motion);

/*
 * Forget the background: after a reconnect or a seek.  A change of the
 * frame's size, a gap of half a minute and time that runs backwards do it by
 * themselves; a cut or a change of lighting starts a calibration too.
 */
extern void motion_reset(Motion *motion);

/*
 * Look at one frame (luma of 8 bits, or the upper 8 of more; of RGB the green
 * component).  Returns 0, or -1 when out of memory or the format has neither.
 *
 * What stands still when a calibration ends becomes background: search the
 * whole frame once then.
 */
extern int motion_update(Motion *motion, const AVFrame *frame, int64_t at_us, MotionResult *result);

#endif /* CCTV_MOTION_H */
