/* What stands out in keyframes, on synthetic ones whose truth is known. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "keyframe_watch.h"

#define WIDTH 1280
#define HEIGHT 720

/* A person 5 % of the frame high. */
#define PERSON_W 14
#define PERSON_H 36

typedef struct Scene
{
	KeyframeWatch *watch;
	AVFrame *frame;
	uint8_t *view; /* the empty scene */
	uint32_t seed;
	float noise; /* half its range, in levels */
	float gain;
	float shadow; /* where the edge of a cloud's shadow is, in frame widths; 0: no cloud */
	bool alarm;
} Scene;

static int
setup(void **state)
{
	Scene *scene = calloc(1, sizeof(*scene));

	scene->watch = keyframe_watch_create();
	scene->frame = av_frame_alloc();
	scene->view = malloc(WIDTH * HEIGHT);
	scene->frame->format = AV_PIX_FMT_YUV420P;
	scene->frame->width = WIDTH;
	scene->frame->height = HEIGHT;
	assert_int_equal(av_frame_get_buffer(scene->frame, 0), 0);
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			scene->view[y * WIDTH + x] = (uint8_t) (120 + 50 * sinf(x / 45.0f) * cosf(y / 37.0f) +
													10 * sinf((x + y) / 9.0f));
	scene->seed = 7;
	scene->noise = 3;
	scene->gain = 1;
	*state = scene;
	return 0;
}

static int
teardown(void **state)
{
	Scene *scene = *state;

	keyframe_watch_free(scene->watch);
	av_frame_free(&scene->frame);
	free(scene->view);
	free(scene);
	return 0;
}

static float
random_part(Scene *scene)
{
	scene->seed = scene->seed * 1664525u + 1013904223u;
	return (float) (scene->seed >> 8) / (1 << 24);
}

/* The part of the light that the cloud leaves, with an edge as wide as a quarter of the frame. */
static float
light(const Scene *scene, int x)
{
	if (scene->shadow == 0)
		return 1;
	return 1 - 0.12f * fminf(fmaxf(4 * (scene->shadow - (float) x / WIDTH), 0), 1);
}

/* Paint the scene as it is now. */
static void
paint(Scene *scene)
{
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
		{
			float value = scene->view[y * WIDTH + x] * scene->gain * light(scene, x) +
						  (2 * random_part(scene) - 1) * scene->noise;

			scene->frame->data[0][y * scene->frame->linesize[0] + x] =
				(uint8_t) fminf(fmaxf(value + 0.5f, 0), 255);
		}
}

/* Something this much brighter than what is behind it. */
static void
put(Scene *scene, int x, int y, int w, int h, int levels)
{
	for (int row = y; row < y + h; row++)
		for (int column = x; column < x + w; column++)
			scene->frame->data[0][row * scene->frame->linesize[0] + column] += levels;
}

static bool
look_as(Scene *scene, KeyframeScene what)
{
	assert_int_equal(keyframe_watch_look(scene->watch, scene->frame, what, &scene->alarm), 0);
	return scene->alarm;
}

static bool
look(Scene *scene)
{
	return look_as(scene, KEYFRAME_UNKNOWN);
}

/* Look at the empty scene; fails if there is an alarm. */
static void
look_at_nothing(Scene *scene, int times)
{
	for (int i = 0; i < times; i++)
	{
		paint(scene);
		assert_false(look(scene));
	}
}

static void
nothing_is_no_alarm(void **state)
{
	look_at_nothing(*state, 60);
}

static void
a_small_person_is_an_alarm(void **state)
{
	Scene *scene = *state;

	look_at_nothing(scene, 30);
	for (int i = 0; i < 10; i++)
	{
		paint(scene);
		put(scene, 100 + 97 * i, 80 + 53 * i, PERSON_W, PERSON_H, 30);
		assert_true(look(scene));
		look_at_nothing(scene, 3);
	}
}

static void
it_is_not_ready_at_once(void **state)
{
	Scene *scene = *state;

	for (int i = 0; i < 7; i++)
	{
		assert_false(keyframe_watch_ready(scene->watch));
		paint(scene);
		put(scene, 100 * i, 300, 80, 200, 60);
		assert_false(look(scene));
	}
	paint(scene);
	look(scene);
	assert_true(keyframe_watch_ready(scene->watch));
}

static void
exposure_is_no_alarm(void **state)
{
	Scene *scene = *state;

	look_at_nothing(scene, 20);
	for (int i = 0; i < 20; i++)
	{
		scene->gain = 1 + 0.3f * sinf((float) i / 2);
		look_at_nothing(scene, 1);
	}
	/* And blinds nobody. */
	scene->gain = 1.2f;
	paint(scene);
	put(scene, 600, 300, PERSON_W, PERSON_H, 40);
	assert_true(look(scene));
}

/* It darkens white lines by more levels than anything else. */
static void
the_shadow_of_a_cloud_is_no_alarm(void **state)
{
	Scene *scene = *state;

	for (int y = 60; y < HEIGHT; y += 90)
		for (int row = y; row < y + 12; row++)
			memset(scene->view + row * WIDTH, 235, WIDTH);
	look_at_nothing(scene, 20);
	for (int pass = 0; pass < 4; pass++)
	{
		for (scene->shadow = 0.05f; scene->shadow < 1.3f; scene->shadow += 0.05f)
			look_at_nothing(scene, 1);
		for (; scene->shadow > 0.05f; scene->shadow -= 0.05f)
			look_at_nothing(scene, 1);
		/* And blinds nobody. */
		scene->shadow = 0.6f;
		paint(scene);
		put(scene, 600, 310, PERSON_W, PERSON_H, 40);
		assert_true(look(scene));
	}
}

