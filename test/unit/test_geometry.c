/* Boxes: areas, overlaps, unions, clipping. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "geometry.h"

static void
area_of_empty_and_inverted(void **state)
{
	Box empty = {0.5f, 0.5f, 0, 0.2f};
	Box inverted = {0.5f, 0.5f, -0.1f, -0.2f};
	Box square = {0.1f, 0.1f, 0.5f, 0.5f};

	assert_float_equal(box_area(&empty), 0, 0);
	assert_float_equal(box_area(&inverted), 0, 0);
	assert_float_equal(box_area(&square), 0.25f, 1e-6f);
}

static void
iou_by_hand(void **state)
{
	Box a = {0, 0, 0.4f, 0.4f};
	Box shifted = {0.2f, 0, 0.4f, 0.4f};
	Box inside = {0.1f, 0.1f, 0.2f, 0.2f};
	Box apart = {0.5f, 0.5f, 0.1f, 0.1f};
	Box touching = {0.4f, 0, 0.2f, 0.4f};

	assert_float_equal(box_iou(&a, &a), 1, 1e-6f);
	/* common 0.08, whole 0.16 + 0.16 - 0.08 */
	assert_float_equal(box_iou(&a, &shifted), 0.08f / 0.24f, 1e-6f);
	assert_float_equal(box_iou(&shifted, &a), 0.08f / 0.24f, 1e-6f);
	assert_float_equal(box_iou(&a, &inside), 0.25f, 1e-6f);
	assert_float_equal(box_intersection(&a, &inside), 0.04f, 1e-6f);
	assert_float_equal(box_iou(&a, &apart), 0, 0);
	assert_float_equal(box_iou(&a, &touching), 0, 1e-6f);
}

static void
iou_of_nothing_is_zero(void **state)
{
	Box empty = {0.1f, 0.1f, 0, 0};

	assert_float_equal(box_iou(&empty, &empty), 0, 0);
}

static void
union_covers_both(void **state)
{
	Box a = {0.1f, 0.2f, 0.1f, 0.1f};
	Box b = {0.4f, 0.1f, 0.2f, 0.1f};
	Box both = box_union(&a, &b);

	assert_float_equal(both.x, 0.1f, 1e-6f);
	assert_float_equal(both.y, 0.1f, 1e-6f);
	assert_float_equal(both.w, 0.5f, 1e-6f);
	assert_float_equal(both.h, 0.2f, 1e-6f);
}

static void
clip_keeps_the_part_in_the_frame(void **state)
{
	Box over = {-0.1f, 0.9f, 0.3f, 0.3f};
	Box outside = {1.5f, 0.5f, 0.2f, 0.2f};
	Box clipped = box_clip(&over);

	assert_float_equal(clipped.x, 0, 0);
	assert_float_equal(clipped.y, 0.9f, 1e-6f);
	assert_float_equal(clipped.w, 0.2f, 1e-6f);
	assert_float_equal(clipped.h, 0.1f, 1e-6f);
	clipped = box_clip(&outside);
	assert_float_equal(box_area(&clipped), 0, 0);
	assert_true(clipped.x <= 1);
}

static void
rect_to_fractions(void **state)
{
	PixelRect rect = {320, 90, 640, 180};
	Box box = box_from_rect(&rect, 1280, 720);

	assert_float_equal(box.x, 0.25f, 1e-6f);
	assert_float_equal(box.y, 0.125f, 1e-6f);
	assert_float_equal(box.w, 0.5f, 1e-6f);
	assert_float_equal(box.h, 0.25f, 1e-6f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(area_of_empty_and_inverted),		cmocka_unit_test(iou_by_hand),
		cmocka_unit_test(iou_of_nothing_is_zero),			cmocka_unit_test(union_covers_both),
		cmocka_unit_test(clip_keeps_the_part_in_the_frame), cmocka_unit_test(rect_to_fractions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
