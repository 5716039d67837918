/*
 * clock.h
 *		Milliseconds that never jump: time-outs must not depend on the wall clock.
 */
#ifndef CCTV_CLOCK_H
#define CCTV_CLOCK_H

#include <time.h>

static inline int64
cctv_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Double a delay between its bounds: the back-off of everything that retries. */
static inline int
cctv_next_delay(int delay_ms, int first_ms, int limit_ms)
{
	return delay_ms == 0 ? first_ms : Min(delay_ms * 2, limit_ms);
}

#endif /* CCTV_CLOCK_H */
