/*
 * sha256.h
 *		SHA-256 (FIPS 180-4) of what is recorded, by the processor's instructions
 *		for it where there are some: libavutil's takes a sixth of what recording
 *		costs.
 *
 * A Sha256 may be copied: the copy goes on from there.
 */
#ifndef CCTV_SHA256_H
#define CCTV_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

typedef struct Sha256
{
	uint32_t state[8];
	uint64_t length; /* bytes taken so far */
	uint8_t rest[64];
	bool portable; /* without the processor's instructions */
} Sha256;

extern void sha256_init(Sha256 *sha);
extern void sha256_update(Sha256 *sha, const uint8_t *data, size_t size);
extern void sha256_final(Sha256 *sha, uint8_t digest[SHA256_BYTES]);

#endif /* CCTV_SHA256_H */
