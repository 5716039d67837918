/*
 * clock.h
 *		Times in microseconds, and their text in event lines.
 */
#ifndef CCTV_CLOCK_H
#define CCTV_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000)

/* Room for a formatted time, its NUL included. */
#define CLOCK_TEXT 32

/* Microseconds of the monotonic clock: for spans, deadlines and pacing. */
extern int64_t clock_monotonic_us(void);

/* Microseconds since the Unix epoch. */
extern int64_t clock_wall_us(void);

/* RFC 3339 in UTC with microseconds: 2026-11-20T06:00:00.000000Z. */
extern void clock_format(int64_t us, char text[CLOCK_TEXT]);

/*
 * Read RFC 3339 with any offset and up to six digits of fraction ("T" or a
 * blank between date and time).  Returns false when it is anything else or
 * outside the years 1970 to 9999.
 */
extern bool clock_parse(const char *text, int64_t *us);

#endif /* CCTV_CLOCK_H */
