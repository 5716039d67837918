/*
 * timeline.c
 *		When a frame happened: stream timestamps placed on the wall clock.
 */
#include "timeline.h"

#include "clock.h"

/* A frame this much later than its timestamp says: the clocks have parted. */
#define DRIFT_LIMIT_US CLOCK_SECOND

/* No frame is this far ahead of the clock unless somebody has set that back. */
#define AHEAD_LIMIT_US (2 * CLOCK_SECOND)

/* From one frame of a file to the next, when nothing is known of it. */
#define DEFAULT_SPACING_US (CLOCK_SECOND / 25)

/* Timestamps beyond a century are noise. */
#define PTS_LIMIT_US (INT64_C(100) * 366 * 86400 * CLOCK_SECOND)

void
timeline_live(Timeline *timeline)
{
	*timeline = (Timeline){.live = true};
}

void
timeline_file(Timeline *timeline, int64_t start_us)
{
	*timeline = (Timeline){.live = false, .start_us = start_us};
}

void
timeline_restart(Timeline *timeline)
{
	timeline->anchored = false;
}

/*
 * A frame cannot arrive before it happened, so an offset that puts one into the
 * future was learnt from a frame held up on its way: it moves back at once.
 */
static int64_t
live_at(Timeline *timeline, int64_t pts_us, int64_t now_us)
{
	int64_t at_us = now_us;

	if (pts_us == TIMELINE_NO_PTS)
		return now_us;
	if (timeline->anchored)
		at_us = timeline->offset_us + pts_us;
	if (!timeline->anchored || at_us > now_us || now_us - at_us > DRIFT_LIMIT_US)
	{
		timeline->offset_us = now_us - pts_us;
		timeline->anchored = true;
		at_us = now_us;
	}
	return at_us;
}

static int64_t
file_at(Timeline *timeline, int64_t pts_us, int64_t duration_us)
{
	int64_t expected_us = timeline->start_us;

	if (duration_us <= 0)
		duration_us = timeline->spacing_us > 0 ? timeline->spacing_us : DEFAULT_SPACING_US;
	if (timeline->started)
		expected_us = timeline->last_us + duration_us;
	if (pts_us == TIMELINE_NO_PTS)
		return expected_us;
	/* Recordings put end to end start their timestamps again: go on from there. */
	if (!timeline->anchored || timeline->offset_us + pts_us < timeline->last_us - DRIFT_LIMIT_US)
	{
		timeline->offset_us = expected_us - pts_us;
		timeline->anchored = true;
	}
	return timeline->offset_us + pts_us;
}

/* By the timestamp alone. */
static int64_t
place(Timeline *timeline, int64_t pts_us, int64_t duration_us, int64_t now_us)
{
	if (pts_us > PTS_LIMIT_US || pts_us < -PTS_LIMIT_US)
		pts_us = TIMELINE_NO_PTS;
	return timeline->live ? live_at(timeline, pts_us, now_us)
						  : file_at(timeline, pts_us, duration_us);
}

int64_t
timeline_follow(Timeline *timeline, int64_t pts_us, int64_t now_us)
{
	return place(timeline, pts_us, 0, now_us);
}

int64_t
timeline_past(const Timeline *timeline, int64_t pts_us, int64_t now_us)
{
	if (pts_us == TIMELINE_NO_PTS || !timeline->anchored)
		return now_us;
	return timeline->offset_us + pts_us;
}

int64_t
timeline_packet_at(Timeline *timeline, int64_t pts_us, int64_t now_us)
{
	int64_t at_us = place(timeline, pts_us, 0, now_us);

	if (!timeline->started || at_us > timeline->last_us)
		timeline->last_us = at_us;
	timeline->started = true;
	return at_us;
}

int64_t
timeline_at(Timeline *timeline, int64_t pts_us, int64_t duration_us, int64_t now_us)
{
	int64_t at_us = place(timeline, pts_us, duration_us, now_us);

	if (timeline->started)
	{
		if (at_us <= timeline->last_us)
			at_us = timeline->last_us + 1;
		timeline->spacing_us = at_us - timeline->last_us;
	}
	timeline->last_us = at_us;
	timeline->started = true;
	return at_us;
}

bool
timeline_is_ahead(const Timeline *timeline, int64_t now_us)
{
	return timeline->live && timeline->started && timeline->last_us - now_us > AHEAD_LIMIT_US;
}
