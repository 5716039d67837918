/* The worker's document: read, checked and compared. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "desired_state.h"
#include "protocol.h"
#include "state_reader.h"

#define CAMERA(fields) "{\"cameras\":[{\"camera_id\":3,\"url\":\"rtsp://h/a\"" fields "}]}"

static DesiredState *
parse(const char *text)
{
	char error[256] = "";
	DesiredState *state = desired_state_parse(text, strlen(text), error, sizeof(error));

	if (state == NULL)
		print_message("%s\n", error);
	return state;
}

static void
reads_a_full_document(void **state)
{
	DesiredState *s = parse(
		"{\"settings\":{\"models_dir\":\"/m\",\"media_dir\":\"/d\",\"source_paths\":[\"/v\",\"/"
		"w\"],"
		"\"detector_threads\":2,\"stall_timeout\":2.5,\"log_level\":\"debug\",\"sandbox\":false,"
		"\"memory_limit\":8589934592,\"nice\":7,\"future\":1},"
		"\"models\":[{\"name\":\"objects\",\"kind\":\"efficientdet\",\"file\":\"a/b.onnx\","
		"\"runtime\":\"onnxruntime\",\"input_width\":384,\"input_height\":320,"
		"\"labels\":[\"person\",\"car\"],\"min_confidence\":0.25,\"nms_iou\":0.4,\"options\":{}}],"
		"\"cameras\":[{\"camera_id\":3,\"run\":4,\"name\":\"lobby\",\"url\":\"rtsp://h/main\","
		"\"detect_url\":\"rtsp://h/sub\",\"username\":\"u\",\"password\":\"p\","
		"\"rtsp_transport\":\"udp\",\"detect\":false,\"detect_fps\":2.5,\"models\":[\"objects\"],"
		"\"labels\":[\"person\"],\"min_confidence\":0.6,\"motion_threshold\":30,"
		"\"motion_min_area\":0.001,\"snapshots\":false,\"realtime\":false,\"loop\":true,"
		"\"file_start\":\"2026-01-01T00:00:00Z\"}]}");
	CameraConfig *c;

	assert_non_null(s);
	assert_string_equal(s->settings.models_dir, "/m");
	assert_string_equal(s->settings.media_dir, "/d");
	assert_int_equal(s->settings.source_paths.count, 2);
	assert_int_equal(s->settings.detector_threads, 2);
	assert_true(s->settings.stall_timeout == 2.5);
	assert_int_equal(s->settings.log_level, LOG_LEVEL_DEBUG);
	assert_false(s->settings.sandbox);
	assert_true(s->settings.memory_limit == 8589934592);
	assert_int_equal(s->settings.nice, 7);
	assert_int_equal(s->nmodels, 1);
	assert_string_equal(s->models[0]->path, "/m/a/b.onnx");
	assert_int_equal(s->models[0]->labels.count, 2);
	assert_int_equal(s->ncameras, 1);
	c = s->cameras[0];
	assert_null(c->problem);
	assert_int_equal(c->run, 4);
	assert_string_equal(c->url, "rtsp://h/sub");
	assert_string_equal(c->username, "u");
	assert_string_equal(c->password, "p");
	assert_true(c->udp && c->loop && c->has_file_start);
	assert_false(c->detect || c->snapshots || c->realtime || c->all_labels);
	assert_true(c->file_start_us == INT64_C(1767225600000000));
	assert_int_equal(c->motion.threshold, 30);
	desired_state_free(s);
}

static void
fills_in_what_is_missing(void **state)
{
	DesiredState *s = parse(CAMERA(""));

	assert_non_null(s);
	assert_true(s->settings.sandbox);
	assert_null(s->settings.media_dir);
	assert_true(s->settings.stall_timeout == 10);
	assert_true(s->cameras[0]->realtime && s->cameras[0]->detect && s->cameras[0]->all_labels);
	assert_true(s->cameras[0]->detect_fps == 5);
	assert_null(s->cameras[0]->username);
	desired_state_free(s);
	s = parse("{}");
	assert_non_null(s);
	assert_int_equal(s->ncameras, 0);
	desired_state_free(s);
}

static void
takes_credentials_from_the_url_if_there_are_no_others(void **state)
{
	DesiredState *s = parse("{\"cameras\":[{\"camera_id\":1,\"url\":\"rtsp://u:p%40@h/a\"},"
							"{\"camera_id\":2,\"url\":\"rtsp://u:p@h/a\",\"username\":\"v\","
							"\"password\":\"w\"}]}");

	assert_string_equal(s->cameras[0]->url, "rtsp://h/a");
	assert_string_equal(s->cameras[0]->username, "u");
	assert_string_equal(s->cameras[0]->password, "p@");
	assert_string_equal(s->cameras[1]->url, "rtsp://h/a");
	assert_string_equal(s->cameras[1]->username, "v");
	assert_string_equal(s->cameras[1]->password, "w");
	desired_state_free(s);
}

static void
one_bad_camera_does_not_stop_the_rest(void **state)
{
	static const char *const bad[] = {
		"\"url\":null",
		"\"url\":5",
		"\"url\":\"ftp://h/\"",
		"\"url\":\"rtsp://h/\",\"detect_fps\":0",
		"\"url\":\"rtsp://h/\",\"detect_fps\":\"5\"",
		"\"url\":\"rtsp://h/\",\"min_confidence\":1.5",
		"\"url\":\"rtsp://h/\",\"labels\":\"person\"",
		"\"url\":\"rtsp://h/\",\"labels\":[1]",
		"\"url\":\"rtsp://h/\",\"models\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]",
		"\"url\":\"rtsp://h/\",\"rtsp_transport\":\"carrier pigeon\"",
		"\"url\":\"rtsp://h/\",\"motion_threshold\":0",
		"\"url\":\"rtsp://h/\",\"file_start\":\"yesterday\"",
		"\"url\":\"rtsp://h/\",\"realtime\":1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		char text[512];
		DesiredState *s;

		snprintf(
			text, sizeof(text),
			"{\"cameras\":[{\"camera_id\":1,%s},7,{\"camera_id\":-1},{\"name\":\"x\"},"
			"{\"camera_id\":2,\"url\":\"rtsp://h/\"},{\"camera_id\":2,\"url\":\"rtsp://g/\"}]}",
			bad[i]);
		s = parse(text);
		assert_non_null(s);
		assert_int_equal(s->ncameras, 2);
		assert_non_null(s->cameras[0]->problem);
		assert_int_equal(s->cameras[1]->camera_id, 2);
		assert_null(s->cameras[1]->problem);
		assert_string_equal(s->cameras[1]->url, "rtsp://h/");
		desired_state_free(s);
	}
}

static void
reads_parts_of_the_frame(void **state)
{
	const char *wrong[] = {
		"7",
		"[7]",
		"[[[0,0],[1,1]]]",
		"[[[0,0],[1,0],[1,1.5]]]",
		"[[[0,0],[1,0],[1]]]",
		"[[[0,0],[1,0],[\"a\",1]]]",
		"{}",
		"[[[0,0],[1,0],[-0.1,1]]]",
	};
	const char *keys[] = {"masks", "privacy", "watched"};
	DesiredState *plain = parse(CAMERA(""));
	DesiredState *s =
		parse(CAMERA(",\"masks\":[[[0,0],[0.4,0],[0.4,0.1]],[[0,0],[1,0],[1,1],[0,1]]],"
					 "\"privacy\":[[[0.5,0.5],[1,0.5],[1,1]]],\"watched\":[]"));
	CameraConfig *c = s->cameras[0];

	assert_null(c->problem);
	assert_int_equal(c->masks.count, 2);
	assert_int_equal(c->masks.items[0].ncorners, 3);
	assert_int_equal(c->masks.items[1].ncorners, 4);
	assert_true(c->masks.items[0].corners[2].y == 0.1f);
	assert_int_equal(c->privacy.count, 1);
	assert_int_equal(c->watched.count, 0);
	assert_true(camera_config_same_stream(c, plain->cameras[0]));
	assert_false(camera_config_equal(c, plain->cameras[0]));
	desired_state_free(s);
	desired_state_free(plain);

	/* A camera never runs without the mask that somebody meant. */
	for (size_t key = 0; key < 3; key++)
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		{
			char text[256];

			snprintf(text, sizeof(text), CAMERA(",\"%s\":%s"), keys[key], wrong[i]);
			s = parse(text);
			assert_non_null(s->cameras[0]->problem);
			assert_non_null(strstr(s->cameras[0]->problem, keys[key]));
			desired_state_free(s);
		}
}

