/*
 * timeline.h
 *		When a frame happened: stream timestamps placed on the wall clock.
 *
 * A live stream's frames are at the server's clock at arrival, spaced by the
 * stream's timestamps; never the camera's clock.  A file's are at its start
 * plus pts.  Times never go backwards.
 */
#ifndef CCTV_TIMELINE_H
#define CCTV_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_NO_PTS INT64_MIN

typedef struct Timeline
{
	bool live;
	bool started;		/* last_us is set */
	bool anchored;		/* offset_us is set */
	int64_t start_us;	/* of a file: time of its first frame */
	int64_t last_us;	/* time of the last frame */
	int64_t spacing_us; /* between the last two frames */
	int64_t offset_us;	/* time of pts 0 */
} Timeline;

extern void timeline_live(Timeline *timeline);
extern void timeline_file(Timeline *timeline, int64_t start_us);

/*
 * The stream begins again, with timestamps of its own: a reconnect, or a file
 * in a loop, whose first frame then follows the last.
 */
extern void timeline_restart(Timeline *timeline);

/*
 * The time of the next frame, in microseconds since the Unix epoch.  pts_us may
 * be TIMELINE_NO_PTS; a file's frame then follows the last by duration_us (0 if
 * unknown).  now_us is the wall clock at arrival.
 */
extern int64_t timeline_at(Timeline *timeline, int64_t pts_us, int64_t duration_us, int64_t now_us);

/*
 * Are a live stream's times ahead of the wall clock?  Then that was set back, and
 * they would stand still until it is where it was: begin with timeline_live().
 */
extern bool timeline_is_ahead(const Timeline *timeline, int64_t now_us);

/*
 * The time of a packet whose picture is not decoded, or not yet: as of its frame,
 * but no frame has to follow it.
 */
extern int64_t timeline_follow(Timeline *timeline, int64_t pts_us, int64_t now_us);

/* The time of a frame that came at now_us and is decoded later, or once more. */
extern int64_t timeline_past(const Timeline *timeline, int64_t pts_us, int64_t now_us);

/*
 * The time of a packet, in the order in which packets come: times go back and
 * forth where pictures are decoded in another order than they are shown.
 */
extern int64_t timeline_packet_at(Timeline *timeline, int64_t pts_us, int64_t now_us);

#endif /* CCTV_TIMELINE_H */
