/* SHA-256 by both ways, against the standard's examples and libavutil's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "sha256.h"

static void
digest_of(const uint8_t *data, size_t size, size_t step, bool portable,
		  uint8_t digest[SHA256_BYTES])
{
	Sha256 sha;

	sha256_init(&sha);
	sha.portable |= portable;
	for (size_t at = 0; at < size; at += step)
		sha256_update(&sha, data + at, size - at < step ? size - at : step);
	sha256_final(&sha, digest);
}

static void
the_standards_examples(void **state)
{
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
								  0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
								  0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	static const uint8_t nothing[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
									  0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
									  0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
									  0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
	uint8_t digest[SHA256_BYTES];

	for (int portable = 0; portable < 2; portable++)
	{
		digest_of((const uint8_t *) "abc", 3, 3, portable, digest);
		assert_memory_equal(digest, abc, sizeof(abc));
		digest_of((const uint8_t *) "", 0, 1, portable, digest);
		assert_memory_equal(digest, nothing, sizeof(nothing));
	}
}

static void
every_length_in_every_step(void **state)
{
	uint8_t data[1031];
	struct AVSHA *reference = av_sha_alloc();

	srand(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) rand();
	for (size_t size = 0; size < sizeof(data); size++)
	{
		uint8_t expected[SHA256_BYTES];
		uint8_t digest[SHA256_BYTES];

		av_sha_init(reference, 256);
		av_sha_update(reference, data, size);
		av_sha_final(reference, expected);
		for (size_t step = 1; step < 200; step += 31)
		{
			digest_of(data, size, step, false, digest);
			assert_memory_equal(digest, expected, sizeof(digest));
			digest_of(data, size, step, true, digest);
			assert_memory_equal(digest, expected, sizeof(digest));
		}
	}
	av_free(reference);
}

/* More than 2^32 bits: the length is counted in 64. */
static void
half_a_gigabyte_and_more(void **state)
{
	const size_t size = 1 << 20;
	uint8_t *data = calloc(1, size);
	struct AVSHA *reference = av_sha_alloc();
	uint8_t expected[SHA256_BYTES];
	uint8_t digest[SHA256_BYTES];
	Sha256 sha;

	sha256_init(&sha);
	av_sha_init(reference, 256);
	for (int i = 0; i < 513; i++)
	{
		sha256_update(&sha, data, size);
		av_sha_update(reference, data, size);
	}
	sha256_final(&sha, digest);
	av_sha_final(reference, expected);
	assert_memory_equal(digest, expected, sizeof(digest));
	av_free(reference);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_examples),
		cmocka_unit_test(every_length_in_every_step),
		cmocka_unit_test(half_a_gigabyte_and_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
