/*
 * mutate.c
 *		Changes to an input that keep some of its shape: what a fuzzer tries next.
 */
#include "mutate.h"

#include <string.h>

/* What parsers have stumbled over: edges of numbers, JSON, URLs and cron. */
static const char *const words[] = {
	"0",
	"-1",
	"-0",
	"1e308",
	"1e-400",
	"1e999",
	"0.1",
	"2147483647",
	"2147483648",
	"-2147483649",
	"9223372036854775807",
	"18446744073709551616",
	"NaN",
	"Infinity",
	"null",
	"true",
	"false",
	"[]",
	"{}",
	"[[",
	"{\"",
	"\":",
	",",
	"\"\"",
	"\\u0000",
	"\\ud800",
	"\\",
	"\xc3\xa9",
	"\xed\xa0\x80",
	"\xff",
	"//",
	"://",
	"@",
	":",
	"[::1]",
	"%00",
	"%2F",
	"%",
	"?",
	"#",
	"..",
	"*",
	"*/0",
	"1-5",
	"L",
	"\n",
	"1970-01-01T00:00:00Z",
	"9999-12-31",
	"Europe/Berlin",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint64_t
mutate_random(uint64_t *seed)
{
	uint64_t x = *seed;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*seed = x;
	return x * UINT64_C(2685821657736338717);
}

/* A number from 0 to n - 1; n is not 0. */
static size_t
below(uint64_t *seed, size_t n)
{
	return (size_t) ((mutate_random(seed) >> 16) % n);
}

static size_t
insert(unsigned char *data, size_t size, size_t max, size_t at, const void *piece, size_t length)
{
	unsigned char copy[256];

	if (length > sizeof(copy))
		length = sizeof(copy);
	if (size + length > max)
		return size;
	memcpy(copy, piece, length); /* it may lie in data itself */
	memmove(data + at + length, data + at, size - at);
	memcpy(data + at, copy, length);
	return size + length;
}

static size_t
erase(unsigned char *data, size_t size, size_t at, size_t length)
{
	memmove(data + at, data + at + length, size - at - length);
	return size - length;
}

static size_t
change(unsigned char *data, size_t size, size_t max, const unsigned char *other, size_t other_size,
	   uint64_t *seed)
{
	size_t at = size > 0 ? below(seed, size) : 0;
	size_t length = size > at ? 1 + below(seed, size - at < 64 ? size - at : 64) : 0;
	const char *word = words[below(seed, COUNT(words))];

	switch (below(seed, 10))
	{
		case 0:
			if (size > 0)
				data[at] ^= (unsigned char) (1 << below(seed, 8));
			return size;
		case 1:
			if (size > 0)
				data[at] = (unsigned char) mutate_random(seed);
			return size;
		case 2:
			return erase(data, size, at, length);
		case 3:
			return insert(data, size, max, at, data + (length > 0 ? at : 0), length);
		case 4:
			return insert(data, size, max, at, word, strlen(word));
		case 5:
			size = erase(data, size, at, length);
			return insert(data, size, max, at, word, strlen(word));
		case 6:
			/* the end is cut off */
			return size > 0 && below(seed, 4) == 0 ? at : size;
		case 7:
			if (other_size == 0)
				return size;
			other += below(seed, other_size);
			return insert(data, size, max, at, other, 1 + below(seed, 16) % other_size);
		case 8:
			/* many times the same: depth, and lengths that overflow */
			for (size_t times = 1 + below(seed, 64); times > 0; times--)
				size = insert(data, size, max, at, data + at, length < 8 ? length : 8);
			return size;
		default:
			if (size > 0)
				data[at] = (unsigned char) (data[at] + below(seed, 3) - 1);
			return size;
	}
}

size_t
mutate(unsigned char *data, size_t size, size_t max, const unsigned char *other, size_t other_size,
	   uint64_t *seed)
{
	size_t times = 1 + below(seed, 1 << below(seed, 4));

	while (times-- > 0)
	{
		const unsigned char *from = other;
		size_t left = other_size;

		/* change() reads up to 16 bytes from any place of the other. */
		left = left > 16 ? left - 16 : 0;
		size = change(data, size, max, from, left, seed);
	}
	return size;
}
