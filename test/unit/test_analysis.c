/*
 * One camera's perception, from frames to event lines, on still pictures: of a
 * street (a frame of vtest.avi of OpenCV), of a footballer, of heat.  Without a
 * picture, or without the weights, a test is skipped.
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
#include "tiny_model.h"

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
			 "{\"settings\":{\"models_dir\":\".\"},\"models\":[%s],\"cameras\":["
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

/* How many tracks have ended since the last look at lines. */
static int
ended(Scene *scene)
{
	char *line;
	int n = 0;

	while ((line = event_queue_pop(scene->queue, 0)) != NULL)
	{
		n += strstr(line, "\"track_end\"") != NULL;
		free(line);
	}
	return n;
}

/* How many tracks of this label (NULL: of any) are among the reported objects. */
static int
tracks_of(const json_t *objects, const char *label)
{
	const json_t *object;
	size_t i;
	int n = 0;

	json_array_foreach(objects, i, object)
	{
		if (label == NULL ||
			strcmp(json_string_value(json_object_get(object, "label")), label) == 0)
			n += json_object_get(object, "since") != NULL;
	}
	return n;
}

#define OBJECTS                                                                                    \
	"{\"name\":\"objects\",\"kind\":\"efficientdet\",\"file\":\"models/efficientdet-lite1.onnx\"," \
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

/* How many of the reported objects have their bottom centre left of x. */
static int
count_left_of(const json_t *objects, double x)
{
	const json_t *object;
	size_t i;
	int n = 0;

	json_array_foreach(objects, i, object)
	{
		const json_t *box = json_object_get(object, "box");

		n += json_number_value(json_array_get(box, 0)) +
				 json_number_value(json_array_get(box, 2)) / 2 <
			 x;
	}
	return n;
}

static void
nobody_is_seen_in_a_mask(void **state)
{
	AVFrame *frame;
	json_t *objects;
	Scene scene;
	size_t all;
	int left;

	need_file(media_path_of_video());
	need_file("models/efficientdet-lite1.onnx");
	frame = video_frame(media_path_of_video(), 10);
	scene_begin(&scene, OBJECTS, "\"models\":[\"objects\"]");
	show(&scene, frame, 11);
	objects = reported(&scene);
	all = json_array_size(objects);
	left = count_left_of(objects, 0.5);
	assert_in_range(left, 1, all - 1);
	json_decref(objects);
	scene_end(&scene);

	scene_begin(&scene, OBJECTS,
				"\"models\":[\"objects\"],\"masks\":[[[0,0],[0.5,0],[0.5,1],[0,1]]]");
	show(&scene, frame, 11);
	objects = reported(&scene);
	assert_int_equal(count_left_of(objects, 0.499), 0);
	assert_in_range(json_array_size(objects), 1, all - left);
	json_decref(objects);
	scene_end(&scene);
	av_frame_free(&frame);
}

/* How many reports of its tracks there are in twenty seconds of a still picture. */
static size_t
reports_of_the_still(const AVFrame *frame, const char *camera, int *tracks)
{
	json_t *objects;
	Scene scene;
	size_t n;

	scene_begin(&scene, OBJECTS, camera);
	show(&scene, frame, 50);
	objects = reported(&scene);
	*tracks = tracks_of(objects, NULL);
	json_decref(objects);
	show(&scene, frame, 100);
	objects = reported(&scene);
	n = json_array_size(objects);
	json_decref(objects);
	scene_end(&scene);
	return n;
}

static void
who_stands_in_a_watched_zone_is_told_every_second(void **state)
{
	AVFrame *frame;
	int tracks;
	size_t seldom;
	size_t often;
	size_t elsewhere;

	need_file(media_path_of_video());
	need_file("models/efficientdet-lite1.onnx");
	frame = video_frame(media_path_of_video(), 10);
	seldom = reports_of_the_still(frame, "\"models\":[\"objects\"]", &tracks);
	assert_in_range(seldom, tracks, 3 * tracks);
	often = reports_of_the_still(
		frame, "\"models\":[\"objects\"],\"watched\":[[[0,0],[1,0],[1,1],[0,1]]]", &tracks);
	assert_in_range(often, 20 * (tracks - 1), 26 * tracks);
	elsewhere = reports_of_the_still(
		frame, "\"models\":[\"objects\"],\"watched\":[[[0,0],[0.1,0],[0,0.1]]]", &tracks);
	assert_in_range(elsewhere, tracks, 3 * tracks);
	av_frame_free(&frame);
}

