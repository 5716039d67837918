/* Which frames are analysed, when they happened, and when to try again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backoff.h"
#include "clock.h"
#include "sampler.h"
#include "timeline.h"

/* Frames taken of `seconds` of a stream. */
static int
count(double stream_fps, double detect_fps, int seconds, int64_t jitter_us)
{
	Sampler sampler;
	int taken = 0;

	sampler_init(&sampler, detect_fps);
	for (int i = 0; i < seconds * stream_fps; i++)
	{
		int64_t at = (int64_t) (i * CLOCK_SECOND / stream_fps) + (i % 2 ? jitter_us : -jitter_us);

		taken += sampler_take(&sampler, at + 1700000000 * CLOCK_SECOND);
	}
	return taken;
}

static void
takes_the_rate_asked_for(void **state)
{
	assert_int_equal(count(10, 5, 100, 0), 500);
	assert_int_equal(count(15, 5, 100, 0), 500);
	assert_in_range(count(15, 4, 100, 0), 395, 405);
	assert_in_range(count(25, 7, 100, 0), 695, 705);
	assert_int_equal(count(10, 10, 100, 0), 1000);
	assert_int_equal(count(10, 30, 100, 0), 1000);
	assert_int_equal(count(30, 0.5, 100, 0), 50);
	assert_int_equal(count(120, 60, 10, 0), 600);
}

static void
jitter_changes_nothing(void **state)
{
	assert_in_range(count(10, 5, 100, 15000), 495, 505);
	assert_in_range(count(25, 5, 100, 10000), 495, 505);
}

static void
a_gap_is_not_made_up_for(void **state)
{
	Sampler sampler;

	sampler_init(&sampler, 5);
	assert_true(sampler_take(&sampler, 0));
	assert_false(sampler_take(&sampler, 100000));
	assert_true(sampler_take(&sampler, 60 * CLOCK_SECOND));
	assert_false(sampler_take(&sampler, 60 * CLOCK_SECOND + 100000));
	assert_true(sampler_take(&sampler, 60 * CLOCK_SECOND + 200000));
}

static void
a_file_starts_at_its_start(void **state)
{
	Timeline timeline;

	timeline_file(&timeline, 1000 * CLOCK_SECOND);
	assert_int_equal(timeline_at(&timeline, 7000000, 0, 1), 1000 * CLOCK_SECOND);
	assert_int_equal(timeline_at(&timeline, 7040000, 0, 2), 1000 * CLOCK_SECOND + 40000);
	/* Never backwards, never twice the same. */
	assert_int_equal(timeline_at(&timeline, 7000000, 0, 3), 1000 * CLOCK_SECOND + 40001);
	/* Missing and absurd timestamps follow the last frame. */
	assert_int_equal(timeline_at(&timeline, TIMELINE_NO_PTS, 40000, 4),
					 1000 * CLOCK_SECOND + 80001);
	assert_int_equal(timeline_at(&timeline, INT64_MAX, 40000, 4), 1000 * CLOCK_SECOND + 120001);
}

static void
a_loop_goes_on_from_the_last_frame(void **state)
{
	Timeline timeline;

	timeline_file(&timeline, 0);
	timeline_at(&timeline, 0, 0, 0);
	assert_int_equal(timeline_at(&timeline, 40000, 0, 0), 40000);
	timeline_restart(&timeline);
	assert_int_equal(timeline_at(&timeline, 0, 0, 0), 80000);
	assert_int_equal(timeline_at(&timeline, 40000, 0, 0), 120000);
}

static void
a_loop_of_one_frame_takes_its_time(void **state)
{
	Timeline timeline;

	timeline_file(&timeline, 0);
	timeline_at(&timeline, 0, 0, 0);
	timeline_restart(&timeline);
	assert_int_equal(timeline_at(&timeline, 0, 0, 0), 40000);
}

static void
recordings_put_end_to_end_go_on(void **state)
{
	Timeline timeline;

	timeline_file(&timeline, 0);
	timeline_at(&timeline, 500000, 40000, 0);
	assert_int_equal(timeline_at(&timeline, 9500000, 40000, 0), 9000000);
	assert_int_equal(timeline_at(&timeline, 500000, 40000, 0), 9040000);
	assert_int_equal(timeline_at(&timeline, 540000, 40000, 0), 9080000);
}

