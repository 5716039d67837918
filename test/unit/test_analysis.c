/*
 * One camera's perception, from frames to event lines, on a still picture of a
 * street (a frame of vtest.avi of OpenCV): PG_CCTV_MEDIA names the video, else
 * build/media/vtest.mp4 is read; without it, or without the weights, these tests
 * are skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analysis.h"
#include "clock.h"
#include "real_media.h"

#define STEP_US (CLOCK_SECOND / 5)

static atomic_bool never;

/* A camera that plays a file as fast as possible, so that every frame counts. */
typedef struct Scene
{
	Counters counters;
	EventQueue *queue;
	EventStream *events;
	Pool *pool;
	LiveBoard *board;
	Live *live;
	DesiredState *state;
	CameraPlan *plan;
	Analysis *analysis;
	int64_t at_us;
} Scene;

static void
scene_begin(Scene *scene, const char *models, const char *camera)
{
	Model *registered[CAMERA_MAX_MODELS];
	char text[4096];
	char reason[256];

	*scene = (Scene){.at_us = CLOCK_SECOND};
	snprintf(text, sizeof(text),
			 "{\"settings\":{\"models_dir\":\"models\"},\"models\":[%s],\"cameras\":["
			 "{\"camera_id\":1,\"url\":\"file:///still.mp4\",\"realtime\":false,%s}]}",
			 models, camera);
	scene->state = desired_state_parse(text, strlen(text), reason, sizeof(reason));
	assert_non_null(scene->state);
	assert_int_equal(scene->state->ncameras, 1);
	assert_null(scene->state->cameras[0]->problem);
	for (int i = 0; i < scene->state->nmodels; i++)
		registered[i] = model_create(scene->state->models[i]);
	scene->plan = camera_plan_create(scene->state->cameras[0], registered, scene->state->nmodels);
	for (int i = 0; i < scene->state->nmodels; i++)
		model_unref(registered[i]);
	assert_string_equal(scene->plan->problem, "");
	assert_true(camera_plan_unpaced(scene->plan));
	scene->queue = event_queue_create(10000, 1 << 24);
	scene->events = event_stream_create(scene->queue, 1, true, &never);
	scene->pool = pool_create(1);
	scene->board = live_board_create();
	scene->live = live_join(scene->board, 1);
	scene->analysis = analysis_create(1, scene->plan, scene->events, scene->pool, NULL, scene->live,
									  &scene->counters);
	assert_non_null(scene->analysis);
}

static void
scene_end(Scene *scene)
{
	analysis_cut(scene->analysis, scene->at_us, false);
	analysis_free(scene->analysis);
	live_leave(scene->live);
	live_board_free(scene->board);
	pool_free(scene->pool);
	event_stream_free(scene->events);
	event_queue_close(scene->queue);
	event_queue_free(scene->queue);
	camera_plan_unref(scene->plan);
	desired_state_free(scene->state);
}

static void
show(Scene *scene, const AVFrame *frame, int times)
{
	for (int i = 0; i < times; i++)
	{
		analysis_frame(scene->analysis, frame, scene->at_us, scene->at_us);
		scene->at_us += STEP_US;
	}
}

/* The objects reported so far, in one array; the caller decrefs it. */
static json_t *
reported(Scene *scene)
{
	json_t *all = json_array();
	char *line;

	while ((line = event_queue_pop(scene->queue, 0)) != NULL)
	{
		json_t *event = json_loads(line, 0, NULL);

		assert_non_null(event);
		if (strcmp(json_string_value(json_object_get(event, "type")), "objects") == 0)
			json_array_extend(all, json_object_get(event, "objects"));
		json_decref(event);
		free(line);
	}
	return all;
}

/* How many tracks of this label are among the reported objects. */
static int
tracks_of(const json_t *objects, const char *label)
{
	const json_t *object;
	size_t i;
	int n = 0;

	json_array_foreach(objects, i, object)
	{
		if (strcmp(json_string_value(json_object_get(object, "label")), label) == 0)
			n += json_object_get(object, "since") != NULL;
	}
	return n;
}

#define OBJECTS                                                                                    \
	"{\"name\":\"objects\",\"kind\":\"efficientdet\",\"file\":\"efficientdet-lite1.onnx\","        \
	"\"input_width\":384,\"input_height\":384,\"labels\":[\"person\",\"bicycle\",\"car\","         \
	"\"motorcycle\",\"bus\",\"truck\",\"bird\",\"cat\",\"dog\"]}"

/* Nothing in a still picture ever moves; its people are found all the same, once. */
static void
who_stands_there_at_the_start_is_found(void **state)
{
	AVFrame *frame;
	json_t *objects;
	Scene scene;
	unsigned long long searched;

	need_file(media_path_of_video());
	need_file("models/efficientdet-lite1.onnx");
	frame = video_frame(media_path_of_video(), 10);
	scene_begin(&scene, OBJECTS, "\"models\":[\"objects\"]");
	show(&scene, frame, 11);
	objects = reported(&scene);
	assert_in_range(tracks_of(objects, "person"), 2, 12);
	json_decref(objects);

	/* Then there is little to do: a look every ten seconds. */
	searched = scene.counters.inferences;
	show(&scene, frame, 40);
	searched = scene.counters.inferences;
	show(&scene, frame, 100);
	assert_in_range(scene.counters.inferences - searched, 1, 8);
	objects = reported(&scene);
	assert_int_equal(tracks_of(objects, "person"), 0);
	json_decref(objects);
	scene_end(&scene);
	av_frame_free(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_stands_there_at_the_start_is_found),
	};

	return cmocka_run_group_tests(tests, use_fetched_runtime, NULL);
}
