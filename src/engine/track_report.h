/*
 * track_report.h
 *		What is told of a camera's tracks: events, pictures, and boxes for whoever
 *		looks at it.
 */
#ifndef CCTV_TRACK_REPORT_H
#define CCTV_TRACK_REPORT_H

#include "camera_plan.h"
#include "clock.h"
#include "event.h"
#include "live.h"
#include "media_path.h"
#include "snapshot_queue.h"
#include "tracker.h"

/* A stationary object is verified, and reported, this often. */
#define STATIONARY_REPORT_US (10 * CLOCK_SECOND)

/* In a watched zone every second, which frames must not miss by a little. */
#define WATCHED_REPORT_US (CLOCK_SECOND * 8 / 10)

/* What has been told of a track. */
typedef struct Reported
{
	int track;
	int64_t at_us;
	float score;		 /* of its picture, 0: there is none */
	int64_t pictured_us; /* when the picture was last written */
	char picture[MEDIA_PATH];
} Reported;

/* The first five are the user's to set. */
typedef struct TrackReport
{
	int camera_id;
	bool unpaced;
	EventStream *events;
	SnapshotQueue *snapshots; /* NULL: no pictures */
	Live *live;
	int nreported;
	Reported reported[TRACKER_MAX_TRACKS];
} TrackReport;

/* A frame in which tracks were looked for. */
typedef struct ReportFrame
{
	const AVFrame *frame;
	int64_t at_us;
	int64_t decoded_us;
	double inference_ms;
} ReportFrame;

/* Does it stand where a rule waits for how long it stays, or counts? */
extern bool track_is_watched(const CameraPlan *plan, const Track *track);

/* Tell what was seen in the frame, and keep pictures of it. */
extern void track_report_seen(TrackReport *report, const CameraPlan *plan, const Tracker *tracker,
							  const ReportFrame *frame);

/* Tell of the tracks that the tracker has just ended. */
extern void track_report_ended(TrackReport *report, const Tracker *tracker, int64_t at_us);

/*
 * Show whoever looks at the camera where its objects are: in this frame, those
 * that were not looked for too; or (NULL) those that stand still, in whatever
 * frame is newest.
 */
extern void track_report_show(const TrackReport *report, const CameraPlan *plan,
							  const Tracker *tracker, const ReportFrame *frame);

#endif /* CCTV_TRACK_REPORT_H */
