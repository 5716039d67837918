/* Parts of a frame that show an object enlarged. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "region.h"

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
		cmocka_unit_test(a_head_is_enlarged),
		cmocka_unit_test(a_head_at_the_edge_stays_in_the_frame),
		cmocka_unit_test(who_fills_the_frame_is_not_enlarged),
		cmocka_unit_test(a_speck_is_not_enlarged_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
