/* What is motion, and where, in a scene that stays as it is. */
#include "moving_scene.h"

static void
calibrates_first(void **state)
{
	Scene *scene = *state;

	show_nothing(scene, 1);
	assert_true(scene->result.calibrating);
	assert_false(scene->result.active);
	show_nothing(scene, 2 * FPS);
	assert_false(scene->result.calibrating);
	assert_false(scene->result.active);
}

static void
noise_is_not_motion(void **state)
{
	Scene *scene = *state;

	scene->noise = 8;
	calibrate(scene);
	for (int i = 0; i < 60 * FPS; i++)
	{
		show_nothing(scene, 1);
		assert_int_equal(scene->result.nclusters, 0);
		assert_false(scene->result.active);
	}
}

static void
noise_of_the_night_is_not_motion(void **state)
{
	Scene *scene = *state;

	/* Little contrast, much noise. */
	scene->low = 20;
	scene->high = 45;
	scene->noise = 15;
	calibrate(scene);
	for (int i = 0; i < 60 * FPS; i++)
	{
		show_nothing(scene, 1);
		assert_false(scene->result.active);
	}
}

static void
finds_an_object_where_it_is(void **state)
{
	Scene *scene = *state;

	calibrate(scene);
	for (int step = 0; step < 20; step++)
	{
		Box truth = pixels(40 + 20 * step, 150, 30, 80);

		show(scene, 40 + 20 * step, 150, 30, 80, 245);
		assert_true(scene->result.active);
		assert_int_equal(scene->result.nclusters, 1);
		assert_true(box_iou(&scene->result.clusters[0], &truth) > 0.7f);
		assert_true(scene->result.area > 0.005f && scene->result.area < 0.03f);
	}
}

/* In the dark, what differs by less than the threshold by day still shows. */
static void
finds_a_dim_object_by_night(void **state)
{
	Scene *scene = *state;

	scene->low = 20;
	scene->high = 45;
	calibrate(scene);
	scene->sway = SETTINGS.threshold / 2;
	show(scene, 300, 150, 30, 80, 0);
	assert_true(scene->result.active);
	assert_int_equal(scene->result.nclusters, 1);
}

static void
too_small_is_not_motion(void **state)
{
	Scene *scene = *state;
	MotionSettings settings = SETTINGS;

	settings.min_area = 0.02f;
	motion_configure(scene->motion, &settings);
	calibrate(scene);
	show(scene, 300, 150, 30, 80, 245); /* 0.0104 of the frame */
	assert_false(scene->result.active);
	assert_int_equal(scene->result.nclusters, 0);
	settings.min_area = 0.005f;
	motion_configure(scene->motion, &settings);
	show(scene, 320, 150, 30, 80, 245);
	assert_true(scene->result.active);
}

static void
nothing_moves_in_a_mask(void **state)
{
	Polygon left = {4, {{0, 0}, {0.5f, 0}, {0.5f, 1}, {0, 1}}};
	PolygonList masks = {.count = 1, .items = &left};
	PolygonList none = {0};
	Scene *scene = *state;

	motion_set_masks(scene->motion, &masks);
	calibrate(scene);
	show(scene, WIDTH / 4, 150, 30, 80, 245);
	assert_false(scene->result.active);
	assert_int_equal(scene->result.nclusters, 0);
	assert_true(scene->result.area == 0);
	/* Half in it: what lies outside counts. */
	show(scene, WIDTH / 2 - 40, 150, 80, 80, 245);
	assert_true(scene->result.active);
	assert_int_equal(scene->result.nclusters, 1);
	assert_true(scene->result.clusters[0].x > 0.49f);
	assert_true(scene->result.clusters[0].w < 60.0f / WIDTH);
	/* Changed in place. */
	motion_set_masks(scene->motion, &none);
	show(scene, WIDTH / 4, 150, 30, 80, 245);
	assert_int_equal(scene->result.nclusters, 1);
	assert_true(scene->result.clusters[0].x < 0.4f);
}

static void
a_lamp_beside_a_large_mask_is_no_motion(void **state)
{
	Polygon most = {4, {{0, 0}, {0.7f, 0}, {0.7f, 1}, {0, 1}}};
	PolygonList masks = {.count = 1, .items = &most};
	Scene *scene = *state;

	motion_set_masks(scene->motion, &masks);
	calibrate(scene);
	/* All that can be seen changes at once, which is under a third of the frame. */
	show(scene, (int) (0.65f * WIDTH), 0, WIDTH, HEIGHT, 245);
	assert_true(scene->result.calibrating);
	assert_false(scene->result.active);
}

static void
a_mask_over_everything_is_harmless(void **state)
{
	Polygon all = {4, {{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
	PolygonList masks = {.count = 1, .items = &all};
	Scene *scene = *state;

	motion_set_masks(scene->motion, &masks);
	calibrate(scene);
	show(scene, 300, 150, 30, 80, 245);
	show(scene, 0, 0, WIDTH, HEIGHT, 10);
	assert_false(scene->result.active);
	assert_int_equal(scene->result.nclusters, 0);
}

static void
active_is_held_over_a_gap(void **state)
{
	Scene *scene = *state;
	int64_t gone;

	calibrate(scene);
	show(scene, 300, 150, 30, 80, 245);
	assert_true(scene->result.active);
	gone = scene->at_us;
	show_nothing(scene, 1);
	assert_int_equal(scene->result.nclusters, 0);
	assert_true(scene->result.active);
	while (scene->result.active)
	{
		show_nothing(scene, 1);
		assert_true(scene->at_us - gone < 4000000);
	}
	assert_true(scene->at_us - gone > 1000000);
}

static void
two_objects_are_two_clusters_largest_first(void **state)
{
	Scene *scene = *state;
	Box large = pixels(450, 200, 60, 100);
	Box small = pixels(100, 100, 20, 50);

	calibrate(scene);
	/* Two objects: draw the second by hand over the first frame. */
	show(scene, 450, 200, 60, 100, 245);
	for (int row = 100; row < 150; row++)
		memset(scene->frame->data[0] + row * scene->frame->linesize[0] + 100, 250, 20);
	assert_int_equal(motion_update(scene->motion, scene->frame, scene->at_us, &scene->result), 0);
	assert_int_equal(scene->result.nclusters, 2);
	assert_true(box_iou(&scene->result.clusters[0], &large) > 0.7f);
	assert_true(box_iou(&scene->result.clusters[1], &small) > 0.6f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(calibrates_first),
		SCENE_TEST(noise_is_not_motion),
		SCENE_TEST(noise_of_the_night_is_not_motion),
		SCENE_TEST(finds_an_object_where_it_is),
		SCENE_TEST(finds_a_dim_object_by_night),
		SCENE_TEST(too_small_is_not_motion),
		SCENE_TEST(nothing_moves_in_a_mask),
		SCENE_TEST(a_lamp_beside_a_large_mask_is_no_motion),
		SCENE_TEST(a_mask_over_everything_is_harmless),
		SCENE_TEST(active_is_held_over_a_gap),
		SCENE_TEST(two_objects_are_two_clusters_largest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