static void
a_model_file_stays_in_its_directory(void **state)
{
	static const char *const files[] = {"/etc/passwd", "../x", "a/../../x", "..", ""};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
	{
		char text[256];
		DesiredState *s;

		snprintf(
			text, sizeof(text),
			"{\"models\":[{\"name\":\"m\",\"kind\":\"k\",\"file\":\"%s\",\"labels\":[\"a\"]}]}",
			files[i]);
		s = parse(text);
		assert_non_null(s);
		assert_int_equal(s->nmodels, 0);
		desired_state_free(s);
	}
}

static void
nonsense_is_refused_without_quoting_it(void **state)
{
	static const char *const wrong[] = {"",
										"[]",
										"7",
										"{\"a\"",
										"{\"x\":\"Sesam77\"} Sesam77",
										"{\"settings\":{\"stall_timeout\":-1}}",
										"{\"settings\":{\"log_level\":\"loud\"}}"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		char error[256] = "";

		assert_null(desired_state_parse(wrong[i], strlen(wrong[i]), error, sizeof(error)));
		assert_true(strlen(error) > 0);
		assert_null(strstr(error, "Sesam77"));
	}
}

/* How two descriptions of one camera differ: 0 not at all, 1 in detection, 2 in the stream. */
static int
difference(const char *a, const char *b)
{
	DesiredState *s = parse(a);
	DesiredState *t = parse(b);
	int result = 0;

	assert_non_null(s);
	assert_non_null(t);
	if (!camera_config_equal(s->cameras[0], t->cameras[0]))
		result = 1;
	if (!camera_config_same_stream(s->cameras[0], t->cameras[0]))
		result = 2;
	desired_state_free(s);
	desired_state_free(t);
	return result;
}