static void
what_fills_tiles_is_an_alarm(void **state)
{
	Scene *scene = *state;

	look_at_nothing(scene, 20);
	paint(scene);
	put(scene, 300, 100, 400, 500, 30);
	assert_true(look(scene));
}

static void
noise_at_night_is_no_alarm(void **state)
{
	Scene *scene = *state;
	int alarms = 0;

	scene->noise = 16;
	for (int i = 0; i < 120; i++)
	{
		paint(scene);
		alarms += look(scene);
	}
	assert_in_range(alarms, 0, 1);
	paint(scene);
	put(scene, 600, 300, 2 * PERSON_W, 2 * PERSON_H, 60);
	assert_true(look(scene));
}

static void
foliage_teaches_its_tile_only(void **state)
{
	Scene *scene = *state;
	int alarms = 0;

	for (int i = 0; i < 200; i++)
	{
		paint(scene);
		for (int leaf = 0; leaf < 8; leaf++)
			put(scene, (int) (random_part(scene) * 130), (int) (random_part(scene) * 70),
				(int) (8 + random_part(scene) * 16), 12, 25);
		/* The engine would decode, and find nothing. */
		if (look(scene) && i >= 60)
			alarms++;
		if (scene->alarm)
			keyframe_watch_confirm(scene->watch, false);
	}
	assert_in_range(alarms, 0, 4);
	/* At the other end of the frame a small person is seen as ever. */
	for (int i = 0; i < 100; i++)
	{
		paint(scene);
		look_as(scene, KEYFRAME_CALM);
		keyframe_watch_confirm(scene->watch, true);
	}
	paint(scene);
	put(scene, 1000, 500, PERSON_W, PERSON_H, 30);
	assert_true(look(scene));
}

static void
wrong_alarms_make_it_cautious(void **state)
{
	Scene *scene = *state;
	int alarms = 0;

	look_at_nothing(scene, 30);
	/* Drops strike anywhere, never twice in the same place. */
	for (int i = 0; i < 60; i++)
	{
		paint(scene);
		put(scene, (int) (random_part(scene) * 1200), (int) (random_part(scene) * 680), 10, 14, 25);
		if (look(scene))
		{
			keyframe_watch_confirm(scene->watch, false);
			alarms += i >= 30;
		}
	}
	assert_in_range(alarms, 0, 5);
	/* It is no more cautious than that: a person is still seen. */
	paint(scene);
	put(scene, 600, 300, 2 * PERSON_W, 2 * PERSON_H, 30);
	assert_true(look(scene));
}

static void
a_mask_hides(void **state)
{
	Scene *scene = *state;
	Polygon polygon = {4, {{0, 0}, {0.5f, 0}, {0.5f, 1}, {0, 1}}};
	PolygonList masks = {.count = 1, .items = &polygon};
	PolygonList none = {0};

	keyframe_watch_set_masks(scene->watch, &masks);
	look_at_nothing(scene, 20);
	paint(scene);
	put(scene, 300, 300, 60, 150, 60);
	assert_false(look(scene));
	paint(scene);
	put(scene, 900, 300, 60, 150, 60);
	assert_true(look(scene));
	look_at_nothing(scene, 3);
	keyframe_watch_set_masks(scene->watch, &none);
	paint(scene);
	put(scene, 400, 300, 60, 150, 60);
	assert_true(look(scene));
}

/* A car parks: it is an alarm until somebody has decoded it and found it at rest. */
static void
what_has_come_to_stay_is_background(void **state)
{
	Scene *scene = *state;

	look_at_nothing(scene, 20);
	for (int i = 0; i < 3; i++)
	{
		paint(scene);
		put(scene, 400, 300, 200, 120, 60);
		assert_true(look(scene));
	}
	paint(scene);
	put(scene, 400, 300, 200, 120, 60);
	assert_false(look_as(scene, KEYFRAME_SETTLED));
	for (int i = 0; i < 10; i++)
	{
		paint(scene);
		put(scene, 400, 300, 200, 120, 60);
		assert_false(look(scene));
	}
	/* It leaves. */
	paint(scene);
	assert_true(look(scene));
}

static void
another_size_begins_anew(void **state)
{
	Scene *scene = *state;

	look_at_nothing(scene, 20);
	scene->frame->width = 640;
	paint(scene);
	put(scene, 100, 100, 100, 300, 60);
	assert_false(look(scene));
	assert_false(keyframe_watch_ready(scene->watch));
}

static void
what_has_no_luma_is_refused(void **state)
{
	Scene *scene = *state;
	bool alarm;

	scene->frame->format = AV_PIX_FMT_PAL8;
	assert_int_equal(keyframe_watch_look(scene->watch, scene->frame, KEYFRAME_UNKNOWN, &alarm), -1);
	scene->frame->format = AV_PIX_FMT_YUV420P;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_no_alarm),
		CASE(a_small_person_is_an_alarm),
		CASE(it_is_not_ready_at_once),
		CASE(exposure_is_no_alarm),
		CASE(the_shadow_of_a_cloud_is_no_alarm),
		CASE(what_fills_tiles_is_an_alarm),
		CASE(noise_at_night_is_no_alarm),
		CASE(foliage_teaches_its_tile_only),
		CASE(wrong_alarms_make_it_cautious),
		CASE(a_mask_hides),
		CASE(what_has_come_to_stay_is_background),
		CASE(another_size_begins_anew),
		CASE(what_has_no_luma_is_refused),
	};

	return cmocka_run_group_tests_name("keyframe_watch", tests, NULL, NULL);
}
