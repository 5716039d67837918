/* A camera from its start to its end, on videos the test makes, without a model. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "clock.h"
#include "fleet.h"
#include "log.h"
#include "video_fixture.h"

#define FRAMES 120
#define PATIENCE_US (20 * CLOCK_SECOND)

static char root[] = "/tmp/pg_cctv_camera_XXXXXX";
static char video[64];

typedef struct Engine
{
	CameraWorld world;
	Fleet *fleet;
} Engine;

static void
discard(void *arg, LogLevel level, int camera_id, const char *message)
{
}

static int
set_up(void **state)
{
	log_capture_ffmpeg();
	log_set_sink(discard, NULL);
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(video, sizeof(video), "%s/video.avi", root);
	video_write(video, 320, 240, 10, FRAMES);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
engine_start(Engine *engine)
{
	*engine = (Engine){0};
	engine->world.queue = event_queue_create(1000, 1 << 20);
	engine->world.pool = pool_create(1);
	engine->world.models = model_cache_create();
	engine->world.live = live_board_create();
	engine->world.stall_timeout_us = CLOCK_SECOND;
	engine->world.news_fd = eventfd(0, EFD_NONBLOCK);
	engine->fleet = fleet_create(&engine->world);
}

/* Let the engine's cameras be those of a JSON array. */
static void
follow(Engine *engine, const char *cameras)
{
	char text[4096];
	char reason[256];
	DesiredState *state;

	snprintf(text, sizeof(text), "{\"cameras\":%s}", cameras);
	state = desired_state_parse(text, strlen(text), reason, sizeof(reason));
	assert_non_null(state);
	fleet_follow(engine->fleet, state);
	desired_state_free(state);
}

static void
follow_video(Engine *engine, const char *fields)
{
	char cameras[1024];

	snprintf(cameras, sizeof(cameras), "[{\"camera_id\":1,\"url\":\"%s\"%s}]", video, fields);
	follow(engine, cameras);
}

/* The next event, the fleet being tended meanwhile; fails if there is none for long. */
static json_t *
next_event(Engine *engine)
{
	int64_t deadline = clock_monotonic_us() + PATIENCE_US;

	while (clock_monotonic_us() < deadline)
	{
		char *line = event_queue_pop(engine->world.queue, clock_monotonic_us() + 10000);
		json_t *event;

		fleet_tend(engine->fleet);
		if (line == NULL)
			continue;
		event = json_loads(line, 0, NULL);
		assert_non_null(event);
		free(line);
		return event;
	}
	fail_msg("no event came");
	return NULL;
}

static const char *
text_of(json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));

	return text != NULL ? text : "";
}

/* Skip events up to a state of this name; returns its message, malloc'd. */
static char *
await_state(Engine *engine, const char *state)
{
	for (;;)
	{
		json_t *event = next_event(engine);
		char *message = NULL;

		if (strcmp(text_of(event, "state"), state) == 0)
			message = strdup(text_of(event, "message"));
		json_decref(event);
		if (message != NULL)
			return message;
	}
}

static void
expect_state(Engine *engine, const char *state, const char *message)
{
	char *got = await_state(engine, state);

	assert_string_equal(got, message);
	free(got);
}

static void
engine_stop(Engine *engine)
{
	int64_t deadline = clock_monotonic_us() + CLOCK_SECOND;

	fleet_stop(engine->fleet);
	while (fleet_size(engine->fleet) > 0)
	{
		char *line = event_queue_pop(engine->world.queue, clock_monotonic_us() + 5000);

		free(line);
		fleet_tend(engine->fleet);
		if (clock_monotonic_us() > deadline)
			fail_msg("a camera does not stop");
	}
	fleet_free(engine->fleet);
	pool_free(engine->world.pool);
	model_cache_free(engine->world.models);
	live_board_free(engine->world.live);
	recording_writer_stop(engine->world.recordings);
	event_queue_free(engine->world.queue);
	close(engine->world.news_fd);
}

/* Play the video unpaced; the lines without what may differ, one below the other. */
static char *
play_once(void)
{
	static const char *const varying[] = {"session",	  "fps_in",		  "fps_decoded",
										  "fps_analysed", "inference_ms", "decoded_at"};
	Engine engine;
	char *lines = calloc(1, 1 << 20);
	bool finished = false;

	engine_start(&engine);
	follow_video(&engine, ",\"realtime\":false,\"file_start\":\"2026-01-01T00:00:00Z\"");
	while (!finished)
	{
		json_t *event = next_event(&engine);
		char *line;

		finished = strcmp(text_of(event, "state"), "finished") == 0;
		for (size_t i = 0; i < sizeof(varying) / sizeof(varying[0]); i++)
			json_object_del(event, varying[i]);
		line = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(9));
		strcat(strcat(lines, line), "\n");
		free(line);
		json_decref(event);
	}
	engine_stop(&engine);
	return lines;
}

