/*
 * sha256.c
 *		SHA-256 (FIPS 180-4) of what is recorded.
 */
#include "sha256.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define BLOCK 64

static const uint32_t constants[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t
rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t
read_be32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void
compress_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	for (; blocks > 0; blocks--, data += BLOCK)
	{
		uint32_t w[64];
		uint32_t s[8];

		for (int t = 0; t < 16; t++)
			w[t] = read_be32(data + 4 * t);
		for (int t = 16; t < 64; t++)
			w[t] = w[t - 16] + w[t - 7] +
				   (rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3) +
				   (rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10);
		memcpy(s, state, sizeof(s));
		for (int t = 0; t < 64; t++)
		{
			uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
						  ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[t] + w[t];
			uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
						  ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

			memmove(s + 1, s, 7 * sizeof(*s));
			s[4] += t1;
			s[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

#if defined(__x86_64__)

static bool
has_instructions(void)
{
	unsigned a, b, c, d;

	return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
		   (b & bit_SHA) != 0;
}

/*
 * S. Gulley et al., Intel SHA Extensions, 2013: two rounds an instruction, on
 * the state as ABEF and CDGH, and four words of the schedule at a time.
 */
__attribute__((target("sha,sse4.1"))) static void
compress_fast(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i dcba = _mm_loadu_si128((const __m128i *) state);
	__m128i hgfe = _mm_loadu_si128((const __m128i *) (state + 4));
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
	__m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; blocks > 0; blocks--, data += BLOCK)
	{
		__m128i abef_before = abef;
		__m128i cdgh_before = cdgh;
		__m128i w[4];

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) data + i), big_endian);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
		{
			__m128i rounds;

			if (i >= 4)
				w[i % 4] = _mm_sha256msg2_epu32(
					_mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]),
								  _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4)),
					w[(i + 3) % 4]);
			rounds = _mm_add_epi32(w[i % 4], _mm_load_si128((const __m128i *) constants + i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, rounds);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(rounds, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	cdab = _mm_shuffle_epi32(abef, 0x1b); /* FEBA */
	efgh = _mm_shuffle_epi32(cdgh, 0xb1); /* DCHG */
	_mm_storeu_si128((__m128i *) state, _mm_blend_epi16(cdab, efgh, 0xf0));
	_mm_storeu_si128((__m128i *) (state + 4), _mm_alignr_epi8(efgh, cdab, 8));
}

#else

static bool
has_instructions(void)
{
	return false;
}

#define compress_fast compress_portable

#endif

static void
compress(Sha256 *sha, const uint8_t *data, size_t blocks)
{
	if (sha->portable)
		compress_portable(sha->state, data, blocks);
	else
		compress_fast(sha->state, data, blocks);
}

void
sha256_init(Sha256 *sha)
{
	*sha = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
							  0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
					.portable = !has_instructions()};
}

void
sha256_update(Sha256 *sha, const uint8_t *data, size_t size)
{
	size_t held = sha->length % BLOCK;

	sha->length += size;
	if (held > 0)
	{
		size_t fill = size < BLOCK - held ? size : BLOCK - held;

		memcpy(sha->rest + held, data, fill);
		data += fill;
		size -= fill;
		if (held + fill < BLOCK)
			return;
		compress(sha, sha->rest, 1);
	}
	compress(sha, data, size / BLOCK);
	if (size % BLOCK > 0)
		memcpy(sha->rest, data + size / BLOCK * BLOCK, size % BLOCK);
}

void
sha256_final(Sha256 *sha, uint8_t digest[SHA256_BYTES])
{
	static const uint8_t padding[BLOCK] = {0x80};
	uint64_t bits = sha->length * 8;
	uint8_t tail[8];

	for (int i = 0; i < 8; i++)
		tail[i] = (uint8_t) (bits >> (56 - 8 * i));
	sha256_update(sha, padding, 1 + (BLOCK + 55 - sha->length % BLOCK) % BLOCK);
	sha256_update(sha, tail, sizeof(tail));
	for (int i = 0; i < SHA256_BYTES; i++)
		digest[i] = (uint8_t) (sha->state[i / 4] >> (24 - 8 * (i % 4)));
}
