/*
 * camera_plan.h
 *		What one camera should do: its configuration with its models at hand.
 *
 * A plan never changes; a changed camera gets a new one.
 */
#ifndef CCTV_CAMERA_PLAN_H
#define CCTV_CAMERA_PLAN_H

#include "desired_state.h"
#include "model.h"

typedef struct CameraPlan
{
	atomic_int references;
	CameraConfig *config;
	int nmodels;
	Model *models[CAMERA_MAX_MODELS];
	char problem[128]; /* a model that is not registered; "": none */
} CameraPlan;

/*
 * Look up the configuration's models among those given.  The plan holds
 * references of its own.  NULL when out of memory.
 */
extern CameraPlan *camera_plan_create(CameraConfig *config, Model *const *models, int nmodels);
extern CameraPlan *camera_plan_ref(CameraPlan *plan);
extern void camera_plan_unref(CameraPlan *plan);

extern bool camera_plan_same_models(const CameraPlan *a, const CameraPlan *b);
extern bool camera_plan_equal(const CameraPlan *a, const CameraPlan *b);

/* Does the camera ask for objects of this label? */
extern bool camera_plan_wants(const CameraPlan *plan, const char *label);

/*
 * What runs its models, of those that have been loaded: "objects: onnxruntime 1.24.3
 * int8, faces: onnxruntime 1.24.3"; cut off at size.
 */
extern void camera_plan_runtime(const CameraPlan *plan, char *runtime, size_t size);

/* A file that is played as fast as possible: it waits for every result. */
extern bool camera_plan_unpaced(const CameraPlan *plan);

#endif /* CCTV_CAMERA_PLAN_H */
