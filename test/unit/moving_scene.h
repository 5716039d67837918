/* A camera for motion: synthetic frames whose truth is known. */
#ifndef TEST_MOVING_SCENE_H
#define TEST_MOVING_SCENE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "motion.h"

#define WIDTH 640
#define HEIGHT 360
#define FPS 5
#define STEP_US (1000000 / FPS)

static const MotionSettings SETTINGS = {.threshold = 20, .min_area = 0.0005f};

/* A camera that can be told what to show. */
typedef struct Scene
{
	Motion *motion;
	AVFrame *frame;
	int64_t at_us;
	uint32_t seed;
	float noise; /* standard deviation of the sensor, in levels */
	float gain;	 /* of the exposure */
	float shade; /* of a cloud: the part of the light that it takes, */
	float edge;	 /* right of here, in frame widths, over a quarter of it */
	int low;	 /* the background's range of levels */
	int high;
	int sway; /* levels that the object adds, instead of having one of its own */
	MotionResult result;
} Scene;

static inline int
setup(void **state)
{
	Scene *scene = calloc(1, sizeof(*scene));

	scene->motion = motion_create(&SETTINGS);
	scene->frame = av_frame_alloc();
	scene->frame->format = AV_PIX_FMT_YUV420P;
	scene->frame->width = WIDTH;
	scene->frame->height = HEIGHT;
	assert_int_equal(av_frame_get_buffer(scene->frame, 0), 0);
	scene->seed = 7;
	scene->noise = 3;
	scene->gain = 1;
	scene->low = 40;
	scene->high = 200;
	*state = scene;
	return 0;
}

static inline int
teardown(void **state)
{
	Scene *scene = *state;

	motion_free(scene->motion);
	av_frame_free(&scene->frame);
	free(scene);
	return 0;
}

/* Near enough to a normal distribution: the sum of four uniform ones. */
static inline float
noise(Scene *scene)
{
	float sum = 0;

	for (int i = 0; i < 4; i++)
	{
		scene->seed = scene->seed * 1664525u + 1013904223u;
		sum += (float) (scene->seed >> 8) / (1 << 24) - 0.5f;
	}
	return sum * 1.732f * scene->noise;
}

/* A background with large and small structure. */
static inline float
background(const Scene *scene, int x, int y)
{
	float wave = 0.5f + 0.3f * sinf(x / 45.0f) * cosf(y / 37.0f) + 0.2f * sinf((x + 2 * y) / 9.0f);

	return scene->low + wave * (scene->high - scene->low);
}

/* Show the scene with an object of the given level (none when w is 0) for one step of time. */
static inline void
show(Scene *scene, int x, int y, int w, int h, int level)
{
	for (int row = 0; row < HEIGHT; row++)
		for (int column = 0; column < WIDTH; column++)
		{
			bool inside = column >= x && column < x + w && row >= y && row < y + h;
			float value = background(scene, column, row);

			if (inside)
				value = scene->sway != 0 ? value + scene->sway : level;
			value *=
				1 - scene->shade * fminf(fmaxf(((float) column / WIDTH - scene->edge) * 4, 0), 1);
			value = value * scene->gain + noise(scene);
			scene->frame->data[0][row * scene->frame->linesize[0] + column] =
				(uint8_t) fminf(fmaxf(value + 0.5f, 0), 255);
		}
	assert_int_equal(motion_update(scene->motion, scene->frame, scene->at_us, &scene->result), 0);
	scene->at_us += STEP_US;
}

static inline void
show_nothing(Scene *scene, int frames)
{
	for (int i = 0; i < frames; i++)
		show(scene, 0, 0, 0, 0, 0);
}

/* Look at the empty scene until it is known. */
static inline void
calibrate(Scene *scene)
{
	int frames = 0;

	do
	{
		show_nothing(scene, 1);
		assert_true(++frames < 3 * FPS);
	} while (scene->result.calibrating);
	show_nothing(scene, 2 * FPS);
}

static inline Box
pixels(int x, int y, int w, int h)
{
	PixelRect rect = {x, y, w, h};

	return box_from_rect(&rect, WIDTH, HEIGHT);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TEST_MOVING_SCENE_H */
