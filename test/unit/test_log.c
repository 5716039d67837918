/* The funnel for messages. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <libavutil/log.h>

#include "log.h"
#include "thread.h"

static int count;
static int last_camera;
static LogLevel last_level;
static char last_message[LOG_MESSAGE];

static void
keep(void *arg, LogLevel level, int camera_id, const char *message)
{
	count++;
	last_level = level;
	last_camera = camera_id;
	snprintf(last_message, sizeof(last_message), "%s", message);
}

static int
set_up(void **state)
{
	log_capture_ffmpeg();
	log_set_sink(keep, NULL);
	return 0;
}

static int
begin(void **state)
{
	static int camera = 1000;

	count = 0;
	last_message[0] = '\0';
	log_set_level(LOG_LEVEL_INFO);
	/* A camera of its own for each test, so that none uses up another's allowance. */
	thread_serve_camera(camera++);
	return 0;
}

static void
messages_are_redacted_and_name_their_camera(void **state)
{
	thread_serve_camera(42);
	log_warning("cannot open %s", "rtsp://viewer:Sesam77@h/x");
	assert_int_equal(count, 1);
	assert_int_equal(last_camera, 42);
	assert_int_equal(last_level, LOG_LEVEL_WARNING);
	assert_string_equal(last_message, "cannot open rtsp://***@h/x");
}

static void
levels_are_kept(void **state)
{
	log_debug("no");
	assert_int_equal(count, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("yes");
	assert_int_equal(count, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("no");
	assert_int_equal(count, 1);
	log_error("yes");
	assert_int_equal(count, 2);
}

static void
a_chatterbox_is_silenced_and_others_are_not(void **state)
{
	for (int i = 0; i < 1000; i++)
		log_warning("broken packet %d", i);
	assert_in_range(count, 5, 6);
	log_warning("something else");
	assert_string_equal(last_message, "something else");
	thread_serve_camera(thread_camera() + 500);
	log_warning("broken packet %d", 1);
	assert_string_equal(last_message, "broken packet 1");
}

/* Whatever places share a slot of the table: none gets out of its allowance by it. */
static void
chatterboxes_do_not_hide_behind_each_other(void **state)
{
	int first = thread_camera();

	for (int i = 0; i < 1000; i++)
	{
		thread_serve_camera(first + 256 * (i % 4));
		log_warning("broken packet %d", i);
	}
	assert_int_equal(count, 20);
}

static void
ffmpeg_is_heard_in_whole_lines(void **state)
{
	av_log(NULL, AV_LOG_ERROR, "first half, ");
	assert_int_equal(count, 0);
	av_log(NULL, AV_LOG_ERROR, "second half of http://u:p@h/\n");
	assert_int_equal(count, 1);
	assert_string_equal(last_message, "first half, second half of http://***@h/");
	assert_int_equal(last_level, LOG_LEVEL_WARNING);
	av_log(NULL, AV_LOG_VERBOSE, "chatter\n");
	assert_int_equal(count, 1);
}

static void
the_last_error_of_ffmpeg_can_be_asked_for(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	log_forget_ffmpeg_error();
	assert_string_equal(log_ffmpeg_error(), "");
	av_log(NULL, AV_LOG_ERROR, "failed to resolve %s\n", "http://u:p@h/");
	assert_int_equal(count, 0);
	assert_string_equal(log_ffmpeg_error(), "failed to resolve http://***@h/");
	log_forget_ffmpeg_error();
	assert_string_equal(log_ffmpeg_error(), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(messages_are_redacted_and_name_their_camera, begin),
		cmocka_unit_test_setup(levels_are_kept, begin),
		cmocka_unit_test_setup(chatterboxes_do_not_hide_behind_each_other, begin),
		cmocka_unit_test_setup(a_chatterbox_is_silenced_and_others_are_not, begin),
		cmocka_unit_test_setup(ffmpeg_is_heard_in_whole_lines, begin),
		cmocka_unit_test_setup(the_last_error_of_ffmpeg_can_be_asked_for, begin),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
