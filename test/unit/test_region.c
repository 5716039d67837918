/* Which parts of a frame are searched. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "region.h"

#define INPUT 384

static Box
pixels(float x, float y, float w, float h, int width, int height)
{
	Box box = {x / width, y / height, w / width, h / height};

	return box;
}

static void
assert_covers(const PixelRect *rect, float x, float y, float w, float h)
{
	assert_true(rect->x <= x);
	assert_true(rect->y <= y);
	assert_true(rect->x + rect->w >= x + w);
	assert_true(rect->y + rect->h >= y + h);
}

static void
assert_inside(const PixelRect *rect, int width, int height)
{
	assert_true(rect->x >= 0 && rect->y >= 0 && rect->w > 0 && rect->h > 0);
	assert_true(rect->x + rect->w <= width);
	assert_true(rect->y + rect->h <= height);
	assert_int_equal(rect->x % 2, 0);
	assert_int_equal(rect->y % 2, 0);
}

static void
small_frame_is_searched_whole(void **state)
{
	Box box = pixels(10, 10, 50, 50, 576, 432);
	PixelRect regions[REGION_MAX];

	/* 576 is one and a half times 384. */
	assert_int_equal(region_plan(576, 432, INPUT, INPUT, &box, 1, REGION_MAX, regions), 0);
	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, NULL, 0, REGION_MAX, regions), 0);
	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, &box, 1, 0, regions), 0);
}

static void
one_small_object_gets_one_square_of_the_input(void **state)
{
	Box box = pixels(600, 300, 40, 100, 1280, 720);
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, &box, 1, REGION_MAX, regions), 1);
	assert_int_equal(regions[0].w, INPUT);
	assert_int_equal(regions[0].h, INPUT);
	assert_covers(&regions[0], 600, 300, 40, 100);
	assert_inside(&regions[0], 1280, 720);
	/* Centred: 620 - 192, 350 - 192. */
	assert_in_range(regions[0].x, 426, 430);
	assert_in_range(regions[0].y, 156, 160);
}

static void
a_square_in_the_corner_stays_in_the_frame(void **state)
{
	Box box = pixels(1260, 690, 20, 30, 1280, 720);
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, &box, 1, REGION_MAX, regions), 1);
	assert_inside(&regions[0], 1280, 720);
	assert_covers(&regions[0], 1260, 690, 20, 30);
	assert_int_equal(regions[0].x, 1280 - INPUT);
	assert_int_equal(regions[0].y, 720 - INPUT);
}

static void
near_objects_share_a_square_and_far_ones_do_not(void **state)
{
	Box near[] = {pixels(600, 300, 40, 100, 1920, 1080), pixels(700, 320, 40, 100, 1920, 1080)};
	Box far[] = {pixels(100, 100, 40, 100, 1920, 1080), pixels(1700, 900, 40, 100, 1920, 1080)};
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(1920, 1080, INPUT, INPUT, near, 2, REGION_MAX, regions), 1);
	assert_covers(&regions[0], 600, 300, 140, 120);
	assert_int_equal(region_plan(1920, 1080, INPUT, INPUT, far, 2, REGION_MAX, regions), 2);
	for (int i = 0; i < 2; i++)
		assert_inside(&regions[i], 1920, 1080);
	/* One square around both would be as coarse as the whole frame. */
	assert_int_equal(region_plan(1920, 1080, INPUT, INPUT, far, 2, 1, regions), 0);
}

static void
a_large_object_gets_a_larger_square(void **state)
{
	Box box = pixels(1000, 600, 300, 700, 3840, 2160);
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(3840, 2160, INPUT, INPUT, &box, 1, REGION_MAX, regions), 1);
	assert_covers(&regions[0], 1000, 600, 300, 700);
	assert_true(regions[0].w >= 1050); /* with half as much again around it */
	assert_true(regions[0].w < 1200);
	assert_int_equal(regions[0].w, regions[0].h);
}

static void
an_object_that_fills_the_frame_is_searched_whole(void **state)
{
	Box box = pixels(100, 50, 1000, 600, 1280, 720);
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, &box, 1, REGION_MAX, regions), 0);
}

