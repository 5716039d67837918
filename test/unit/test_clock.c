/* Times as text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

static void
formats_microseconds_in_utc(void **state)
{
	char text[CLOCK_TEXT];

	clock_format(INT64_C(1767225600000001), text);
	assert_string_equal(text, "2026-01-01T00:00:00.000001Z");
	clock_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void
reads_what_it_writes_and_what_postgres_writes(void **state)
{
	int64_t us;

	assert_true(clock_parse("2026-01-01T00:00:00.000001Z", &us));
	assert_int_equal(us, INT64_C(1767225600000001));
	assert_true(clock_parse("2026-01-01T02:00:00+02:00", &us));
	assert_int_equal(us, INT64_C(1767225600000000));
	assert_true(clock_parse("2025-12-31 18:30:00.5-05:30", &us));
	assert_int_equal(us, INT64_C(1767225600500000));
	assert_true(clock_parse("2026-01-01T02:00:00+02", &us));
	assert_int_equal(us, INT64_C(1767225600000000));
}

static void
refuses_everything_else(void **state)
{
	static const char *const wrong[] = {"",
										"now",
										"2026-01-01",
										"2026-01-01T00:00:00",
										"2026-13-01T00:00:00Z",
										"2026-01-32T00:00:00Z",
										"2026-01-01T24:00:00Z",
										"2026-01-01T00:00:00.Z",
										"2026-01-01T00:00:00.0000001Z",
										"2026-01-01T00:00:00Zx",
										"2026-01-01T00:00:00+1",
										"2026-01-01T00:00:00+16:00",
										"infinity",
										"1969-12-31T00:00:00Z"};
	int64_t us;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(clock_parse(wrong[i], &us));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_microseconds_in_utc),
		cmocka_unit_test(reads_what_it_writes_and_what_postgres_writes),
		cmocka_unit_test(refuses_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