/* The lens is covered for a while: one track, that begins and ends. */
static void
a_blocked_view_is_told(void **state)
{
	AVFrame *frame;
	AVFrame *black;
	json_t *objects;
	json_t *box;
	Scene scene;

	need_file(media_path_of_video());
	frame = video_frame(media_path_of_video(), 10);
	black = av_frame_alloc();
	black->format = frame->format;
	black->width = frame->width;
	black->height = frame->height;
	assert_int_equal(av_frame_get_buffer(black, 0), 0);
	for (int i = 0; i < 3; i++)
		memset(black->data[i], i == 0 ? 16 : 128,
			   (size_t) black->linesize[i] * (i == 0 ? black->height : black->height / 2));
	scene_begin(&scene, "", "\"models\":[]");
	show(&scene, frame, 60);
	show(&scene, black, 24);
	objects = reported(&scene);
	assert_int_equal(json_array_size(objects), 0);
	json_decref(objects);
	show(&scene, black, 120);
	objects = reported(&scene);
	assert_int_equal(tracks_of(objects, "blocked"), 1);
	assert_in_range(json_array_size(objects), 2, 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(objects, 0), "model")),
						"scene");
	box = json_object_get(json_array_get(objects, 0), "box");
	for (int i = 0; i < 4; i++)
		assert_true(json_number_value(json_array_get(box, i)) == i / 2);
	json_decref(objects);
	show(&scene, frame, 9);
	assert_int_equal(ended(&scene), 0);
	show(&scene, frame, 6);
	assert_int_equal(ended(&scene), 1);
	scene_end(&scene);
	av_frame_free(&black);
	av_frame_free(&frame);
}

#define FACES(options)                                                                             \
	"{\"name\":\"faces\",\"kind\":\"ultraface\",\"file\":\"models/"                                \
	"ultraface.onnx\",\"input_width\":320,"                                                        \
	"\"input_height\":240,\"labels\":[\"face\"],\"min_confidence\":0.7,\"nms_iou\":0.3,"           \
	"\"options\":" options "}"

/* How many tracks of faces there are when a camera runs these models on a frame. */
static int
faces_found(const AVFrame *frame, const char *models, const char *camera)
{
	json_t *objects;
	Scene scene;
	int faces;

	scene_begin(&scene, models, camera);
	show(&scene, frame, 6);
	objects = reported(&scene);
	faces = tracks_of(objects, "face");
	json_decref(objects);
	scene_end(&scene);
	return faces;
}

/*
 * A footballer some fifty metres away: his face is 14 pixels of 1280 wide, and
 * three of the model's input; but the person is found, and enlarged.
 */
static void
small_faces_are_found_on_persons(void **state)
{
	const char picture[] = "build/media/messi5.jpg";
	AVFrame *frame;

	need_file(picture);
	need_file("models/ultraface.onnx");
	need_file("models/efficientdet-lite1.onnx");
	frame = picture_in_frame(picture, 1280, 720, 600, 300, 248, 154);
	assert_int_equal(
		faces_found(frame, OBJECTS "," FACES("{}"), "\"models\":[\"objects\",\"faces\"]"), 1);
	/* Persons need not be asked for, nor come first. */
	assert_int_equal(faces_found(frame, OBJECTS "," FACES("{}"),
								 "\"models\":[\"faces\",\"objects\"],\"labels\":[\"face\"]"),
					 1);
	/* Without persons, or when told not to, the frame alone is searched. */
	assert_int_equal(faces_found(frame, OBJECTS "," FACES("{\"within\":\"\"}"),
								 "\"models\":[\"objects\",\"faces\"]"),
					 0);
	assert_int_equal(faces_found(frame, FACES("{}"), "\"models\":[\"faces\"]"), 0);
	av_frame_free(&frame);
}

/* Pedestrians of twenty pixels' width: enlarged, a coat looked like a face to the model. */
static void
a_trunk_is_no_face(void **state)
{
	AVFrame *frame;

	need_file(media_path_of_video());
	need_file("models/ultraface.onnx");
	need_file("models/efficientdet-lite1.onnx");
	/* One of the others has what may just pass for a face, or not. */
	frame = video_frame(media_path_of_video(), 33);
	assert_in_range(
		faces_found(frame, OBJECTS "," FACES("{}"), "\"models\":[\"objects\",\"faces\"]"), 0, 1);
	av_frame_free(&frame);
}

#define COLOURS "build/tiny-colours.onnx"

/* The first object of this model; the caller decrefs it. */
static json_t *
first_of(const AVFrame *frame, const char *models, const char *camera, const char *model)
{
	json_t *objects;
	json_t *object;
	json_t *first = NULL;
	Scene scene;
	size_t i;

	scene_begin(&scene, models, camera);
	show(&scene, frame, 6);
	objects = reported(&scene);
	json_array_foreach(objects, i, object)
	{
		if (first == NULL &&
			strcmp(json_string_value(json_object_get(object, "model")), model) == 0)
			first = json_incref(object);
	}
	json_decref(objects);
	scene_end(&scene);
	assert_non_null(first);
	return first;
}

