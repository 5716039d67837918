/*
 * fleet.h
 *		The engine's cameras: what runs is made to follow what should.
 *
 * Belongs to the control thread.  Nothing here waits for a camera.
 */
#ifndef CCTV_FLEET_H
#define CCTV_FLEET_H

#include "camera.h"

typedef struct Fleet Fleet;

/* NULL when out of memory. */
extern Fleet *fleet_create(CameraWorld *world);

/* Every camera must be gone: see fleet_stop and fleet_size. */
extern void fleet_free(Fleet *fleet);

/* Make the difference between what runs and what the document says. */
extern void fleet_follow(Fleet *fleet, const DesiredState *state);

/* Ask all cameras to stop, for good. */
extern void fleet_stop(Fleet *fleet);

/*
 * Clear away cameras that have ended and start those that waited for it.  To be
 * called when a camera says that it has ended, and after fleet_follow.
 */
extern void fleet_tend(Fleet *fleet);

/* Have every camera tell its stats. */
extern void fleet_report_stats(Fleet *fleet);

/* Cameras there are, that ended by themselves, that are in error or reconnecting. */
extern int fleet_size(const Fleet *fleet);
extern int fleet_ended(const Fleet *fleet);
extern int fleet_failures(const Fleet *fleet);

/* A camera whose thread will not come back, or 0: see camera_hangs. */
extern int fleet_hung(Fleet *fleet);

/* What runs the models, "" while none is loaded. */
extern void fleet_runtime(const Fleet *fleet, char runtime[MODEL_RUNTIME_TEXT]);

#endif /* CCTV_FLEET_H */
