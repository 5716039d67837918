/*
 * backoff.h
 *		How long to wait before the next attempt: 1, 2, 4 ... 60 s.
 */
#ifndef CCTV_BACKOFF_H
#define CCTV_BACKOFF_H

#include <stdint.h>

typedef struct Backoff
{
	int failures;
	unsigned seed;
} Backoff;

/* Cameras with different seeds do not retry in step. */
extern void backoff_init(Backoff *backoff, unsigned seed);

/* Microseconds to wait now: the step, less up to a fifth of it by chance. */
extern int64_t backoff_next(Backoff *backoff);
extern void backoff_reset(Backoff *backoff);

#endif /* CCTV_BACKOFF_H */
