/* Clients of all kinds: good, slow, gone, and far too many. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "request_server.h"

#define PATIENCE_MS 20000

typedef struct Service
{
	char directory[64];
	struct sockaddr_un address;
	RequestWorld world;
	RequestServer *server;
} Service;

static Service service;

static int
set_up(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(service.directory, "/tmp/pg_cctv_requests_XXXXXX");
	if (fd < 0 || mkdtemp(service.directory) == NULL)
		return -1;
	service.address.sun_family = AF_UNIX;
	snprintf(service.address.sun_path, sizeof(service.address.sun_path), "%s/s", service.directory);
	if (bind(fd, (struct sockaddr *) &service.address, sizeof(service.address)) != 0 ||
		listen(fd, 128) != 0)
		return -1;
	service.world = (RequestWorld){.pool = pool_create(1),
								   .models = model_cache_create(),
								   .live = live_board_create(),
								   .models_dir = "/nowhere"};
	service.server = request_server_start(fd, &service.world);
	return service.server == NULL;
}

static int
tear_down(void **state)
{
	bool ended = request_server_stop(service.server);

	unlink(service.address.sun_path);
	rmdir(service.directory);
	pool_free(service.world.pool);
	model_cache_free(service.world.models);
	live_board_free(service.world.live);
	return ended ? 0 : -1;
}

/* ---- a client ---- */

static int
connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *) &service.address, sizeof(service.address)), 0);
	return fd;
}

static void
put(int fd, const void *bytes, size_t length)
{
	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static void
put_header(int fd, uint16_t kind, size_t json_length, size_t binary_length)
{
	CctvFrameHeader header = {kind, (uint32_t) json_length, (uint32_t) binary_length};
	unsigned char bytes[CCTV_FRAME_HEADER];

	cctv_frame_pack(&header, bytes);
	put(fd, bytes, sizeof(bytes));
}

static void
put_request(int fd, uint16_t kind, const char *json)
{
	put_header(fd, kind, strlen(json), 0);
	put(fd, json, strlen(json));
}

/* The answer; false when the server hangs up instead.  The body is the caller's. */
static bool
get_answer(int fd, CctvFrameReader *reader)
{
	cctv_frame_begin(reader);
	while (reader->state != CCTV_FRAME_COMPLETE)
	{
		unsigned char *where;
		size_t want = cctv_frame_want(reader, &where);
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		ssize_t count;

		assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
		count = recv(fd, where, want, 0);
		if (count <= 0)
		{
			free(reader->body);
			reader->body = NULL;
			return false;
		}
		if (cctv_frame_took(reader, (size_t) count) == CCTV_FRAME_NEEDS_BODY)
			cctv_frame_set_body(reader, malloc(cctv_frame_body_length(&reader->header) + 1));
		assert_int_not_equal(reader->state, CCTV_FRAME_BROKEN);
	}
	return true;
}

/* The code of the error that is the answer. */
static void
assert_error(int fd, const char *code)
{
	CctvFrameReader reader;
	json_t *error;

	assert_true(get_answer(fd, &reader));
	assert_int_equal(reader.header.kind, CCTV_ERROR);
	error = json_loadb(cctv_frame_json(&reader), reader.header.json_length, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(error, "code")), code);
	assert_non_null(json_string_value(json_object_get(error, "message")));
	json_decref(error);
	free(reader.body);
	close(fd);
}

static void
assert_hung_up(int fd)
{
	CctvFrameReader reader;

	assert_false(get_answer(fd, &reader));
	close(fd);
}

/* A request that is answered at once: no such camera runs here. */
static void
assert_serves(void)
{
	int fd = connect_client();

	put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7}");
	assert_error(fd, CCTV_ERROR_UNAVAILABLE);
}

/* ---- tests ---- */

static void
answers_a_request(void **state)
{
	assert_serves();
}

static void
answers_one_that_comes_byte_by_byte(void **state)
{
	static const char json[] = "{\"camera_id\": 7}";
	CctvFrameHeader header = {CCTV_REQUEST_LIVE_FRAME, sizeof(json) - 1, 0};
	unsigned char bytes[CCTV_FRAME_HEADER + sizeof(json) - 1];
	int fd = connect_client();

	cctv_frame_pack(&header, bytes);
	memcpy(bytes + CCTV_FRAME_HEADER, json, sizeof(json) - 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		put(fd, bytes + i, 1);
	assert_error(fd, CCTV_ERROR_UNAVAILABLE);
}

static void
refuses_what_is_no_request(void **state)
{
	int fd = connect_client();

	put(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_hung_up(fd);
	fd = connect_client();
	put_request(fd, 99, "{}");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_ANSWER, "{}");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_LIVE_FRAME, "[]");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": ");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_header(fd, CCTV_REQUEST_LIVE_FRAME, 0, 0);
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_ANALYZE, "{}");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_CHECK_MODEL, "{\"model\": {\"name\": 7}}");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_PROBE, "{\"address\": \"not an address\"}");
	assert_error(fd, CCTV_ERROR_INVALID);
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_SNAPSHOT, "{\"camera_id\": 7}");
	assert_error(fd, CCTV_ERROR_UNAVAILABLE);
	assert_serves();
}

