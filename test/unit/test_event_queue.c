/* What the queue to the worker drops, and what it writes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "clock.h"
#include "event.h"
#include "event_queue.h"
#include "event_writer.h"
#include "protocol.h"
#include "thread.h"

#define NOW 0

static void
push(EventQueue *queue, const char *line, int camera_id, EventWorth worth)
{
	event_queue_push(queue, strdup(line), camera_id, worth);
}

static void
expect(EventQueue *queue, const char *line)
{
	char *got = event_queue_pop(queue, NOW);

	if (line == NULL)
		assert_null(got);
	else
	{
		assert_non_null(got);
		assert_string_equal(got, line);
	}
	free(got);
}

static void
keeps_order_while_there_is_room(void **state)
{
	EventQueue *queue = event_queue_create(4, 1000);

	push(queue, "a", 1, EVENT_OBJECTS);
	push(queue, "b", 1, EVENT_LASTING);
	push(queue, "c", 2, EVENT_CHATTER);
	expect(queue, "a");
	expect(queue, "b");
	expect(queue, "c");
	expect(queue, NULL);
	event_queue_free(queue);
}

static void
drops_the_oldest_of_the_least_worth(void **state)
{
	EventQueue *queue = event_queue_create(4, 1000);

	push(queue, "state", 1, EVENT_LASTING);
	push(queue, "stats", 2, EVENT_CHATTER);
	push(queue, "o1", 1, EVENT_OBJECTS);
	push(queue, "o2", 2, EVENT_OBJECTS);
	push(queue, "o3", 1, EVENT_OBJECTS);   /* o1 goes */
	push(queue, "end", 1, EVENT_LASTING);  /* o2 goes */
	push(queue, "end2", 1, EVENT_LASTING); /* o3 goes */
	push(queue, "end3", 1, EVENT_LASTING); /* stats goes */
	push(queue, "o4", 3, EVENT_OBJECTS);   /* nothing is worth less: o4 goes */
	push(queue, "log", 3, EVENT_CHATTER);  /* so does this */
	push(queue, "end4", 1, EVENT_LASTING); /* state, the oldest of its kind, goes */
	expect(queue, "end");
	expect(queue, "end2");
	expect(queue, "end3");
	expect(queue, "end4");
	expect(queue, NULL);
	assert_int_equal(event_queue_dropped(queue, 1), 3);
	assert_int_equal(event_queue_dropped(queue, 2), 2);
	assert_int_equal(event_queue_dropped(queue, 3), 2);
	assert_int_equal(event_queue_dropped(queue, 4), 0);
	event_queue_free(queue);
}

static void
is_bounded_in_bytes_too(void **state)
{
	EventQueue *queue = event_queue_create(100, 10);

	push(queue, "12345", 1, EVENT_OBJECTS);
	push(queue, "12345", 1, EVENT_OBJECTS);
	push(queue, "123456", 1, EVENT_LASTING);
	push(queue, "12345678901", 1, EVENT_LASTING); /* never fits, and empties the rest */
	expect(queue, NULL);
	assert_int_equal(event_queue_dropped(queue, 1), 4);
	event_queue_free(queue);
}

typedef struct Pusher
{
	EventQueue *queue;
	atomic_bool cancel;
	atomic_int pushed;
} Pusher;

static void *
push_ten(void *arg)
{
	Pusher *pusher = arg;
	char line[16];

	for (int i = 0; i < 10; i++)
	{
		snprintf(line, sizeof(line), "k%d", i);
		event_queue_push_wait(pusher->queue, strdup(line), 9, &pusher->cancel);
		pusher->pushed++;
	}
	return NULL;
}

static void
a_file_waits_and_loses_nothing(void **state)
{
	Pusher pusher = {.queue = event_queue_create(8, 1000)};
	pthread_t thread;
	int kept = 0;

	assert_int_equal(thread_start(&thread, "pusher", push_ten, &pusher), 0);
	/* A live camera overflows the queue meanwhile; whatever it does, k0..k9 arrive in order. */
	while (kept < 10)
	{
		char expected[16];
		char *line;

		for (int i = 0; i < 20; i++)
			push(pusher.queue, "live", 1, EVENT_LASTING);
		while ((line = event_queue_pop(pusher.queue, clock_monotonic_us() + 10000)) != NULL)
		{
			if (line[0] == 'k')
			{
				snprintf(expected, sizeof(expected), "k%d", kept++);
				assert_string_equal(line, expected);
			}
			free(line);
		}
	}
	pthread_join(thread, NULL);
	assert_int_equal(event_queue_dropped(pusher.queue, 9), 0);
	event_queue_free(pusher.queue);
}

static void
a_waiting_file_can_be_stopped(void **state)
{
	Pusher pusher = {.queue = event_queue_create(8, 1000)};
	pthread_t thread;

	assert_int_equal(thread_start(&thread, "pusher", push_ten, &pusher), 0);
	while (pusher.pushed < 4)
		sched_yield();
	pusher.cancel = true;
	event_queue_wake(pusher.queue);
	pthread_join(thread, NULL);
	assert_int_equal(pusher.pushed, 10);
	event_queue_free(pusher.queue);
}

/* Everything that can be read from a socket until its end, as one string. */
static char *
read_all(int fd)
{
	char *text = calloc(1, 1 << 20);
	size_t used = 0;
	ssize_t got;

	while ((got = read(fd, text + used, (1 << 20) - used - 1)) > 0)
		used += got;
	return text;
}

