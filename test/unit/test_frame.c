/* Frames of requests and answers, however the socket cuts them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frame.h"

#define JSON "{\"model\":\"objects\"}"
#define BINARY "\x01\x00\x02\xff"
#define BINARY_LENGTH 4
#define LENGTH (CCTV_FRAME_HEADER + sizeof(JSON) - 1 + BINARY_LENGTH)

static void
make_frame(unsigned char frame[LENGTH])
{
	CctvFrameHeader header = {CCTV_REQUEST_ANALYZE, sizeof(JSON) - 1, BINARY_LENGTH};

	cctv_frame_pack(&header, frame);
	memcpy(frame + CCTV_FRAME_HEADER, JSON, sizeof(JSON) - 1);
	memcpy(frame + CCTV_FRAME_HEADER + sizeof(JSON) - 1, BINARY, BINARY_LENGTH);
}

/*
 * Feed bytes, at most `piece` at a time, until the reader wants no more.  The
 * body is of exactly the size that was announced, so that a sanitizer sees a
 * byte too many.  Returns how many were taken.
 */
static size_t
feed(CctvFrameReader *reader, const unsigned char *bytes, size_t length, size_t piece)
{
	size_t taken = 0;

	cctv_frame_begin(reader);
	while (taken < length)
	{
		unsigned char *where;
		size_t want = cctv_frame_want(reader, &where);
		size_t count = want < piece ? want : piece;

		if (want == 0)
			break;
		if (count > length - taken)
			count = length - taken;
		memcpy(where, bytes + taken, count);
		taken += count;
		if (cctv_frame_took(reader, count) == CCTV_FRAME_NEEDS_BODY)
			cctv_frame_set_body(reader, malloc(cctv_frame_body_length(&reader->header)));
	}
	return taken;
}

static void
the_header_is_little_endian(void **state)
{
	static const unsigned char expected[CCTV_FRAME_HEADER] = {
		'C', 'C', 'T', 'Q', 1, 0, 3, 0, 0x78, 0x56, 4, 0, 0x21, 0x43, 0x65, 0x07};
	unsigned char out[CCTV_FRAME_HEADER];
	CctvFrameHeader header = {3, 0x45678, 0x07654321};
	CctvFrameHeader again;

	cctv_frame_pack(&header, out);
	assert_memory_equal(out, expected, sizeof(expected));
	assert_null(cctv_frame_unpack(out, &again));
	assert_int_equal(again.kind, 3);
	assert_int_equal(again.json_length, 0x45678);
	assert_int_equal(again.binary_length, 0x07654321);
}

static void
any_cut_gives_the_same_frame(void **state)
{
	unsigned char frame[LENGTH];

	make_frame(frame);
	for (size_t piece = 1; piece <= LENGTH; piece++)
	{
		CctvFrameReader reader;

		assert_int_equal(feed(&reader, frame, LENGTH, piece), LENGTH);
		assert_int_equal(reader.state, CCTV_FRAME_COMPLETE);
		assert_int_equal(reader.header.kind, CCTV_REQUEST_ANALYZE);
		assert_memory_equal(cctv_frame_json(&reader), JSON, sizeof(JSON) - 1);
		assert_memory_equal(cctv_frame_binary(&reader), BINARY, BINARY_LENGTH);
		free(reader.body);
	}
}

static void
nothing_behind_a_frame_is_taken(void **state)
{
	unsigned char bytes[LENGTH + 100];
	CctvFrameReader reader;

	memset(bytes, 'x', sizeof(bytes));
	make_frame(bytes);
	assert_int_equal(feed(&reader, bytes, sizeof(bytes), sizeof(bytes)), LENGTH);
	assert_int_equal(reader.state, CCTV_FRAME_COMPLETE);
	free(reader.body);
}

static void
a_cut_frame_is_not_complete(void **state)
{
	unsigned char frame[LENGTH];

	make_frame(frame);
	for (size_t length = 0; length < LENGTH; length++)
	{
		CctvFrameReader reader;

		feed(&reader, frame, length, LENGTH);
		assert_int_not_equal(reader.state, CCTV_FRAME_COMPLETE);
		assert_int_not_equal(reader.state, CCTV_FRAME_BROKEN);
		free(reader.body);
	}
}

static void
an_empty_body_completes_the_frame(void **state)
{
	unsigned char bytes[CCTV_FRAME_HEADER];
	CctvFrameHeader header = {CCTV_ANSWER, 0, 0};
	CctvFrameReader reader;

	cctv_frame_pack(&header, bytes);
	feed(&reader, bytes, sizeof(bytes), sizeof(bytes));
	assert_int_equal(reader.state, CCTV_FRAME_COMPLETE);
	free(reader.body);
}

/* Break one field of a good header. */
static void
assert_broken(size_t offset, uint32_t value)
{
	unsigned char bytes[CCTV_FRAME_HEADER];
	CctvFrameHeader header = {CCTV_ANSWER, 10, 10};
	CctvFrameReader reader;

	cctv_frame_pack(&header, bytes);
	for (int i = 0; i < 4; i++)
		bytes[offset + i] = (unsigned char) (value >> 8 * i);
	assert_int_equal(feed(&reader, bytes, sizeof(bytes), sizeof(bytes)), sizeof(bytes));
	assert_int_equal(reader.state, CCTV_FRAME_BROKEN);
	assert_non_null(reader.problem);
	assert_null(reader.body);
}

static void
impossible_headers_are_refused(void **state)
{
	assert_broken(0, CCTV_FRAME_MAGIC ^ 1);
	assert_broken(0, 0);
	assert_broken(4, CCTV_FRAME_VERSION + 1);
	assert_broken(8, CCTV_FRAME_MAX_JSON + 1);
	assert_broken(8, UINT32_MAX);
	assert_broken(12, CCTV_FRAME_MAX_BINARY + 1);
	assert_broken(12, UINT32_MAX);
}

/* Random bytes in random pieces: the state is always a sane one. */
static void
noise_does_no_harm(void **state)
{
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++)
	{
		unsigned char bytes[64];
		CctvFrameReader reader;
		size_t taken;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char) rand_r(&seed);
		if (round % 2 == 0)
		{
			CctvFrameHeader header = {(uint16_t) rand_r(&seed), (uint32_t) rand_r(&seed) % 40,
									  (uint32_t) rand_r(&seed) % 40};

			cctv_frame_pack(&header, bytes);
		}
		taken = feed(&reader, bytes, sizeof(bytes), 1 + (size_t) rand_r(&seed) % 64);
		assert_true(taken <= sizeof(bytes));
		if (round % 2 == 1)
			assert_int_equal(reader.state, CCTV_FRAME_BROKEN);
		free(reader.body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_is_little_endian),
		cmocka_unit_test(any_cut_gives_the_same_frame),
		cmocka_unit_test(nothing_behind_a_frame_is_taken),
		cmocka_unit_test(a_cut_frame_is_not_complete),
		cmocka_unit_test(an_empty_body_completes_the_frame),
		cmocka_unit_test(impossible_headers_are_refused),
		cmocka_unit_test(noise_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
