/*
 * rate_limit.h
 *		At most so many log messages in ten seconds; the rest are counted.
 */
#ifndef CCTV_RATE_LIMIT_H
#define CCTV_RATE_LIMIT_H

#define CCTV_RATE_WINDOW_MS 10000
#define CCTV_RATE_MESSAGES 10

typedef struct CctvRateLimit
{
	int64 window_start;
	int count;
	int suppressed; /* since the last message that was let through */
} CctvRateLimit;

/*
 * May a message be logged now?  If so, *suppressed is how many were not since
 * the last one that was.
 */
static inline bool
cctv_rate_limit_allow(CctvRateLimit *limit, int64 now, int *suppressed)
{
	if (now - limit->window_start >= CCTV_RATE_WINDOW_MS || limit->window_start == 0)
	{
		limit->window_start = now;
		limit->count = 0;
	}
	if (limit->count >= CCTV_RATE_MESSAGES)
	{
		limit->suppressed++;
		return false;
	}
	limit->count++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

#endif /* CCTV_RATE_LIMIT_H */
