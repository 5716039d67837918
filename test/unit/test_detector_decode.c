/* From hand-made outputs of models to objects. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "detector_decode.h"

static int
setup(void **state)
{
	*state = calloc(1, sizeof(Candidates));
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
efficientdet_by_hand(void **state)
{
	Candidates *found = *state;
	/* ymin, xmin, ymax, xmax */
	const float boxes[] = {0.1f, 0.2f, 0.5f, 0.3f, 0, 0, 1, 1, 0.4f, 0.4f, 0.6f, 0.8f};
	const float scores[] = {0.1f, 0.7f, 0.2f, 0.29f, 0.1f, 0, 0.3f, 0, 0.1f};
	const Tensor outputs[] = {{"scores", 3, {1, 3, 3}, scores}, {"boxes", 3, {1, 3, 4}, boxes}};
	char error[200] = "";

	assert_int_equal(decode_efficientdet.decode(outputs, 2, 3, 0.3f, found, error, sizeof(error)),
					 0);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.7f, 0);
	assert_float_equal(found->items[0].box.x, 0.2f, 1e-6f);
	assert_float_equal(found->items[0].box.y, 0.1f, 1e-6f);
	assert_float_equal(found->items[0].box.w, 0.1f, 1e-6f);
	assert_float_equal(found->items[0].box.h, 0.4f, 1e-6f);
	assert_int_equal(found->items[1].label, 0);
	assert_float_equal(found->items[1].box.w, 0.4f, 1e-6f);
	assert_float_equal(found->items[1].box.h, 0.2f, 1e-6f);
}

static void
ultraface_by_hand(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {0.1f, 0.2f, 0.5f, 0.3f, 0, 0, 1, 1};
	const float scores[] = {0.2f, 0.8f, 0.9f, 0.1f}; /* nothing, face */
	const Tensor outputs[] = {{"scores", 3, {1, 2, 2}, scores}, {"boxes", 3, {1, 2, 4}, boxes}};
	char error[200] = "";

	assert_int_equal(decode_ultraface.decode(outputs, 2, 1, 0.5f, found, error, sizeof(error)), 0);
	assert_int_equal(found->count, 1);
	assert_float_equal(found->items[0].confidence, 0.8f, 0);
	assert_float_equal(found->items[0].box.x, 0.1f, 1e-6f);
	assert_float_equal(found->items[0].box.y, 0.2f, 1e-6f);
	assert_float_equal(found->items[0].box.w, 0.4f, 1e-6f);
	assert_float_equal(found->items[0].box.h, 0.1f, 1e-6f);
}

static void
outputs_that_do_not_fit(void **state)
{
	Candidates *found = *state;
	const float data[16] = {0};
	const Tensor no_scores[] = {{"boxes", 3, {1, 2, 4}, data}};
	const Tensor wrong_dims[] = {{"scores", 2, {2, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	const Tensor wrong_count[] = {{"scores", 3, {1, 3, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	const Tensor labels[] = {{"scores", 3, {1, 2, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	char error[200];
	const DecodeKind *kinds[] = {&decode_efficientdet, &decode_ultraface};

	for (int i = 0; i < 2; i++)
	{
		assert_int_equal(kinds[i]->decode(no_scores, 1, 3, 0, found, error, sizeof(error)), -1);
		assert_int_equal(kinds[i]->decode(wrong_dims, 2, 3, 0, found, error, sizeof(error)), -1);
		assert_int_equal(kinds[i]->decode(wrong_count, 2, 3, 0, found, error, sizeof(error)), -1);
		assert_int_equal(kinds[i]->decode(labels, 2, 5, 0, found, error, sizeof(error)), -1);
	}
	assert_int_equal(decode_efficientdet.decode(labels, 2, 5, 0, found, error, sizeof(error)), -1);
	assert_string_equal(error, "the model scores 3 labels, but 5 are named");
	assert_int_equal(found->count, 0);
}

static void
numbers_that_are_none_are_dropped(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {NAN, 0.2f, 0.5f, 0.3f, 0, 0, INFINITY, 1, 0.1f, 0.1f, 0.2f, 0.2f};
	const float scores[] = {0.9f, 0.9f, NAN};
	const Tensor outputs[] = {{"scores", 3, {1, 3, 1}, scores}, {"boxes", 3, {1, 3, 4}, boxes}};
	char error[200];

	assert_int_equal(decode_efficientdet.decode(outputs, 2, 1, 0.3f, found, error, sizeof(error)),
					 0);
	assert_int_equal(found->count, 0);
}

/* However many there are and in whatever order, the best are kept. */
static void
a_flood_keeps_the_best(void **state)
{
	Candidates *found = *state;
	float best = 0;

	for (int i = 0; i < 20000; i++)
	{
		Object object = {{0.1f, 0.1f, 0.1f, 0.1f}, (float) (i * 7919 % 20000) / 20000, 0};

		candidates_add(found, &object);
		assert_in_range(found->count, 1, CANDIDATES_MAX);
	}
	for (int i = 0; i < found->count; i++)
		best = fmaxf(best, found->items[i].confidence);
	assert_float_equal(best, 19999.0f / 20000, 1e-6f);
	assert_true(found->count >= CANDIDATES_MAX / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(efficientdet_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(ultraface_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(outputs_that_do_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_that_are_none_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_keeps_the_best, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