static void
tells_what_restarts_a_stream(void **state)
{
	static const char *const detection[] = {CAMERA(",\"detect\":false"),
											CAMERA(",\"detect_fps\":6"),
											CAMERA(",\"labels\":[]"),
											CAMERA(",\"labels\":[\"car\"]"),
											CAMERA(",\"models\":[\"faces\"]"),
											CAMERA(",\"min_confidence\":0.4"),
											CAMERA(",\"median_confidence\":0.7"),
											CAMERA(",\"min_area\":0.01"),
											CAMERA(",\"max_area\":0.5"),
											CAMERA(",\"min_aspect\":0.2"),
											CAMERA(",\"max_aspect\":1.5"),
											CAMERA(",\"motion_threshold\":21"),
											CAMERA(",\"motion_min_area\":0.1"),
											CAMERA(",\"snapshots\":false"),
											CAMERA(",\"name\":\"renamed\""),
											CAMERA(",\"publish_url\":\"rtsp://h/out\"")};
	static const char *const stream[] = {
		CAMERA(",\"run\":2"),		   CAMERA(",\"detect_url\":\"rtsp://h/b\""),
		CAMERA(",\"username\":\"u\""), CAMERA(",\"username\":null,\"password\":\"p\""),
		CAMERA(",\"realtime\":false"), CAMERA(",\"rtsp_transport\":\"udp\""),
		CAMERA(",\"loop\":true"),	   CAMERA(",\"file_start\":\"2026-01-01T00:00:00Z\"")};

	assert_int_equal(difference(CAMERA(""), CAMERA("")), 0);
	assert_int_equal(difference(CAMERA(""), CAMERA(",\"location\":\"elsewhere\"")), 0);
	for (size_t i = 0; i < sizeof(detection) / sizeof(detection[0]); i++)
		assert_int_equal(difference(CAMERA(""), detection[i]), 1);
	for (size_t i = 0; i < sizeof(stream) / sizeof(stream[0]); i++)
		assert_int_equal(difference(CAMERA(""), stream[i]), 2);
}

