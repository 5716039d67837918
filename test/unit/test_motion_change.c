/* Motion while the scene itself changes: its light, its size, what stands in it. */
#include "moving_scene.h"

static void
the_exposure_is_not_motion(void **state)
{
	Scene *scene = *state;

	scene->high = 150;
	calibrate(scene);
	/* A cloud: a third brighter within two seconds, and back. */
	for (int i = 0; i < 4 * FPS; i++)
	{
		scene->gain = 1 + 0.35f * sinf(i * 3.14159f / (4 * FPS));
		show_nothing(scene, 1);
		assert_false(scene->result.active);
		assert_false(scene->result.calibrating);
	}
	/* And at once. */
	scene->gain = 1.25f;
	show_nothing(scene, 1);
	assert_false(scene->result.active);
}

/* The edge of its shadow comes in within half a minute. */
static void
a_cloud_is_not_motion(void **state)
{
	Scene *scene = *state;

	scene->high = 220;
	scene->shade = 0.12f;
	scene->edge = 1.1f;
	calibrate(scene);
	while (scene->edge > -0.3f)
	{
		scene->edge -= 0.04f / FPS;
		show_nothing(scene, 1);
		assert_false(scene->result.active);
	}
}

static void
an_object_shows_while_the_exposure_changes(void **state)
{
	Scene *scene = *state;

	scene->high = 150;
	calibrate(scene);
	scene->gain = 1.2f;
	show(scene, 300, 150, 40, 100, 205);
	assert_true(scene->result.active);
	assert_int_equal(scene->result.nclusters, 1);
}

static void
a_lamp_recalibrates(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	scene->low = 10; /* switched off: other shadows, not only another gain */
	scene->high = 60;
	show_nothing(scene, 1);
	assert_true(scene->result.calibrating);
	assert_false(scene->result.active);
	calibrate(scene);
	assert_false(scene->result.active);
	show(scene, 300, 150, 30, 80, 120);
	assert_true(scene->result.active);
}

static void
a_cut_recalibrates(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	for (int row = 0; row < HEIGHT; row++)
		for (int column = 0; column < WIDTH; column++)
			scene->frame->data[0][row * scene->frame->linesize[0] + column] =
				(uint8_t) ((column / 80 + row / 60) % 2 != 0 ? 30 : 220);
	for (int i = 0; i < 3 * FPS; i++)
	{
		assert_int_equal(motion_update(scene->motion, scene->frame, scene->at_us, &scene->result),
						 0);
		assert_false(scene->result.active);
		assert_int_equal(scene->result.calibrating, i < FPS);
		scene->at_us += STEP_US;
	}
}

/* A large object that comes in is no cut. */
static void
a_lorry_is_not_a_cut(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	for (int width = 40; width <= 400; width += 40)
	{
		show(scene, 0, 20, width, 330, 250);
		assert_false(scene->result.calibrating);
		assert_true(scene->result.active);
	}
}

static void
a_slow_object_is_not_absorbed(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	/* 30 pixels wide, one pixel a second: half a minute to leave its place. */
	for (int i = 0; i < 60 * FPS; i++)
	{
		show(scene, 300 + i / FPS, 150, 30, 80, 245);
		if (i > 2 * FPS)
			assert_true(scene->result.active);
	}
}

static void
what_stops_is_absorbed_slowly(void **state)
{
	Scene *scene = *state;
	Box truth = pixels(300, 150, 60, 100);
	int64_t stopped;

	scene->sway = 60;
	calibrate(scene);
	for (int x = 100; x < 300; x += 20)
		show(scene, x, 150, 60, 100, 0);
	stopped = scene->at_us;
	while (scene->result.active)
	{
		show(scene, 300, 150, 60, 100, 0);
		/* Whole for ten seconds, and gone within a minute. */
		if (scene->at_us - stopped < 10000000)
			assert_true(box_iou(&scene->result.clusters[0], &truth) > 0.7f);
		assert_true(scene->at_us - stopped < 60000000);
	}
	/* When it goes on, that is motion again. */
	show(scene, 340, 150, 60, 100, 0);
	assert_true(scene->result.active);
}

