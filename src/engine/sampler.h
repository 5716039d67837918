/*
 * sampler.h
 *		Which frames of a stream are analysed: detect_fps of them a second, by
 *		their timestamps.  The same timestamps give the same choice.
 */
#ifndef CCTV_SAMPLER_H
#define CCTV_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Sampler
{
	int64_t interval_us;
	int64_t next_us;
	bool started;
} Sampler;

/* fps > 0. */
extern void sampler_init(Sampler *sampler, double fps);
extern void sampler_set_fps(Sampler *sampler, double fps);

/* Take the frame at at_us?  Times must not go backwards. */
extern bool sampler_take(Sampler *sampler, int64_t at_us);

#endif /* CCTV_SAMPLER_H */
