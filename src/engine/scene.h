/*
 * scene.h
 *		What is wrong with a camera's view, told as objects of the model "scene".
 *
 * An episode is a track: it begins when the view is blocked, moved or out of
 * focus, and ends when it is well again.  The camera's thread only.
 */
#ifndef CCTV_SCENE_H
#define CCTV_SCENE_H

#include <stdint.h>

#include "event.h"
#include "geometry.h"
#include "luma_grid.h"

typedef struct Scene Scene;

/* events outlive it.  Returns NULL when out of memory. */
extern Scene *scene_create(EventStream *events);
extern void scene_free(Scene *scene);

/* The box of its objects: all of the frame. */
extern const Box scene_box;

/*
 * Judge a frame, decoded at decoded_us, and tell what has changed; an episode
 * that goes on is told again every pause_us.
 */
extern void scene_update(Scene *scene, const LumaGrid *grid, int64_t at_us, int64_t decoded_us,
						 int64_t pause_us);

/* The stream is interrupted, or nobody looks any more: end the episode. */
extern void scene_cut(Scene *scene, int64_t at_us);

#endif /* CCTV_SCENE_H */
