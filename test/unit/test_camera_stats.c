/* What a camera tells of itself every two seconds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "camera_stats.h"
#include "event_queue.h"

typedef struct Teller
{
	CameraStats stats;
	Counters counters;
	EventQueue *queue;
	EventStream *events;
	atomic_bool cancel;
} Teller;

static int
begin(void **state)
{
	Teller *teller = calloc(1, sizeof(*teller));

	camera_stats_init(&teller->stats);
	teller->queue = event_queue_create(10, 1 << 20);
	teller->events = event_stream_create(teller->queue, 1, false, &teller->cancel);
	event_stream_begin(teller->events);
	*state = teller;
	return 0;
}

static int
end(void **state)
{
	Teller *teller = *state;

	event_stream_free(teller->events);
	event_queue_close(teller->queue);
	event_queue_free(teller->queue);
	camera_stats_destroy(&teller->stats);
	free(teller);
	return 0;
}

/* So many more packets, all decoded, analysed and searched, in so many ms each. */
static void
work(Teller *teller, int frames, int ms)
{
	teller->counters.packets += frames;
	teller->counters.frames += frames;
	teller->counters.analysed += frames;
	teller->counters.inferences += frames;
	teller->counters.inference_us += (uint64_t) frames * ms * 1000;
}

/* The line, for the caller to free; two seconds after the last. */
static json_t *
tell(Teller *teller)
{
	const EventPublish none = {PUBLISH_OFF};
	char *line;
	json_t *told;

	teller->stats.told_us -= 2000000;
	camera_stats_tell(&teller->stats, &teller->counters, 0, "", &none, teller->events, 0);
	line = event_queue_pop(teller->queue, 0);
	assert_non_null(line);
	told = json_loads(line, 0, NULL);
	assert_non_null(told);
	free(line);
	return told;
}

static void
expect(json_t *told, const char *key, double value, double tolerance)
{
	double got = json_number_value(json_object_get(told, key));

	if (got < value - tolerance || got > value + tolerance)
		fail_msg("%s is %g, not %g", key, got, value);
}

static void
rates_are_of_the_time_since_the_last_line(void **state)
{
	Teller *teller = *state;
	json_t *told;

	work(teller, 10, 20);
	json_decref(tell(teller));
	work(teller, 30, 40);
	told = tell(teller);
	expect(told, "fps_in", 15, 0.5);
	expect(told, "fps_analysed", 15, 0.5);
	expect(told, "inference_ms", 40, 1e-6);
	expect(told, "inferences", 40, 0);
	json_decref(told);
}

/* Its counts may be beyond those of the session before when they are told. */
static void
a_new_session_counts_from_zero(void **state)
{
	Teller *teller = *state;
	json_t *told;

	work(teller, 4, 50);
	json_decref(tell(teller));
	counters_begin_session(&teller->counters);
	work(teller, 8, 10);
	told = tell(teller);
	expect(told, "fps_in", 4, 0.5);
	expect(told, "inference_ms", 10, 1e-6);
	expect(told, "inferences", 8, 0);
	json_decref(told);
}

/* Other threads count on while the counters are read. */
static void
a_count_that_falls_in_between_is_none(void **state)
{
	Teller *teller = *state;
	json_t *told;

	work(teller, 4, 50);
	json_decref(tell(teller));
	teller->counters.inferences++;
	teller->counters.inference_us = 0;
	teller->counters.packets = 0;
	told = tell(teller);
	expect(told, "fps_in", 0, 0);
	expect(told, "inference_ms", 0, 0);
	json_decref(told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rates_are_of_the_time_since_the_last_line, begin, end),
		cmocka_unit_test_setup_teardown(a_new_session_counts_from_zero, begin, end),
		cmocka_unit_test_setup_teardown(a_count_that_falls_in_between_is_none, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