static void
the_writer_writes_all_and_ends(void **state)
{
	EventQueue *queue = event_queue_create(100, 1 << 20);
	EventWriter *writer;
	int ends[2];
	char *text;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	writer = event_writer_start(queue, ends[1]);
	push(queue, "one\n", 1, EVENT_LASTING);
	push(queue, "two\n", 1, EVENT_LASTING);
	event_writer_stop(writer, CLOCK_SECOND);
	close(ends[1]);
	text = read_all(ends[0]);
	assert_string_equal(text, "one\ntwo\n");
	free(text);
	close(ends[0]);
	event_queue_free(queue);
}

static void
the_writer_gives_up_on_a_deaf_reader(void **state)
{
	EventQueue *queue = event_queue_create(1000, 64 << 20);
	EventWriter *writer;
	int64_t start;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	writer = event_writer_start(queue, ends[1]);
	for (int i = 0; i < 100; i++)
	{
		char *line = malloc(100001);

		memset(line, 'x', 100000);
		line[100000] = '\0';
		event_queue_push(queue, line, 1, EVENT_LASTING);
	}
	start = clock_monotonic_us();
	event_writer_stop(writer, CLOCK_SECOND / 10);
	assert_in_range(clock_monotonic_us() - start, 0, 2 * CLOCK_SECOND);
	close(ends[0]);
	close(ends[1]);
	event_queue_free(queue);
}

static void
the_writer_notices_that_the_reader_is_gone(void **state)
{
	EventQueue *queue = event_queue_create(1000, 1 << 20);
	EventWriter *writer;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	close(ends[0]);
	writer = event_writer_start(queue, ends[1]);
	push(queue, "one\n", 1, EVENT_LASTING);
	while (!event_writer_broken(writer))
		sched_yield();
	event_writer_stop(writer, 0);
	close(ends[1]);
	event_queue_free(queue);
}

static json_t *
pop_json(EventQueue *queue)
{
	char *line = event_queue_pop(queue, NOW);
	json_t *object;

	assert_non_null(line);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_true(strlen(line) <= CCTV_MAX_EVENT_LINE);
	object = json_loads(line, 0, NULL);
	assert_non_null(object);
	free(line);
	return object;
}

static void
lines_are_numbered_within_a_session(void **state)
{
	EventQueue *queue = event_queue_create(100, 1 << 20);
	atomic_bool cancel = false;
	EventStream *stream = event_stream_create(queue, 3, false, &cancel);
	char sessions[2][64];

	for (int round = 0; round < 2; round++)
	{
		for (int seq = 1; seq <= 3; seq++)
		{
			json_t *object;

			event_state(stream, 0, CAMERA_RUNNING, "caf\xc3\xa9");
			object = pop_json(queue);
			assert_int_equal(json_integer_value(json_object_get(object, "seq")), seq);
			assert_int_equal(json_integer_value(json_object_get(object, "camera_id")), 3);
			assert_string_equal(json_string_value(json_object_get(object, "state")), "running");
			assert_string_equal(json_string_value(json_object_get(object, "at")),
								"1970-01-01T00:00:00.000000Z");
			strcpy(sessions[round], json_string_value(json_object_get(object, "session")));
			assert_int_equal(strlen(sessions[round]), 32);
			json_decref(object);
		}
		event_stream_begin(stream);
	}
	assert_string_not_equal(sessions[0], sessions[1]);
	event_stream_free(stream);
	event_queue_free(queue);
}

/* Even with as many objects as there can be, and the longest words. */
static void
no_line_exceeds_the_protocol(void **state)
{
	EventQueue *queue = event_queue_create(100, 1 << 20);
	atomic_bool cancel = false;
	EventStream *stream = event_stream_create(queue, 2147483647, false, &cancel);
	static EventObject objects[256];
	char word[64];
	char path[64];
	size_t told = 0;

	memset(word, '"', 63);
	word[63] = '\0';
	memset(path, '/', 63);
	path[63] = '\0';
	for (int i = 0; i < 256; i++)
		objects[i] = (EventObject){.track = 2147483647,
								   .label = word,
								   .model = word,
								   .confidence = 0.123456789f,
								   .box = {0.1234567f, 0.1234567f, 1e-20f, 0.1234567f},
								   .first = true,
								   .snapshot = path};
	event_objects(stream, 0, 0, 12345.6789, objects, 256);
	while (told < 256)
	{
		json_t *object = pop_json(queue);

		told += json_array_size(json_object_get(object, "objects"));
		json_decref(object);
	}
	assert_int_equal(told, 256);
	event_objects(stream, 0, 0, 0, objects, 0);
	assert_null(event_queue_pop(queue, NOW));
	event_stream_free(stream);
	event_queue_free(queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_while_there_is_room),
		cmocka_unit_test(drops_the_oldest_of_the_least_worth),
		cmocka_unit_test(is_bounded_in_bytes_too),
		cmocka_unit_test(a_file_waits_and_loses_nothing),
		cmocka_unit_test(a_waiting_file_can_be_stopped),
		cmocka_unit_test(the_writer_writes_all_and_ends),
		cmocka_unit_test(the_writer_gives_up_on_a_deaf_reader),
		cmocka_unit_test(the_writer_notices_that_the_reader_is_gone),
		cmocka_unit_test(lines_are_numbered_within_a_session),
		cmocka_unit_test(no_line_exceeds_the_protocol),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