static void
publishing_is_read(void **state)
{
	DesiredState *plain = parse(CAMERA(",\"publish_url\":\"rtsp://o%40:p@h:8554/out\""));
	DesiredState *full =
		parse(CAMERA(",\"publish_url\":\"srt://h:9000\",\"publish_annotated\":false,"
					 "\"publish_username\":\"o\",\"publish_password\":\"p\""));
	DesiredState *none = parse(CAMERA(""));

	assert_string_equal(plain->cameras[0]->publish_url, "rtsp://h:8554/out");
	assert_string_equal(plain->cameras[0]->publish_username, "o@");
	assert_string_equal(plain->cameras[0]->publish_password, "p");
	assert_true(plain->cameras[0]->publish_annotated);
	assert_string_equal(full->cameras[0]->publish_username, "o");
	assert_false(full->cameras[0]->publish_annotated);
	assert_null(none->cameras[0]->publish_url);
	assert_true(camera_config_same_publishing(full->cameras[0], full->cameras[0]));
	assert_false(camera_config_same_publishing(full->cameras[0], plain->cameras[0]));
	assert_false(camera_config_same_publishing(none->cameras[0], plain->cameras[0]));
	desired_state_free(plain);
	desired_state_free(full);
	desired_state_free(none);
}

static void
lines_are_read_however_they_are_cut(void **state)
{
	StateReader *reader;
	const char *line;
	size_t length;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	reader = state_reader_create(ends[0]);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_AGAIN);
	assert_int_equal(write(ends[1], "one\ntw", 6), 6);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_LINE);
	assert_int_equal(length, 3);
	assert_memory_equal(line, "one", 3);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_AGAIN);
	assert_int_equal(write(ends[1], "o\n\nthree\n", 9), 9);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_LINE);
	assert_memory_equal(line, "two", 3);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_LINE);
	assert_int_equal(length, 0);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_LINE);
	assert_memory_equal(line, "three", 5);
	close(ends[1]);
	assert_int_equal(state_reader_next(reader, &line, &length), STATE_READ_END);
	state_reader_free(reader);
	close(ends[0]);
}

static void
an_endless_line_is_an_end(void **state)
{
	StateReader *reader;
	char *block = malloc(65536);
	const char *line;
	size_t length;
	size_t sent = 0;
	int ends[2];
	StateRead result = STATE_READ_AGAIN;

	memset(block, ' ', 65536);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	reader = state_reader_create(ends[0]);
	while (result == STATE_READ_AGAIN && sent <= 2 * CCTV_MAX_STATE_LINE)
	{
		ssize_t written = write(ends[1], block, 65536);

		if (written > 0)
			sent += written;
		result = state_reader_next(reader, &line, &length);
	}
	assert_int_equal(result, STATE_READ_END);
	assert_true(sent >= CCTV_MAX_STATE_LINE);
	state_reader_free(reader);
	free(block);
	close(ends[0]);
	close(ends[1]);
}

static void
discard(void *arg, LogLevel level, int camera_id, const char *message)
{
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_full_document),
		cmocka_unit_test(fills_in_what_is_missing),
		cmocka_unit_test(takes_credentials_from_the_url_if_there_are_no_others),
		cmocka_unit_test(one_bad_camera_does_not_stop_the_rest),
		cmocka_unit_test(reads_parts_of_the_frame),
		cmocka_unit_test(a_model_file_stays_in_its_directory),
		cmocka_unit_test(nonsense_is_refused_without_quoting_it),
		cmocka_unit_test(tells_what_restarts_a_stream),
		cmocka_unit_test(publishing_is_read),
		cmocka_unit_test(lines_are_read_however_they_are_cut),
		cmocka_unit_test(an_endless_line_is_an_end),
	};

	log_set_sink(discard, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
