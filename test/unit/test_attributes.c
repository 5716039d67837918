/* What models say of an object besides its box, as lines and answers give it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "attributes.h"

static void
expect(const Attributes *attributes, const char *text)
{
	json_t *told = attributes_json(attributes);
	json_t *wanted = json_loads(text, 0, NULL);

	assert_non_null(told);
	assert_non_null(wanted);
	if (!json_equal(told, wanted))
		fail_msg("%s, not %s", json_dumps(told, JSON_SORT_KEYS), text);
	json_decref(told);
	json_decref(wanted);
}

static void
nothing_is_an_empty_object(void **state)
{
	expect(&(Attributes){0}, "{}");
}

static void
landmarks_are_points_in_their_order(void **state)
{
	const Attributes face = {
		.has_landmarks = 1,
		.landmarks = {
			{0.25f, 0.5f}, {0.375f, 0.5f}, {0.3125f, 0.625f}, {0.25f, 0.75f}, {0.375f, 0.75f}}};

	expect(&face, "{\"landmarks\": [[0.25, 0.5], [0.375, 0.5], [0.3125, 0.625], [0.25, 0.75],"
				  " [0.375, 0.75]]}");
}

static void
a_temperature_is_a_number(void **state)
{
	expect(&(Attributes){.has_temperature = 1, .temperature = -12.5f}, "{\"temperature\": -12.5}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_an_empty_object),
		cmocka_unit_test(landmarks_are_points_in_their_order),
		cmocka_unit_test(a_temperature_is_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
