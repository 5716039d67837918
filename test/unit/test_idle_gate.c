/* When a stream is decoded whole, and when only its keyframes are watched. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "clock.h"
#include "idle_gate.h"

#define FRAME_US (CLOCK_SECOND / 10)

/* A camera of ten frames a second in front of a gate. */
typedef struct Stream
{
	IdleGate gate;
	int64_t at_us;
	int64_t gop_us;
	int64_t next_key_us;
	bool active;
	bool viewed;
	bool strange; /* the scene is not learnt */
	GateSight sight;
	int decoded;
	int looks;
	int wakes;
} Stream;

static void
begin(Stream *stream, int64_t gop_us)
{
	*stream = (Stream){.gop_us = gop_us};
	idle_gate_init(&stream->gate);
	idle_gate_want(&stream->gate, true);
}

static void
one_packet(Stream *stream)
{
	bool key = stream->at_us >= stream->next_key_us;
	GateStep step = idle_gate_packet(&stream->gate, key, stream->at_us, stream->viewed);

	if (key)
		stream->next_key_us = stream->at_us + stream->gop_us;
	if (step == GATE_LOOK)
	{
		assert_true(key);
		stream->looks++;
		step = idle_gate_looked(&stream->gate, stream->sight);
	}
	if (step == GATE_WAKE)
		stream->wakes++;
	if (step == GATE_DECODE)
		stream->decoded++;
	if (!stream->gate.watching)
	{
		idle_gate_saw(&stream->gate, stream->active);
		idle_gate_rest(&stream->gate, !stream->strange, stream->viewed);
	}
	stream->at_us += FRAME_US;
}

static void
play(Stream *stream, double seconds)
{
	int64_t end_us = stream->at_us + (int64_t) (seconds * CLOCK_SECOND);

	stream->decoded = stream->looks = stream->wakes = 0;
	while (stream->at_us < end_us)
		one_packet(stream);
}

static const char *
note(const Stream *stream)
{
	static char text[128];

	return idle_gate_note(&stream->gate, text, sizeof(text));
}

static void
a_calm_stream_is_watched(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 4);
	assert_true(stream.gate.watching);
	play(&stream, 60);
	assert_int_equal(stream.looks, 60);
	assert_int_equal(stream.decoded, 0);
	assert_int_equal(stream.wakes, 0);
	assert_string_equal(note(&stream), "");
	assert_in_range(stream.gate.watching_us, 59 * CLOCK_SECOND, 61 * CLOCK_SECOND);
	assert_in_range(stream.gate.decoding_us, 2 * CLOCK_SECOND, 4 * CLOCK_SECOND);
}

/* Keyframes that come more often are not all looked at, but none is waited for longer than a second. */
static void
frequent_keyframes_are_looked_at_once_a_second(void **state)
{
	const struct
	{
		double gop_s;
		int looks; /* in a minute */
	} cases[] = {{0.1, 120}, {0.2, 100}, {0.3, 67}, {0.5, 60}, {0.6, 100}, {0.9, 67}, {1.5, 40}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Stream stream;

		begin(&stream, (int64_t) (cases[i].gop_s * CLOCK_SECOND));
		play(&stream, 10);
		assert_true(stream.gate.watching);
		play(&stream, 60);
		assert_in_range(stream.looks, cases[i].looks - 1, cases[i].looks + 1);
		assert_string_equal(note(&stream), "");
	}
}

static void
nothing_is_watched_unless_it_is_wanted(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	idle_gate_want(&stream.gate, false);
	play(&stream, 30);
	assert_int_equal(stream.decoded, 300);
	/* Switched on while it runs, and off again: the past is decoded then. */
	idle_gate_want(&stream.gate, true);
	play(&stream, 10);
	assert_true(stream.gate.watching);
	idle_gate_want(&stream.gate, false);
	play(&stream, 10);
	assert_int_equal(stream.wakes, 1);
	assert_int_equal(stream.decoded, 99);
	assert_int_equal(stream.gate.wakes, 0);
}

static void
an_alarm_wakes_until_it_is_calm(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 20);
	stream.sight = GATE_SOMETHING;
	stream.active = true;
	play(&stream, 8);
	assert_int_equal(stream.wakes, 1);
	assert_int_equal(stream.looks, 1);
	assert_false(stream.gate.watching);
	stream.sight = GATE_NOTHING;
	stream.active = false;
	play(&stream, 1);
	assert_false(stream.gate.watching);
	play(&stream, 2);
	assert_true(stream.gate.watching);
	assert_true(stream.gate.alarmed && stream.gate.confirmed);
	assert_int_equal(stream.gate.wakes, 1);
}

static void
a_wrong_alarm_is_known_as_one(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 20);
	stream.sight = GATE_SOMETHING;
	play(&stream, 1);
	assert_false(stream.gate.watching);
	stream.sight = GATE_NOTHING;
	play(&stream, 4);
	assert_true(stream.gate.watching);
	assert_true(stream.gate.alarmed);
	assert_false(stream.gate.confirmed);
}

static void
keyframes_too_far_apart_are_not_watched(void **state)
{
	Stream stream;

	begin(&stream, 4 * CLOCK_SECOND);
	play(&stream, 30);
	assert_int_equal(stream.looks, 0);
	assert_int_equal(stream.decoded, 300);
	assert_string_equal(note(&stream), "a keyframe only every 4.0 s, which must be 2 s or less");
	/* Somebody sets the camera right. */
	stream.gop_us = CLOCK_SECOND;
	play(&stream, 12);
	assert_true(stream.gate.watching);
	assert_string_equal(note(&stream), "");
}

