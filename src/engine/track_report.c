/*
 * track_report.c
 *		What is told of a camera's tracks.
 */
#include "track_report.h"

#include <stdio.h>
#include <string.h>

/* A picture of a track is replaced by one that is better by this much, this often. */
#define BETTER_PICTURE 1.15f
#define PICTURE_US CLOCK_SECOND

/* What has been told of a track; NULL: nothing yet. */
static Reported *
find_reported(TrackReport *report, int track)
{
	for (int i = 0; i < report->nreported; i++)
		if (report->reported[i].track == track)
			return &report->reported[i];
	return NULL;
}

bool
track_is_watched(const CameraPlan *plan, const Track *track)
{
	return polygons_contain(&plan->config->watched, box_foot(&track->box));
}

/* Is this track to be reported now?  Remembers that it was. */
static bool
due_for_report(TrackReport *report, const CameraPlan *plan, const Track *track, int64_t at_us,
			   bool *first)
{
	Reported *entry = find_reported(report, track->id);
	int64_t pause_us = track_is_watched(plan, track) ? WATCHED_REPORT_US : STATIONARY_REPORT_US;

	*first = entry == NULL;
	if (entry == NULL)
	{
		if (report->nreported == TRACKER_MAX_TRACKS)
			return false;
		entry = &report->reported[report->nreported++];
		*entry = (Reported){.track = track->id};
	}
	else if (track->stationary && at_us - entry->at_us < pause_us)
		return false;
	entry->at_us = at_us;
	return true;
}

static const char *
track_label(const CameraPlan *plan, const Track *track)
{
	return model_config(plan->models[track->model])->labels.items[track->label];
}

/* Keep this frame as the track's picture, if it is the best so far. */
static void
take_snapshot(TrackReport *report, const CameraPlan *plan, const ReportFrame *frame,
			  const Track *track)
{
	Reported *reported = find_reported(report, track->id);
	Snapshot snapshot = {.frame = frame->frame,
						 .camera_id = report->camera_id,
						 .at_us = frame->at_us,
						 .track = track->id,
						 .box = track->box,
						 .label = track_label(plan, track),
						 .confidence = track->confidence,
						 .annotated = plan->config->snapshots_annotated};

	if (reported == NULL || reported->picture[0] == '\0' ||
		(reported->score > 0 && frame->at_us - reported->pictured_us < PICTURE_US))
		return;
	snapshot.score = snapshot_score(frame->frame, &track->box, track->confidence);
	if (snapshot.score < reported->score * BETTER_PICTURE)
		return;
	memcpy(snapshot.path, reported->picture, sizeof(snapshot.path));
	caption_camera(plan->config->name, report->camera_id, snapshot.camera);
	if (report->unpaced)
		snapshot_queue_write_now(report->snapshots, &snapshot, report->events);
	/* What has been given up is made up for by the next frame. */
	else if (!snapshot_queue_put(report->snapshots, &snapshot, report->events))
		return;
	reported->score = snapshot.score;
	reported->pictured_us = frame->at_us;
}

void
track_report_seen(TrackReport *report, const CameraPlan *plan, const Tracker *tracker,
				  const ReportFrame *frame)
{
	const Track *tracks;
	int ntracks = tracker_tracks(tracker, &tracks);
	bool pictures = plan->config->snapshots && report->snapshots != NULL;
	EventObject objects[TRACKER_MAX_TRACKS];
	int nobjects = 0;

	for (int i = 0; i < ntracks && nobjects < TRACKER_MAX_TRACKS; i++)
	{
		const Track *track = &tracks[i];
		EventObject *object = &objects[nobjects];
		bool first;

		if (track->state != TRACK_CONFIRMED || !track->seen ||
			!due_for_report(report, plan, track, frame->at_us, &first))
			continue;
		*object = (EventObject){.track = track->id,
								.label = track_label(plan, track),
								.model = model_config(plan->models[track->model])->name,
								.confidence = track->confidence,
								.box = track->box,
								.stationary = track->stationary,
								.attributes = &track->attributes,
								.first = first,
								.since_us = track->first_us};
		if (first && pictures)
		{
			Reported *reported = find_reported(report, track->id);

			media_path_snapshot(reported->picture, report->camera_id, frame->at_us, track->id);
			object->snapshot = reported->picture;
		}
		nobjects++;
	}
	event_objects(report->events, frame->at_us, frame->decoded_us, frame->inference_ms, objects,
				  nobjects);
	for (int i = 0; pictures && i < ntracks; i++)
		if (tracks[i].state == TRACK_CONFIRMED && tracks[i].seen)
			take_snapshot(report, plan, frame, &tracks[i]);
}

void
track_report_show(const TrackReport *report, const CameraPlan *plan, const Tracker *tracker,
				  const ReportFrame *frame)
{
	LiveObject objects[LIVE_MAX_OBJECTS];
	const Track *tracks;
	int ntracks = tracker_tracks(tracker, &tracks);
	int n = 0;

	for (int i = 0; i < ntracks && n < LIVE_MAX_OBJECTS; i++)
	{
		if (tracks[i].state != TRACK_CONFIRMED || (frame == NULL && !tracks[i].stationary))
			continue;
		objects[n].box = tracks[i].seen ? tracks[i].box : box_clip(&tracks[i].predicted);
		objects[n].speed = tracks[i].speed;
		snprintf(objects[n].caption, sizeof(objects[n].caption), "%s %d%%",
				 track_label(plan, &tracks[i]), (int) (tracks[i].confidence * 100 + 0.5f));
		n++;
	}
	live_show_objects(report->live, objects, n, frame == NULL, frame != NULL ? frame->at_us : 0);
}

void
track_report_ended(TrackReport *report, const Tracker *tracker, int64_t at_us)
{
	const Track *ended;
	int count = tracker_ended(tracker, &ended);

	for (int i = 0; i < count; i++)
	{
		event_track_end(report->events, at_us, ended[i].id, ended[i].last_us);
		for (int j = 0; j < report->nreported; j++)
			if (report->reported[j].track == ended[i].id)
				report->reported[j--] = report->reported[--report->nreported];
	}
}
