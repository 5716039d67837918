/*
 * clock.c
 *		Times in microseconds, and their text in event lines.
 */
#include "clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t) now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

int64_t
clock_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

void
clock_format(int64_t us, char text[CLOCK_TEXT])
{
	time_t seconds = us / CLOCK_SECOND;
	int fraction = us % CLOCK_SECOND;
	struct tm tm;
	char date[CLOCK_TEXT];

	if (fraction < 0)
	{
		fraction += CLOCK_SECOND;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, CLOCK_TEXT, "%.23s.%06dZ", date, fraction);
}

/* Read exactly two digits and their separator; NULL when they are not there. */
static const char *
two_digits(const char *p, char before, int *value)
{
	if (before != '\0' && *p++ != before)
		return NULL;
	if (!isdigit((unsigned char) p[0]) || !isdigit((unsigned char) p[1]))
		return NULL;
	*value = (p[0] - '0') * 10 + (p[1] - '0');
	return p + 2;
}

/* Read "Z", "+02", "+02:00" or "+0200" up to the end of the text. */
static bool
parse_offset(const char *p, int *seconds)
{
	int sign;
	int hours;
	int minutes = 0;

	*seconds = 0;
	if ((*p == 'Z' || *p == 'z') && p[1] == '\0')
		return true;
	if (*p != '+' && *p != '-')
		return false;
	sign = *p == '-' ? -1 : 1;
	if ((p = two_digits(p + 1, '\0', &hours)) == NULL)
		return false;
	if (*p != '\0' && (p = two_digits(p, *p == ':' ? ':' : '\0', &minutes)) == NULL)
		return false;
	if (*p != '\0' || hours > 15 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
clock_parse(const char *text, int64_t *us)
{
	struct tm tm = {0};
	const char *p = text;
	int century;
	int year;
	int offset;
	int64_t fraction = 0;
	int64_t scale = CLOCK_SECOND;

	if ((p = two_digits(p, '\0', &century)) == NULL || (p = two_digits(p, '\0', &year)) == NULL ||
		(p = two_digits(p, '-', &tm.tm_mon)) == NULL ||
		(p = two_digits(p, '-', &tm.tm_mday)) == NULL || (*p != 'T' && *p != 't' && *p != ' ') ||
		(p = two_digits(p, *p, &tm.tm_hour)) == NULL ||
		(p = two_digits(p, ':', &tm.tm_min)) == NULL ||
		(p = two_digits(p, ':', &tm.tm_sec)) == NULL)
		return false;
	if (*p == '.')
	{
		for (p++; isdigit((unsigned char) *p) && scale > 1; p++)
		{
			scale /= 10;
			fraction += (*p - '0') * scale;
		}
		if (scale == CLOCK_SECOND)
			return false;
	}
	if (!parse_offset(p, &offset))
		return false;
	if (century * 100 + year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year = century * 100 + year - 1900;
	tm.tm_mon--;
	*us = ((int64_t) timegm(&tm) - offset) * CLOCK_SECOND + fraction;
	return true;
}
