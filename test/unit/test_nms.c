/* Non-maximum suppression. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "nms.h"

static Object
object(float x, float w, float confidence, int label)
{
	Object o = {.box = {x, 0.2f, w, 0.4f}, .confidence = confidence, .label = label};

	return o;
}

static void
overlap_of_one_label_goes(void **state)
{
	/* Shifted by a quarter of the width: IoU 0.75 / 1.25 = 0.6. */
	Object objects[] = {object(0.10f, 0.2f, 0.6f, 0), object(0.15f, 0.2f, 0.9f, 0)};

	assert_int_equal(nms(objects, 2, 0.5f), 1);
	assert_float_equal(objects[0].confidence, 0.9f, 0);
}

static void
overlap_below_the_limit_stays(void **state)
{
	Object objects[] = {object(0.10f, 0.2f, 0.6f, 0), object(0.15f, 0.2f, 0.9f, 0)};

	assert_int_equal(nms(objects, 2, 0.65f), 2);
	assert_float_equal(objects[0].confidence, 0.9f, 0);
	assert_float_equal(objects[1].confidence, 0.6f, 0);
}

static void
other_labels_stay_unless_the_box_is_the_same(void **state)
{
	Object near[] = {object(0.10f, 0.2f, 0.6f, 0), object(0.15f, 0.2f, 0.9f, 1)};
	Object same[] = {object(0.10f, 0.2f, 0.6f, 0), object(0.101f, 0.2f, 0.9f, 1)};

	assert_int_equal(nms(near, 2, 0.5f), 2);
	assert_int_equal(nms(same, 2, 0.5f), 1);
	assert_int_equal(same[0].label, 1);
}

static void
what_a_suppressed_box_overlaps_stays(void **state)
{
	/* The second loses to the first; the third overlaps only the second. */
	Object objects[] = {object(0.10f, 0.2f, 0.9f, 0), object(0.15f, 0.2f, 0.8f, 0),
						object(0.20f, 0.2f, 0.7f, 0)};

	assert_int_equal(nms(objects, 3, 0.5f), 2);
	assert_float_equal(objects[0].confidence, 0.9f, 0);
	assert_float_equal(objects[1].confidence, 0.7f, 0);
}

static void
the_order_of_the_input_does_not_matter(void **state)
{
	Object forwards[40];
	Object backwards[40];
	int n;

	for (int i = 0; i < 40; i++)
		forwards[i] = object((float) (i * 7 % 40) / 100, 0.1f, 0.5f + (float) (i % 4) / 10, i % 2);
	for (int i = 0; i < 40; i++)
		backwards[i] = forwards[39 - i];
	n = nms(forwards, 40, 0.5f);
	assert_int_equal(nms(backwards, 40, 0.5f), n);
	assert_memory_equal(forwards, backwards, n * sizeof(Object));
	assert_true(n < 40);
}

static void
nothing(void **state)
{
	assert_int_equal(nms(NULL, 0, 0.5f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlap_of_one_label_goes),
		cmocka_unit_test(overlap_below_the_limit_stays),
		cmocka_unit_test(other_labels_stay_unless_the_box_is_the_same),
		cmocka_unit_test(what_a_suppressed_box_overlaps_stays),
		cmocka_unit_test(the_order_of_the_input_does_not_matter),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
