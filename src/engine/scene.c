/*
 * scene.c
 *		What is wrong with a camera's view, told as objects of the model "scene".
 */
#include "scene.h"

#include <stdlib.h>

#include "tamper.h"

/* Numbers of tracks that no tracker reaches. */
#define FIRST_TRACK (1 << 30)

const Box scene_box = {0, 0, 1, 1};

struct Scene
{
	EventStream *events;
	Tamper *tamper;
	TamperState state; /* as told */
	int track;		   /* of the last episode */
	int64_t since_us;
	int64_t told_us;
	int64_t seen_us; /* when the view was last so */
};

Scene *
scene_create(EventStream *events)
{
	Scene *scene = calloc(1, sizeof(*scene));

	if (scene == NULL)
		return NULL;
	scene->events = events;
	scene->track = FIRST_TRACK - 1;
	scene->tamper = tamper_create();
	if (scene->tamper == NULL)
	{
		free(scene);
		return NULL;
	}
	return scene;
}

void
scene_free(Scene *scene)
{
	if (scene == NULL)
		return;
	tamper_free(scene->tamper);
	free(scene);
}

static void
end_episode(Scene *scene, int64_t at_us)
{
	if (scene->state != TAMPER_NONE)
		event_track_end(scene->events, at_us, scene->track, scene->seen_us);
	scene->state = TAMPER_NONE;
}

static void
tell(Scene *scene, int64_t at_us, int64_t decoded_us, bool first)
{
	EventObject object = {.track = scene->track,
						  .label = tamper_label(scene->state),
						  .model = "scene",
						  .confidence = 1,
						  .box = scene_box,
						  .stationary = true,
						  .first = first,
						  .since_us = scene->since_us};

	event_objects(scene->events, at_us, decoded_us, 0, &object, 1);
	scene->told_us = at_us;
}

void
scene_update(Scene *scene, const LumaGrid *grid, int64_t at_us, int64_t decoded_us,
			 int64_t pause_us)
{
	TamperState state = tamper_update(scene->tamper, grid, at_us);
	bool first = state != scene->state;

	if (first)
		end_episode(scene, at_us);
	scene->state = state;
	if (state == TAMPER_NONE)
		return;
	scene->seen_us = at_us;
	if (first)
	{
		scene->track++;
		scene->since_us = at_us;
	}
	if (first || at_us - scene->told_us >= pause_us)
		tell(scene, at_us, decoded_us, first);
}

void
scene_cut(Scene *scene, int64_t at_us)
{
	end_episode(scene, at_us);
	tamper_cut(scene->tamper);
}
