/* Parts of a frame: which points lie in them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "polygon.h"

static const Polygon square = {4, {{0.25f, 0.25f}, {0.75f, 0.25f}, {0.75f, 0.75f}, {0.25f, 0.75f}}};
static const Polygon corner = {3, {{0, 0}, {0.2f, 0}, {0, 0.2f}}};
static const Polygon frame = {4, {{0, 0}, {1, 0}, {1, 1}, {0, 1}}};

/* An U, open at the top. */
static const Polygon bay = {8,
							{{0.1f, 0.1f},
							 {0.3f, 0.1f},
							 {0.3f, 0.7f},
							 {0.7f, 0.7f},
							 {0.7f, 0.1f},
							 {0.9f, 0.1f},
							 {0.9f, 0.9f},
							 {0.1f, 0.9f}}};

static bool
contains(const Polygon *polygon, float x, float y)
{
	PolygonList list = {.count = 1, .items = polygon};

	return polygons_contain(&list, (Point){x, y});
}

static void
inside_and_outside(void **state)
{
	assert_true(contains(&square, 0.5f, 0.5f));
	assert_false(contains(&square, 0.2f, 0.5f));
	assert_false(contains(&square, 0.8f, 0.5f));
	assert_false(contains(&square, 0.5f, 0.2f));
	assert_false(contains(&square, 0.5f, 0.8f));
	/* In line with a corner. */
	assert_false(contains(&square, 0.1f, 0.25f));
	assert_false(contains(&square, 0.9f, 0.75f));
	assert_true(contains(&corner, 0.05f, 0.05f));
	assert_false(contains(&corner, 0.15f, 0.15f));
}

static void
a_bay_is_outside(void **state)
{
	assert_false(contains(&bay, 0.5f, 0.4f));
	assert_true(contains(&bay, 0.2f, 0.4f));
	assert_true(contains(&bay, 0.8f, 0.4f));
	assert_true(contains(&bay, 0.5f, 0.8f));
}

static void
edges_belong_to_it(void **state)
{
	assert_true(contains(&square, 0.25f, 0.5f));
	assert_true(contains(&square, 0.75f, 0.5f));
	assert_true(contains(&square, 0.5f, 0.25f));
	assert_true(contains(&square, 0.5f, 0.75f));
	assert_true(contains(&square, 0.75f, 0.75f));
	assert_true(contains(&corner, 0.1f, 0.1f));
	/* Whoever is cut off by the lower edge stands in the frame all the same. */
	assert_true(contains(&frame, 0.3f, 0.4f + 0.6f));
	assert_true(contains(&frame, 1, 1));
}

static void
any_of_a_list_counts(void **state)
{
	Polygon both[] = {square, corner};
	PolygonList list = {.count = 2, .items = both};
	PolygonList none = {0};
	PolygonList one = {.count = 1, .items = both};

	assert_true(polygons_contain(&list, (Point){0.05f, 0.05f}));
	assert_true(polygons_contain(&list, (Point){0.5f, 0.5f}));
	assert_false(polygons_contain(&list, (Point){0.9f, 0.5f}));
	assert_false(polygons_contain(&none, (Point){0.5f, 0.5f}));

	assert_true(polygons_equal(&list, &list));
	assert_true(polygons_equal(&none, &none));
	assert_false(polygons_equal(&list, &one));
	assert_false(polygons_equal(&none, &one));
	both[0].corners[2].x = 0.8f;
	one.items = &square;
	assert_false(polygons_equal(&(PolygonList){.count = 1, .items = both}, &one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside_and_outside),
		cmocka_unit_test(a_bay_is_outside),
		cmocka_unit_test(edges_belong_to_it),
		cmocka_unit_test(any_of_a_list_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