static void
a_live_stream_is_spaced_by_its_timestamps(void **state)
{
	Timeline timeline;
	int64_t wall = 1700000000 * CLOCK_SECOND;

	timeline_live(&timeline);
	assert_int_equal(timeline_at(&timeline, 500, 0, wall), wall);
	/* Late by 30 ms on the network, at its place all the same. */
	assert_int_equal(timeline_at(&timeline, 40500, 0, wall + 70000), wall + 40000);
	/* Too early for where it was placed: the first frame had been held up. */
	assert_int_equal(timeline_at(&timeline, 80500, 0, wall + 60000), wall + 60000);
	assert_int_equal(timeline_at(&timeline, 120500, 0, wall + 120000), wall + 100000);
}

static void
a_drifting_camera_is_anchored_anew(void **state)
{
	Timeline timeline;
	int64_t wall = 1700000000 * CLOCK_SECOND;
	int64_t last = 0;

	timeline_live(&timeline);
	/* A camera whose clock is 1 % slow, for an hour. */
	for (int64_t i = 0; i < 36000; i++)
	{
		int64_t now = wall + i * 101000;
		int64_t at = timeline_at(&timeline, i * 100000, 0, now);

		assert_true(at > last);
		assert_true(at <= now && now - at <= CLOCK_SECOND);
		last = at;
	}
	/* Its timestamps jump back by a day, and then there are none. */
	assert_true(timeline_at(&timeline, -86400 * CLOCK_SECOND, 0, last + 200000) > last);
	assert_int_equal(timeline_at(&timeline, TIMELINE_NO_PTS, 0, last + 300000), last + 300000);
}

static void
a_clock_that_is_set_back_is_noticed(void **state)
{
	Timeline timeline;
	int64_t wall = 1700000000 * CLOCK_SECOND;

	timeline_live(&timeline);
	assert_false(timeline_is_ahead(&timeline, wall));
	timeline_at(&timeline, 0, 0, wall);
	/* By a second: times stand still for so long. */
	timeline_at(&timeline, 40000, 0, wall - CLOCK_SECOND);
	assert_false(timeline_is_ahead(&timeline, wall - CLOCK_SECOND));
	timeline_at(&timeline, 80000, 0, wall - 3600 * CLOCK_SECOND);
	assert_true(timeline_is_ahead(&timeline, wall - 3600 * CLOCK_SECOND));
	timeline_live(&timeline);
	assert_int_equal(timeline_at(&timeline, 120000, 0, wall - 3600 * CLOCK_SECOND),
					 wall - 3600 * CLOCK_SECOND);
	/* A file has times of its own. */
	timeline_file(&timeline, wall);
	timeline_at(&timeline, 0, 0, 0);
	assert_false(timeline_is_ahead(&timeline, 0));
}

static void
retries_come_slower_and_slower(void **state)
{
	Backoff backoff;
	static const int steps[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};

	backoff_init(&backoff, 7);
	for (int round = 0; round < 2; round++)
	{
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			assert_in_range(backoff_next(&backoff), steps[i] * CLOCK_SECOND * 8 / 10,
							steps[i] * CLOCK_SECOND);
		backoff_reset(&backoff);
	}
}

static void
cameras_do_not_retry_in_step(void **state)
{
	Backoff a;
	Backoff b;
	int same = 0;

	backoff_init(&a, 1);
	backoff_init(&b, 2);
	for (int i = 0; i < 20; i++)
		same += backoff_next(&a) == backoff_next(&b);
	assert_true(same < 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_rate_asked_for),
		cmocka_unit_test(jitter_changes_nothing),
		cmocka_unit_test(a_gap_is_not_made_up_for),
		cmocka_unit_test(a_file_starts_at_its_start),
		cmocka_unit_test(a_loop_goes_on_from_the_last_frame),
		cmocka_unit_test(a_loop_of_one_frame_takes_its_time),
		cmocka_unit_test(recordings_put_end_to_end_go_on),
		cmocka_unit_test(a_live_stream_is_spaced_by_its_timestamps),
		cmocka_unit_test(a_drifting_camera_is_anchored_anew),
		cmocka_unit_test(a_clock_that_is_set_back_is_noticed),
		cmocka_unit_test(retries_come_slower_and_slower),
		cmocka_unit_test(cameras_do_not_retry_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