static void
many_boxes_never_exceed_the_limit(void **state)
{
	Box boxes[200];
	PixelRect regions[REGION_MAX];

	for (int max = 1; max <= REGION_MAX; max++)
		for (int n = 1; n <= 200; n++)
		{
			int planned;

			for (int i = 0; i < n; i++)
				boxes[i] = pixels((i * 977) % 3600, (i * 613) % 2000, 30, 60, 3840, 2160);
			planned = region_plan(3840, 2160, INPUT, INPUT, boxes, n, max, regions);
			assert_in_range(planned, 0, max);
			for (int i = 0; i < planned; i++)
				assert_inside(&regions[i], 3840, 2160);
			/* Every box lies in a region. */
			for (int b = 0; planned > 0 && b < n; b++)
			{
				int covered = 0;

				for (int i = 0; i < planned; i++)
					covered +=
						regions[i].x <= boxes[b].x * 3840 + 1 &&
						regions[i].y <= boxes[b].y * 2160 + 1 &&
						regions[i].x + regions[i].w >= (boxes[b].x + boxes[b].w) * 3840 - 1 &&
						regions[i].y + regions[i].h >= (boxes[b].y + boxes[b].h) * 2160 - 1;
				assert_true(covered > 0);
			}
		}
}

static void
boxes_outside_the_frame_are_ignored(void **state)
{
	Box boxes[] = {{1.2f, 0.5f, 0.1f, 0.1f}, {0.5f, 0.5f, 0, 0.1f}};
	PixelRect regions[REGION_MAX];

	assert_int_equal(region_plan(1280, 720, INPUT, INPUT, boxes, 2, REGION_MAX, regions), 0);
	assert_int_equal(region_plan(0, 0, INPUT, INPUT, boxes, 2, REGION_MAX, regions), 0);
}

static void
a_head_is_enlarged(void **state)
{
	/* A person of 40 by 120 pixels; its upper half, and 8 pixels around, is 56 by 76. */
	Box box = pixels(600, 300, 40, 120, 1280, 720);
	PixelRect region;

	assert_true(region_within(&box, true, 1280, 720, 320, 240, &region));
	assert_covers(&region, 592, 292, 56, 76);
	assert_inside(&region, 1280, 720);
	/* 76 high by 4:3 is 101 wide; sides come in steps of 16. */
	assert_int_equal(region.w, 112);
	assert_int_equal(region.h, 84);
	/* In the middle, and from above the head on. */
	assert_in_range(region.x, 562, 564);
	assert_int_equal(region.y, 292);

	/* All of it: 120 and 16 high, 181 wide. */
	assert_true(region_within(&box, false, 1280, 720, 320, 240, &region));
	assert_covers(&region, 592, 292, 56, 136);
	assert_int_equal(region.w, 192);
}

static void
a_head_at_the_edge_stays_in_the_frame(void **state)
{
	Box box = pixels(1250, 0, 30, 90, 1280, 720);
	PixelRect region;

	assert_true(region_within(&box, true, 1280, 720, 320, 240, &region));
	assert_inside(&region, 1280, 720);
	assert_covers(&region, 1250, 0, 30, 45);
}

static void
who_fills_the_frame_is_not_enlarged(void **state)
{
	Box box = pixels(100, 0, 1100, 720, 1280, 720);
	PixelRect region;

	assert_false(region_within(&box, true, 1280, 720, 320, 240, &region));
	assert_true(region_within(&box, false, 1280, 720, 320, 240, &region));
	assert_inside(&region, 1280, 720);
	assert_covers(&region, 100, 0, 1100, 720);
}

/* The smallest are enlarged tenfold, no more. */
static void
a_speck_is_not_enlarged_for_ever(void **state)
{
	Box box = pixels(600, 300, 4, 10, 1280, 720);
	PixelRect region;

	assert_true(region_within(&box, true, 1280, 720, 320, 240, &region));
	assert_int_equal(region.w, 32);
	assert_int_equal(region.h, 24);
	assert_covers(&region, 600, 300, 4, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_frame_is_searched_whole),
		cmocka_unit_test(one_small_object_gets_one_square_of_the_input),
		cmocka_unit_test(a_square_in_the_corner_stays_in_the_frame),
		cmocka_unit_test(near_objects_share_a_square_and_far_ones_do_not),
		cmocka_unit_test(a_large_object_gets_a_larger_square),
		cmocka_unit_test(an_object_that_fills_the_frame_is_searched_whole),
		cmocka_unit_test(many_boxes_never_exceed_the_limit),
		cmocka_unit_test(boxes_outside_the_frame_are_ignored),
		cmocka_unit_test(a_head_is_enlarged),
		cmocka_unit_test(a_head_at_the_edge_stays_in_the_frame),
		cmocka_unit_test(who_fills_the_frame_is_not_enlarged),
		cmocka_unit_test(a_speck_is_not_enlarged_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