static void
a_path_out_of_the_models_directory_is_refused(void **state)
{
	int fd = connect_client();

	put_request(fd, CCTV_REQUEST_CHECK_MODEL,
				"{\"model\": {\"name\": \"x\", \"kind\": \"ultraface\", \"file\": \"a/../../b\", "
				"\"labels\": [\"face\"]}}");
	assert_error(fd, CCTV_ERROR_INVALID);
}

static void
clients_that_hang_up_are_forgotten(void **state)
{
	for (int i = 0; i < 300; i++)
	{
		int fd = connect_client();

		if (i % 3 == 1)
			put(fd, "CCTQ", 4);
		if (i % 3 == 2)
			put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7}");
		close(fd);
	}
	assert_serves();
}

/* More than are served at a time: the rest waits its turn. */
static void
silent_clients_do_not_shut_others_out_for_ever(void **state)
{
	int silent[80];

	for (int i = 0; i < 80; i++)
		silent[i] = connect_client();
	for (int i = 0; i < 40; i++)
		close(silent[i]);
	assert_serves();
	for (int i = 40; i < 80; i++)
		close(silent[i]);
	assert_serves();
}

/* Announced pictures that never come: memory is bounded, small requests go on. */
static void
large_requests_wait_for_room(void **state)
{
	int large[6];

	for (int i = 0; i < 6; i++)
	{
		large[i] = connect_client();
		put_header(large[i], CCTV_REQUEST_ANALYZE, 2, CCTV_FRAME_MAX_BINARY - 1024);
	}
	assert_serves();
	for (int i = 0; i < 6; i++)
		close(large[i]);
	assert_serves();
}

/* A client that asks a lot and reads nothing. */
static void
an_answer_that_nobody_takes_harms_nobody(void **state)
{
	int deaf[30];

	for (int i = 0; i < 30; i++)
	{
		deaf[i] = connect_client();
		put_request(deaf[i], CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7}");
	}
	assert_serves();
	for (int i = 0; i < 30; i++)
		close(deaf[i]);
}

/* A camera without a picture is waited for, until the client's limit or its end. */
static void
a_wait_ends_with_the_limit_or_the_client(void **state)
{
	Live *live = live_join(service.world.live, 7);
	int64_t begin_us = clock_monotonic_us();
	int fd = connect_client();

	put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7, \"limit_ms\": 300}");
	assert_error(fd, CCTV_ERROR_UNAVAILABLE);
	assert_in_range(clock_monotonic_us() - begin_us, 300000, 4000000);

	/* As many as are worked on at a time, all gone: the next is served at once. */
	begin_us = clock_monotonic_us();
	for (int i = 0; i < 8; i++)
	{
		fd = connect_client();
		put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7, \"limit_ms\": 60000}");
		close(fd);
	}
	fd = connect_client();
	put_request(fd, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 8}");
	assert_error(fd, CCTV_ERROR_UNAVAILABLE);
	assert_true(clock_monotonic_us() - begin_us < 4000000);
	live_leave(live);
}

/* The end does not wait for clients, nor for what they asked. */
static void
ends_at_once(void **state)
{
	Live *live = live_join(service.world.live, 7);
	int64_t begin_us = clock_monotonic_us();
	int busy = connect_client();
	int silent = connect_client();

	put_request(busy, CCTV_REQUEST_LIVE_FRAME, "{\"camera_id\": 7, \"limit_ms\": 60000}");
	while (!live_is_watched(live))
		assert_true(clock_monotonic_us() - begin_us < 10000000);
	begin_us = clock_monotonic_us();
	assert_true(request_server_stop(service.server));
	assert_true(clock_monotonic_us() - begin_us < 2000000);
	service.server = NULL;
	assert_hung_up(busy);
	assert_hung_up(silent);
	live_leave(live);
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_a_request),
		cmocka_unit_test(answers_one_that_comes_byte_by_byte),
		cmocka_unit_test(refuses_what_is_no_request),
		cmocka_unit_test(a_path_out_of_the_models_directory_is_refused),
		cmocka_unit_test(clients_that_hang_up_are_forgotten),
		cmocka_unit_test(silent_clients_do_not_shut_others_out_for_ever),
		cmocka_unit_test(large_requests_wait_for_room),
		cmocka_unit_test(an_answer_that_nobody_takes_harms_nobody),
		cmocka_unit_test(a_wait_ends_with_the_limit_or_the_client),
		cmocka_unit_test(ends_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
