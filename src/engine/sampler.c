/*
 * sampler.c
 *		Which frames of a stream are analysed: detect_fps of them a second, by
 *		their timestamps.
 */
#include "sampler.h"

#include "clock.h"

/* A frame at most this early, or an eighth of an interval, is taken: timestamps jitter. */
#define EARLY_US 20000

void
sampler_init(Sampler *sampler, double fps)
{
	*sampler = (Sampler){0};
	sampler_set_fps(sampler, fps);
}

void
sampler_set_fps(Sampler *sampler, double fps)
{
	sampler->interval_us = (int64_t) (CLOCK_SECOND / fps);
	sampler->started = false;
}

bool
sampler_take(Sampler *sampler, int64_t at_us)
{
	int64_t early_us = sampler->interval_us / 8 < EARLY_US ? sampler->interval_us / 8 : EARLY_US;

	if (sampler->started && at_us + early_us < sampler->next_us)
		return false;
	/*
	 * Due times lie on a grid, so that 15 frames a second sampled at 4 give 4
	 * on average.  After a gap the grid starts anew.
	 */
	if (!sampler->started || at_us - sampler->next_us >= sampler->interval_us)
		sampler->next_us = at_us;
	sampler->next_us += sampler->interval_us;
	sampler->started = true;
	return true;
}