static void
a_file_says_the_same_every_time(void **state)
{
	char *first = play_once();
	char *second = play_once();

	assert_string_equal(first, second);
	assert_non_null(
		strstr(first, "\"seq\":1,\"at\":\"2026-01-01T00:00:00.000000Z\",\"state\":\"starting\""));
	assert_non_null(strstr(first, "\"state\":\"running\""));
	assert_non_null(strstr(first, "\"type\":\"motion\""));
	/* The last frame of 12 s at 10 a second, all of them decoded, half of them analysed. */
	assert_non_null(strstr(first,
						   "\"last_frame_at\":\"2026-01-01T00:00:11.900000Z\",\"frames\":120,"
						   "\"analysed\":60,\"skipped\":0"));
	assert_non_null(strstr(first, "\"at\":\"2026-01-01T00:00:11.900000Z\",\"state\":\"finished\""));
	free(first);
	free(second);
}

static void
a_loop_goes_on_in_one_session(void **state)
{
	Engine engine;
	char session[64] = "";
	char last[64] = "";

	engine_start(&engine);
	follow_video(&engine,
				 ",\"realtime\":false,\"loop\":true,\"file_start\":\"2026-01-01T00:00:00Z\"");
	while (strcmp(last, "2026-01-01T00:01:00") < 0)
	{
		json_t *event = next_event(&engine);

		if (session[0] == '\0')
			strcpy(session, text_of(event, "session"));
		assert_string_equal(text_of(event, "session"), session);
		assert_true(strcmp(text_of(event, "at"), last) >= 0);
		strcpy(last, text_of(event, "at"));
		json_decref(event);
	}
	engine_stop(&engine);
}

static void
a_file_runs_again_when_run_changes(void **state)
{
	Engine engine;

	engine_start(&engine);
	follow_video(&engine, ",\"realtime\":false,\"run\":1");
	expect_state(&engine, "finished", "");
	/* The same again, or with other detection: it stays finished. */
	follow_video(&engine, ",\"realtime\":false,\"run\":1,\"detect_fps\":3");
	while (fleet_ended(engine.fleet) == 0)
		sched_yield();
	fleet_tend(engine.fleet);
	assert_int_equal(fleet_ended(engine.fleet), 1);
	follow_video(&engine, ",\"realtime\":false,\"run\":2");
	expect_state(&engine, "starting", "");
	expect_state(&engine, "finished", "");
	engine_stop(&engine);
}

static void
real_time_takes_its_time(void **state)
{
	Engine engine;
	int64_t start;

	engine_start(&engine);
	start = clock_monotonic_us();
	follow_video(&engine, "");
	expect_state(&engine, "finished", "");
	assert_in_range(clock_monotonic_us() - start, 119 * CLOCK_SECOND / 10, 20 * CLOCK_SECOND);
	engine_stop(&engine);
}

static void
errors_are_said_and_do_not_spread(void **state)
{
	Engine engine;
	char cameras[1024];
	int errors = 0;
	bool finished = false;

	engine_start(&engine);
	snprintf(
		cameras, sizeof(cameras),
		"[{\"camera_id\":1,\"url\":\"/nonexistent.avi\"},{\"camera_id\":2,\"url\":\"nonsense\"},"
		"{\"camera_id\":3,\"url\":\"%s\",\"detect_fps\":-1},"
		"{\"camera_id\":4,\"url\":\"%s\",\"realtime\":false}]",
		video, video);
	follow(&engine, cameras);
	while (errors < 3 || !finished)
	{
		json_t *event = next_event(&engine);

		if (strcmp(text_of(event, "state"), "error") == 0)
		{
			errors++;
			assert_true(strlen(text_of(event, "message")) > 0);
		}
		finished |= strcmp(text_of(event, "state"), "finished") == 0;
		json_decref(event);
	}
	assert_int_equal(fleet_failures(engine.fleet), 3);
	engine_stop(&engine);
}

static void
a_refused_connection_is_tried_again(void **state)
{
	Engine engine;

	engine_start(&engine);
	follow(&engine, "[{\"camera_id\":1,\"url\":\"rtsp://127.0.0.1:1/\"}]");
	expect_state(&engine, "reconnecting", "connection refused");
	/* Another URL does not wait for the next attempt, and is no stop. */
	follow_video(&engine, "");
	expect_state(&engine, "starting", "");
	expect_state(&engine, "running", "");
	follow(&engine, "[]");
	expect_state(&engine, "stopped", "");
	engine_stop(&engine);
}

