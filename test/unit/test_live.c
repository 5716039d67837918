/* The newest picture of a camera, and what is drawn in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "clock.h"
#include "live.h"

#define SECOND CLOCK_SECOND
#define AT INT64_C(1700000000000000)

static LiveBoard *board;
static Live *live;
static atomic_bool cancelled;

static int
set_up(void **state)
{
	board = live_board_create();
	live = live_join(board, 7);
	cancelled = false;
	return 0;
}

static int
tear_down(void **state)
{
	live_leave(live);
	live_board_free(board);
	return 0;
}

/* A grey frame; its level tells it from others. */
static AVFrame *
make_frame(int level)
{
	AVFrame *frame = av_frame_alloc();

	frame->format = AV_PIX_FMT_GRAY8;
	frame->width = frame->height = 16;
	assert_true(av_frame_get_buffer(frame, 0) >= 0);
	memset(frame->data[0], level, frame->linesize[0] * 16);
	return frame;
}

static void
show(int level, int64_t at_us)
{
	AVFrame *frame = make_frame(level);

	live_show_frame(live, frame, at_us);
	av_frame_free(&frame);
}

static void
show_objects(bool still, int64_t at_us, const char *caption)
{
	LiveObject object = {.box = {0.1f, 0.1f, 0.2f, 0.2f}};

	strcpy(object.caption, caption);
	live_show_objects(live, &object, 1, still, at_us);
}

/* Look without waiting; the level of what is seen, or -1. */
static int
look(LivePicture *picture)
{
	LiveResult result = live_look(live, clock_monotonic_us(), &cancelled, picture);
	int level;

	if (result != LIVE_OK)
		return -1;
	level = picture->frame->data[0][0];
	av_frame_free(&picture->frame);
	return level;
}

static void
nothing_is_kept_while_nobody_looks(void **state)
{
	LivePicture picture;

	show(10, AT);
	assert_false(live_is_watched(live));
	assert_int_equal(look(&picture), -1);
	assert_true(live_is_watched(live));
	assert_int_equal(look(&picture), -1);
	show(11, AT);
	assert_int_equal(look(&picture), 11);
	show(12, AT + 1);
	assert_int_equal(look(&picture), 12);
	assert_int_equal(picture.at_us, AT + 1);
	assert_int_equal(picture.nobjects, 0);
}

static void
objects_are_shown_in_the_newest_picture(void **state)
{
	LivePicture picture;

	look(&picture);
	show(20, AT);
	show_objects(false, AT, "person 90%");
	show(21, AT + SECOND / 10);
	assert_int_equal(look(&picture), 21);
	assert_int_equal(picture.at_us, AT + SECOND / 10);
	assert_int_equal(picture.nobjects, 1);
	assert_string_equal(picture.objects[0].caption, "person 90%");

	/* Long ago: the objects have gone on. */
	show(22, AT + 2 * SECOND);
	assert_int_equal(look(&picture), 22);
	assert_int_equal(picture.nobjects, 0);
}

static void
what_stands_still_is_in_every_frame(void **state)
{
	LivePicture picture;

	look(&picture);
	show_objects(false, AT, "person 80%");
	show_objects(true, AT, "dog 70%");
	show(31, AT + 60 * SECOND);
	assert_int_equal(look(&picture), 31);
	assert_int_equal(picture.nobjects, 1);
	assert_string_equal(picture.objects[0].caption, "dog 70%");
}

/* Found before anybody looked: the frame was not kept, the boxes are. */
static void
the_first_look_knows_the_objects(void **state)
{
	LivePicture picture;

	show(40, AT);
	show_objects(false, AT, "person 90%");
	look(&picture);
	show(41, AT + SECOND / 5);
	assert_int_equal(look(&picture), 41);
	assert_int_equal(picture.nobjects, 1);
}

static void
a_lost_stream_shows_nothing(void **state)
{
	LivePicture picture;

	look(&picture);
	show(50, AT);
	show_objects(false, AT, "person 90%");
	live_clear(live);
	assert_int_equal(look(&picture), -1);
	show(51, AT + SECOND);
	assert_int_equal(look(&picture), 51);
	assert_int_equal(picture.nobjects, 0);
}

static void *
show_soon(void *arg)
{
	while (!live_is_watched(live))
		sched_yield();
	show(60, AT);
	return NULL;
}