/*
 * A branch that sways through the same place all the time, paler than a person
 * would be.  Returns in how many of the frames, one every step_us, it moved.
 */
static int
sway(Scene *scene, int frames, int64_t step_us)
{
	int moved = 0;

	scene->sway = 45;
	for (int i = 0; i < frames; i++)
	{
		show(scene, 500, 100, i % 3 == 0 ? 40 : 0, 40, 0);
		scene->at_us += step_us - STEP_US;
		moved += scene->result.nclusters > 0;
	}
	scene->sway = 0;
	return moved;
}

static void
foliage_is_damped(void **state)
{
	Scene *scene = *state;
	int early;

	calibrate(scene);
	early = sway(scene, 10 * FPS, STEP_US);
	assert_true(early > 0);
	sway(scene, 40 * FPS, STEP_US);
	assert_true(sway(scene, 10 * FPS, STEP_US) * 3 < early);
	/* A person elsewhere is seen all the same. */
	show(scene, 200, 150, 30, 80, 250);
	assert_true(scene->result.nclusters > 0);
	/* And in front of the branch too. */
	show(scene, 500, 80, 30, 80, 250);
	assert_true(scene->result.nclusters > 0);
}

/* Of few frames a second, as of keyframes, less flicker is no less foliage. */
static void
foliage_stays_damped_on_sparse_frames(void **state)
{
	Scene *scene = *state;
	int early;

	calibrate(scene);
	early = sway(scene, 10 * FPS, STEP_US);
	sway(scene, 50 * FPS, STEP_US);
	sway(scene, 60, 2 * 1000000);
	assert_true(sway(scene, 10 * FPS, STEP_US) * 3 < early);
}

static void
forgets_when_told_and_when_time_jumps(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	motion_reset(scene->motion);
	show_nothing(scene, 1);
	assert_true(scene->result.calibrating);
	calibrate(scene);
	scene->at_us += 60000000;
	show_nothing(scene, 1);
	assert_true(scene->result.calibrating);
	calibrate(scene);
	scene->at_us -= 20000000;
	show_nothing(scene, 1);
	assert_true(scene->result.calibrating);
}

static void
another_size_starts_again(void **state)
{
	Scene *scene = *state;
	int sizes[][2] = {{1280, 720}, {637, 359}, {160, 90}, {7, 5}, {641, 3}, {3, 641}};

	calibrate(scene);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		AVFrame *frame = av_frame_alloc();

		frame->format = AV_PIX_FMT_GRAY8;
		frame->width = sizes[i][0];
		frame->height = sizes[i][1];
		assert_int_equal(av_frame_get_buffer(frame, 0), 0);
		memset(frame->data[0], 100, (size_t) frame->linesize[0] * frame->height);
		for (int k = 0; k < 20; k++)
		{
			assert_int_equal(motion_update(scene->motion, frame, scene->at_us, &scene->result), 0);
			assert_int_equal(scene->result.calibrating, k < FPS);
			scene->at_us += STEP_US;
		}
		av_frame_free(&frame);
	}
}

/* The same picture in another layout is the same motion. */
static void
layouts_of_luma_agree(void **state)
{
	static const enum AVPixelFormat formats[] = {AV_PIX_FMT_GRAY8,		 AV_PIX_FMT_NV12,
												 AV_PIX_FMT_YUYV422,	 AV_PIX_FMT_UYVY422,
												 AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_GRAY16BE};
	Box first = {0};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		Motion *motion = motion_create(&SETTINGS);
		AVFrame *frame = av_frame_alloc();
		MotionResult result;

		frame->format = formats[i];
		frame->width = WIDTH;
		frame->height = HEIGHT;
		assert_int_equal(av_frame_get_buffer(frame, 0), 0);
		for (int k = 0; k < 3 * FPS; k++)
		{
			for (int y = 0; y < HEIGHT; y++)
				for (int x = 0; x < WIDTH; x++)
				{
					bool object = k == 3 * FPS - 1 && x >= 200 && x < 240 && y >= 100 && y < 200;
					int level = object ? 220 : 50 + x / 8;
					uint8_t *row = frame->data[0] + (ptrdiff_t) y * frame->linesize[0];

					if (i == 2)
						row[2 * x] = (uint8_t) level;
					else if (i == 3)
						row[2 * x + 1] = (uint8_t) level;
					else if (i == 4)
						((uint16_t *) row)[x] = (uint16_t) (level << 2 | 3);
					else if (i == 5)
					{
						row[2 * x] = (uint8_t) level;
						row[2 * x + 1] = 255;
					}
					else
						row[x] = (uint8_t) level;
				}
			assert_int_equal(motion_update(motion, frame, k * STEP_US, &result), 0);
		}
		assert_int_equal(result.nclusters, 1);
		if (i == 0)
			first = result.clusters[0];
		assert_memory_equal(&result.clusters[0], &first, sizeof(Box));
		motion_free(motion);
		av_frame_free(&frame);
	}
}

