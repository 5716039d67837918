/*
 * mutate.h
 *		Changes to an input that keep some of its shape: what a fuzzer tries next.
 */
#ifndef CCTV_TEST_MUTATE_H
#define CCTV_TEST_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* xorshift64*: the same numbers for the same seed (not 0), on every machine. */
extern uint64_t mutate_random(uint64_t *seed);

/*
 * Change the input in place, some times over, within max bytes; other is one to
 * take pieces from (size 0: none).  Returns the new length.
 */
extern size_t mutate(unsigned char *data, size_t size, size_t max, const unsigned char *other,
					 size_t other_size, uint64_t *seed);

#endif /* CCTV_TEST_MUTATE_H */