static void
two_seconds_are_watched(void **state)
{
	Stream stream;

	begin(&stream, 2 * CLOCK_SECOND);
	play(&stream, 10);
	assert_true(stream.gate.watching);
	play(&stream, 20);
	assert_int_equal(stream.looks, 10);
}

static void
a_keyframe_that_does_not_come_wakes(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 20);
	assert_true(stream.gate.watching);
	stream.next_key_us = INT64_MAX;
	play(&stream, 4);
	assert_int_equal(stream.wakes, 1);
	assert_false(stream.gate.watching);
	play(&stream, 10);
	assert_string_equal(note(&stream), "the stream has no keyframes");
	assert_int_equal(stream.decoded, 100);
	assert_int_equal(stream.gate.wakes, 0);
}

static void
a_stream_without_keyframes_is_decoded(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	stream.next_key_us = INT64_MAX;
	play(&stream, 30);
	assert_int_equal(stream.decoded, 300);
	assert_string_equal(note(&stream), "the stream has no keyframes");
}

static void
keyframes_that_depend_on_others_are_given_up(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 10);
	stream.sight = GATE_UNREADABLE;
	play(&stream, 60);
	assert_int_equal(stream.looks, 2);
	assert_false(stream.gate.watching);
	assert_string_equal(note(&stream),
						"its keyframes give no picture by themselves (intra-refresh)");
	assert_int_equal(stream.gate.wakes, 0);
}

static void
keyframes_that_are_none_are_given_up(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	stream.strange = true;
	play(&stream, 29);
	assert_string_equal(note(&stream), "");
	play(&stream, 5);
	assert_string_equal(note(&stream),
						"its keyframes give no picture by themselves (intra-refresh)");
	assert_int_equal(stream.looks, 0);
}

static void
a_stream_of_keyframes_is_sampled(void **state)
{
	Stream stream;

	begin(&stream, 0);
	play(&stream, 10);
	assert_true(stream.gate.watching);
	play(&stream, 10);
	assert_int_equal(stream.looks, 20);
}

static void
whoever_looks_sees_every_frame(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 10);
	stream.viewed = true;
	play(&stream, 10);
	assert_int_equal(stream.wakes, 1);
	assert_int_equal(stream.decoded, 99);
	stream.viewed = false;
	play(&stream, 4);
	assert_true(stream.gate.watching);
	assert_int_equal(stream.gate.wakes, 0);
	assert_false(stream.gate.alarmed);
}

/* Rain: an alarm as soon as it is watched.  Decoding pauses less and less. */
static void
a_scene_that_never_calms_is_said_to(void **state)
{
	Stream stream;
	bool said = false;

	begin(&stream, CLOCK_SECOND);
	stream.sight = GATE_SOMETHING;
	for (int i = 0; i < 1200; i++)
	{
		play(&stream, 1);
		said = said || strcmp(note(&stream), "the scene hardly ever calms") == 0;
	}
	assert_true(said);
	play(&stream, 600);
	/* Every half minute one attempt. */
	assert_in_range(stream.wakes, 15, 25);
	stream.sight = GATE_NOTHING;
	play(&stream, 40);
	assert_true(stream.gate.watching);
}

static void
timestamps_that_begin_anew_do_no_harm(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	stream.at_us = stream.next_key_us = 3600 * CLOCK_SECOND;
	play(&stream, 10);
	assert_true(stream.gate.watching);
	stream.at_us = stream.next_key_us = 0;
	play(&stream, 10);
	assert_true(stream.gate.watching);
	stream.sight = GATE_SOMETHING;
	play(&stream, 1);
	assert_false(stream.gate.watching);
	stream.sight = GATE_NOTHING;
	play(&stream, 5);
	assert_true(stream.gate.watching);
}

static void
a_restart_decodes_again(void **state)
{
	Stream stream;

	begin(&stream, CLOCK_SECOND);
	play(&stream, 10);
	assert_true(stream.gate.watching);
	idle_gate_restart(&stream.gate);
	play(&stream, 1);
	assert_int_equal(stream.decoded, 10);
	play(&stream, 5);
	assert_true(stream.gate.watching);
	assert_true(stream.gate.watching_us > 5 * CLOCK_SECOND);
	idle_gate_reset_totals(&stream.gate);
	assert_int_equal(stream.gate.watching_us, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_calm_stream_is_watched),
		cmocka_unit_test(frequent_keyframes_are_looked_at_once_a_second),
		cmocka_unit_test(nothing_is_watched_unless_it_is_wanted),
		cmocka_unit_test(an_alarm_wakes_until_it_is_calm),
		cmocka_unit_test(a_wrong_alarm_is_known_as_one),
		cmocka_unit_test(keyframes_too_far_apart_are_not_watched),
		cmocka_unit_test(two_seconds_are_watched),
		cmocka_unit_test(a_keyframe_that_does_not_come_wakes),
		cmocka_unit_test(a_stream_without_keyframes_is_decoded),
		cmocka_unit_test(keyframes_that_depend_on_others_are_given_up),
		cmocka_unit_test(keyframes_that_are_none_are_given_up),
		cmocka_unit_test(a_stream_of_keyframes_is_sampled),
		cmocka_unit_test(whoever_looks_sees_every_frame),
		cmocka_unit_test(a_scene_that_never_calms_is_said_to),
		cmocka_unit_test(timestamps_that_begin_anew_do_no_harm),
		cmocka_unit_test(a_restart_decodes_again),
	};

	return cmocka_run_group_tests_name("idle_gate", tests, NULL, NULL);
}