static void
a_format_without_luma_is_an_error(void **state)
{
	Scene *scene = *state;

	scene->frame->format = AV_PIX_FMT_MONOBLACK;
	assert_int_equal(motion_update(scene->motion, scene->frame, 0, &scene->result), -1);
	scene->frame->format = AV_PIX_FMT_VAAPI;
	assert_int_equal(motion_update(scene->motion, scene->frame, 0, &scene->result), -1);
	scene->frame->format = AV_PIX_FMT_YUV420P;
}

/* More clusters than there is room for: the largest are told, the last covers the rest. */
static void
many_clusters(void **state)
{
	Scene *scene = *state;

	scene->noise = 0;
	calibrate(scene);
	show_nothing(scene, 1);
	for (int i = 0; i < 32; i++)
		for (int row = 0; row < 12 + i / 4; row++)
			memset(scene->frame->data[0] +
					   (ptrdiff_t) (20 + i / 8 * 90 + row) * scene->frame->linesize[0] + 20 +
					   i % 8 * 78,
				   255, 16);
	assert_int_equal(motion_update(scene->motion, scene->frame, scene->at_us, &scene->result), 0);
	assert_int_equal(scene->result.nclusters, MOTION_MAX_CLUSTERS);
	for (int i = 0; i < MOTION_MAX_CLUSTERS - 1; i++)
		assert_true(box_area(&scene->result.clusters[i]) < 0.01f);
	for (int i = 0; i < 32; i++)
	{
		Box truth = pixels(20 + i % 8 * 78, 20 + i / 8 * 90, 16, 12 + i / 4);
		bool covered = false;

		for (int k = 0; k < scene->result.nclusters; k++)
			covered = covered || box_intersection(&truth, &scene->result.clusters[k]) >
									 0.8f * box_area(&truth);
		assert_true(covered);
	}
}

static void
the_same_frames_give_the_same(void **state)
{
	Scene *scene = *state;
	MotionResult results[60];

	for (int round = 0; round < 2; round++)
	{
		motion_free(scene->motion);
		scene->motion = motion_create(&SETTINGS);
		scene->at_us = 0;
		scene->seed = 99;
		for (int i = 0; i < 60; i++)
		{
			show(scene, i > 20 ? i * 8 : 0, 100, i > 20 ? 40 : 0, 90, 240);
			if (round == 0)
				results[i] = scene->result;
			else
				assert_memory_equal(&results[i], &scene->result, sizeof(MotionResult));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(the_exposure_is_not_motion),
		SCENE_TEST(a_cloud_is_not_motion),
		SCENE_TEST(an_object_shows_while_the_exposure_changes),
		SCENE_TEST(a_lamp_recalibrates),
		SCENE_TEST(a_cut_recalibrates),
		SCENE_TEST(a_lorry_is_not_a_cut),
		SCENE_TEST(a_slow_object_is_not_absorbed),
		SCENE_TEST(what_stops_is_absorbed_slowly),
		SCENE_TEST(foliage_is_damped),
		SCENE_TEST(foliage_stays_damped_on_sparse_frames),
		SCENE_TEST(forgets_when_told_and_when_time_jumps),
		SCENE_TEST(another_size_starts_again),
		SCENE_TEST(layouts_of_luma_agree),
		SCENE_TEST(a_format_without_luma_is_an_error),
		SCENE_TEST(many_clusters),
		SCENE_TEST(the_same_frames_give_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
