/*
 * backoff.c
 *		How long to wait before the next attempt: 1, 2, 4 ... 60 s.
 */
#include "backoff.h"

#include <stdlib.h>

#include "clock.h"

#define LONGEST_S 60

void
backoff_init(Backoff *backoff, unsigned seed)
{
	backoff->failures = 0;
	backoff->seed = seed;
}

int64_t
backoff_next(Backoff *backoff)
{
	int seconds = backoff->failures < 6 ? 1 << backoff->failures : LONGEST_S;
	int64_t step = seconds * CLOCK_SECOND;

	backoff->failures++;
	return step - rand_r(&backoff->seed) % (step / 5);
}

void
backoff_reset(Backoff *backoff)
{
	backoff->failures = 0;
}