static void
a_look_waits_for_the_next_frame(void **state)
{
	pthread_t thread;
	LivePicture picture;

	pthread_create(&thread, NULL, show_soon, NULL);
	assert_int_equal(live_look(live, clock_monotonic_us() + 30 * SECOND, &cancelled, &picture),
					 LIVE_OK);
	assert_int_equal(picture.frame->data[0][0], 60);
	av_frame_free(&picture.frame);
	pthread_join(thread, NULL);
}

static void *
cancel_soon(void *arg)
{
	while (!live_is_watched(live))
		sched_yield();
	cancelled = true;
	return NULL;
}

static void
a_look_can_be_cancelled(void **state)
{
	pthread_t thread;
	LivePicture picture;

	show(70, AT); /* there is a stream, so the wait is long */
	pthread_create(&thread, NULL, cancel_soon, NULL);
	assert_int_equal(live_look(live, clock_monotonic_us() + 600 * SECOND, &cancelled, &picture),
					 LIVE_CANCELLED);
	pthread_join(thread, NULL);
}

static void
a_camera_is_found_while_it_runs(void **state)
{
	Live *found = live_find(board, 7);

	assert_ptr_equal(found, live);
	live_unref(found);
	assert_null(live_find(board, 8));

	/* Whoever looks may outlast the camera. */
	found = live_find(board, 7);
	live_leave(live);
	assert_null(live_find(board, 7));
	live_tell_snapshot(found, NULL, NULL);
	live_unref(found);
	live = live_join(board, 7);
}

/* The next picture, without waiting; its level, or -1. */
static int
next_picture(uint64_t after, LivePicture *picture)
{
	LiveResult result = live_next(live, after, clock_monotonic_us(), &cancelled, picture);
	int level;

	if (result != LIVE_OK)
		return -1;
	level = picture->frame->data[0][0];
	av_frame_free(&picture->frame);
	return level;
}

static void
each_picture_is_next_once(void **state)
{
	LivePicture picture;
	uint64_t number;

	assert_int_equal(next_picture(0, &picture), -1);
	show(80, AT);
	assert_int_equal(next_picture(0, &picture), 80);
	number = picture.number;
	assert_int_equal(number, live_newest(live));
	assert_int_equal(next_picture(number, &picture), -1);
	/* Who is slow misses some, and can tell how many. */
	show(81, AT + 1);
	show(82, AT + 2);
	show(83, AT + 3);
	assert_int_equal(next_picture(number, &picture), 83);
	assert_int_equal(picture.number, number + 3);
	live_clear(live);
	assert_int_equal(next_picture(0, &picture), -1);
}

static void
objects_go_on_as_they_went(void **state)
{
	LiveObject object = {.box = {0.4f, 0.1f, 0.2f, 0.2f}, .speed = {0.5f, 0, 0, 0}};
	LivePicture picture;

	next_picture(0, &picture);
	show(90, AT);
	live_show_objects(live, &object, 1, false, AT);
	show(91, AT + SECOND / 5);
	assert_int_equal(next_picture(0, &picture), 91);
	assert_float_equal(picture.objects[0].box.x, 0.5f, 0.001f);
	assert_float_equal(picture.objects[0].box.w, 0.2f, 0.001f);
	/* Out of the picture there is nothing to draw on: it stays in it. */
	show(92, AT + SECOND * 9 / 10);
	assert_int_equal(next_picture(0, &picture), 92);
	assert_true(picture.objects[0].box.x + picture.objects[0].box.w <= 1.001f);
}

static void
a_camera_is_called_by_its_name(void **state)
{
	LivePicture picture;

	look(&picture);
	show(95, AT);
	look(&picture);
	assert_string_equal(picture.camera, "camera 7");
	live_set_name(live, "Caf\xc3\xa9");
	look(&picture);
	assert_string_equal(picture.camera, "Cafe");
	live_set_name(live, NULL);
	look(&picture);
	assert_string_equal(picture.camera, "camera 7");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_kept_while_nobody_looks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(objects_are_shown_in_the_newest_picture, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_stands_still_is_in_every_frame, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_look_knows_the_objects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lost_stream_shows_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_look_waits_for_the_next_frame, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_look_can_be_cancelled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_camera_is_found_while_it_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_picture_is_next_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(objects_go_on_as_they_went, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_camera_is_called_by_its_name, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