static void
a_missing_model_is_told_in_the_message(void **state)
{
	Engine engine;
	char *message;

	engine_start(&engine);
	follow_video(&engine, ",\"models\":[\"unicorns\"],\"loop\":true,\"realtime\":false");
	do
		message = await_state(&engine, "running");
	while (*message == '\0' && (free(message), true));
	assert_string_equal(message, "no objects: model unicorns is not registered");
	free(message);
	engine_stop(&engine);
}

static void
detection_changes_without_a_new_session(void **state)
{
	Engine engine;
	char session[64] = "";
	int phase = 0;

	engine_start(&engine);
	follow_video(&engine, ",\"loop\":true,\"detect\":false");
	/* No motion is told of while detection is off, then it is, then no more. */
	while (phase < 3)
	{
		json_t *event = next_event(&engine);

		if (session[0] == '\0')
			strcpy(session, text_of(event, "session"));
		assert_string_equal(text_of(event, "session"), session);
		if (phase == 0)
		{
			assert_string_not_equal(text_of(event, "type"), "motion");
			if (strcmp(text_of(event, "state"), "running") == 0)
			{
				follow_video(&engine, ",\"loop\":true,\"detect\":true");
				phase = 1;
			}
		}
		else if (strcmp(text_of(event, "type"), "motion") == 0)
		{
			bool active = json_is_true(json_object_get(event, "active"));

			assert_int_equal(active, phase == 1);
			phase++;
			follow_video(&engine, ",\"loop\":true,\"detect\":false");
		}
		json_decref(event);
	}
	engine_stop(&engine);
}

static void
a_full_queue_does_not_hold_up_the_control_thread(void **state)
{
	Engine engine;

	engine_start(&engine);
	event_queue_free(engine.world.queue);
	engine.world.queue = event_queue_create(2, 1 << 20);
	event_queue_push(engine.world.queue, strdup("{}\n"), 0, EVENT_LASTING);
	follow_video(&engine, ",\"realtime\":false");
	expect_state(&engine, "starting", "");
	engine_stop(&engine);
}

static void
what_is_recorded_changes_while_the_other_stream_is_in_error(void **state)
{
	static const char camera[] = "[{\"camera_id\":1,\"url\":\"rtsp://127.0.0.1:1/\","
								 "\"detect_url\":\"/nonexistent.avi\",\"record_manual\":%s}]";
	char cameras[256];
	Engine engine;
	bool told = false;

	engine_start(&engine);
	engine.world.recordings = recording_writer_start(root, CLOCK_SECOND);
	snprintf(cameras, sizeof(cameras), camera, "false");
	follow(&engine, cameras);
	free(await_state(&engine, "error"));
	snprintf(cameras, sizeof(cameras), camera, "true");
	follow(&engine, cameras);
	while (!told)
	{
		json_t *event = next_event(&engine);

		told = strcmp(text_of(event, "action"), "failed") == 0;
		json_decref(event);
	}
	engine_stop(&engine);
}

static void
motion_ends_when_nobody_looks_for_it_any_more(void **state)
{
	Engine engine;
	bool active = false;
	bool over = false;

	engine_start(&engine);
	engine.world.recordings = recording_writer_start(root, CLOCK_SECOND);
	follow_video(&engine, ",\"detect\":false,\"file_start\":\"2026-01-01T00:00:00Z\","
						  "\"record\":\"motion\"");
	while (!over)
	{
		json_t *event = next_event(&engine);

		if (strcmp(text_of(event, "type"), "motion") == 0)
		{
			over = active && !json_is_true(json_object_get(event, "active"));
			active = json_is_true(json_object_get(event, "active"));
			/* Long before the end of the video ends it, too. */
			assert_true(strcmp(text_of(event, "at"), "2026-01-01T00:00:08") < 0);
			follow_video(&engine, ",\"detect\":false,\"file_start\":\"2026-01-01T00:00:00Z\"");
		}
		json_decref(event);
	}
	engine_stop(&engine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_says_the_same_every_time),
		cmocka_unit_test(a_loop_goes_on_in_one_session),
		cmocka_unit_test(a_file_runs_again_when_run_changes),
		cmocka_unit_test(real_time_takes_its_time),
		cmocka_unit_test(errors_are_said_and_do_not_spread),
		cmocka_unit_test(a_refused_connection_is_tried_again),
		cmocka_unit_test(a_missing_model_is_told_in_the_message),
		cmocka_unit_test(detection_changes_without_a_new_session),
		cmocka_unit_test(a_full_queue_does_not_hold_up_the_control_thread),
		cmocka_unit_test(what_is_recorded_changes_while_the_other_stream_is_in_error),
		cmocka_unit_test(motion_ends_when_nobody_looks_for_it_any_more),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