static Box
box_of(json_t *object)
{
	json_t *box = json_object_get(object, "box");

	return (Box){
		json_number_value(json_array_get(box, 0)), json_number_value(json_array_get(box, 1)),
		json_number_value(json_array_get(box, 2)), json_number_value(json_array_get(box, 3))};
}

/* What colour the footballer is; or, without a model of persons, all of the frame. */
static void
a_classifier_looks_at_each_person(void **state)
{
	const char picture[] = "build/media/messi5.jpg";
	const char colours[] =
		"{\"name\":\"colours\",\"kind\":\"classifier\",\"file\":\"" COLOURS "\","
		"\"input_width\":32,\"input_height\":32,\"labels\":[\"red\",\"green\",\"blue\"],"
		"\"min_confidence\":0.5,\"options\":{\"within\":\"person\",\"mean\":0,\"scale\":0.5}}";
	char models[2048];
	AVFrame *frame;
	json_t *object;
	Box person;
	Box judged;

	need_file(picture);
	need_file("models/efficientdet-lite1.onnx");
	tiny_model_write(COLOURS, 32);
	frame = picture_in_frame(picture, 1280, 720, 600, 200, 548, 342);
	snprintf(models, sizeof(models), "%s,%s", OBJECTS, colours);

	object = first_of(frame, models, "\"models\":[\"colours\",\"objects\"]", "objects");
	person = box_of(object);
	json_decref(object);
	object = first_of(frame, models, "\"models\":[\"colours\",\"objects\"]", "colours");
	assert_string_equal(json_string_value(json_object_get(object, "label")), "green");
	judged = box_of(object);
	json_decref(object);
	/* All of the person and a little around. */
	assert_true(box_intersection(&judged, &person) > 0.99f * box_area(&person));
	assert_true(judged.w < 0.5f && judged.h < 0.8f);

	object = first_of(frame, colours, "\"models\":[\"colours\"],\"min_confidence\":0.1", "colours");
	judged = box_of(object);
	assert_float_equal(judged.w, 1, 0);
	assert_float_equal(judged.h, 1, 0);
	json_decref(object);
	av_frame_free(&frame);
	remove(COLOURS);
}

/* A grey frame with a hot square; luma 220 of 16..235 is level 237. */
static AVFrame *
thermal_frame(int level)
{
	AVFrame *frame = av_frame_alloc();

	frame->format = AV_PIX_FMT_GRAY8;
	frame->color_range = AVCOL_RANGE_JPEG;
	frame->width = 320;
	frame->height = 240;
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	memset(frame->data[0], 60, (size_t) frame->linesize[0] * 240);
	for (int y = 100; y < 120; y++)
		memset(frame->data[0] + y * frame->linesize[0] + 160, level, 20);
	return frame;
}

/*
 * Something slowly becomes hot, and nothing moves: it is told once it has been
 * hot for three seconds, with its temperature.
 */
static void
heat_without_motion_is_told_with_its_temperature(void **state)
{
	AVFrame *cold = thermal_frame(60);
	json_t *objects;
	json_t *attributes;
	Scene scene;

	scene_begin(
		&scene,
		"{\"name\":\"hotspot\",\"kind\":\"hotspot\",\"input_width\":320,\"input_height\":240,"
		"\"labels\":[\"overheat\"],\"min_confidence\":0.5,\"options\":{"
		"\"temperatures\":[[0,0],[250,500]],\"min_temperature\":160,\"min_duration\":3}}",
		"\"models\":[\"hotspot\"]");
	show(&scene, cold, 20);
	/* Two levels a second. */
	for (int level = 60; level <= 90; level += 2)
	{
		AVFrame *frame = thermal_frame(level);

		show(&scene, frame, 5);
		/* 80 levels are 160 degrees, two seconds before 84. */
		if (level <= 84)
		{
			objects = reported(&scene);
			assert_int_equal(json_array_size(objects), 0);
			json_decref(objects);
		}
		av_frame_free(&frame);
	}
	objects = reported(&scene);
	assert_int_equal(tracks_of(objects, "overheat"), 1);
	attributes = json_object_get(json_array_get(objects, 0), "attributes");
	assert_in_range(json_number_value(json_object_get(attributes, "temperature")), 168, 176);
	json_decref(objects);
	scene_end(&scene);
	av_frame_free(&cold);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_stands_there_at_the_start_is_found),
		cmocka_unit_test(nobody_is_seen_in_a_mask),
		cmocka_unit_test(who_stands_in_a_watched_zone_is_told_every_second),
		cmocka_unit_test(a_blocked_view_is_told),
		cmocka_unit_test(small_faces_are_found_on_persons),
		cmocka_unit_test(a_trunk_is_no_face),
		cmocka_unit_test(a_classifier_looks_at_each_person),
		cmocka_unit_test(heat_without_motion_is_told_with_its_temperature),
	};

	return cmocka_run_group_tests(tests, use_fetched_runtime, NULL);
}
