/*
 * analysis.c
 *		One camera's perception: motion, then objects where it is worth a look,
 *		then tracks, then events.
 *
 * The tracker belongs to the job under way, if there is one, else to the
 * camera's thread: `busy` says which.  A camera has at most one frame in work
 * and one that waits; a newer frame replaces the one that waits.
 */
#include "analysis.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "frame_search.h"
#include "log.h"
#include "motion.h"
#include "scene.h"
#include "track_report.h"
#include "tracker.h"

/* A track goes on by sightings of this part of the confidence that starts one. */
#define LOW_PART 0.5f

/* A frame to search, and what moved in it. */
typedef struct Job
{
	AVFrame *frame; /* NULL: no job */
	int64_t at_us;
	int64_t decoded_us;
	bool moving;	  /* worth a search whatever the tracks say */
	bool calibrating; /* the background is not known yet: search all of it */
	int nclusters;
	Box clusters[MOTION_MAX_CLUSTERS];
} Job;

struct Analysis
{
	int camera_id;
	EventStream *events;
	Pool *pool;
	SnapshotQueue *snapshots;
	Counters *counters;
	PoolTask task;
	bool unpaced;
	atomic_bool lively; /* an object is under way */

	/* The camera's thread only. */
	Motion *motion;
	bool moving;
	bool calibrating;
	Scene *scene;

	/* Of the job while busy, else of the camera's thread. */
	CameraPlan *plan;
	Job current;
	Findings findings;
	Tracker *tracker;
	SearchMemory memory;
	TrackReport report;

	pthread_mutex_t lock;
	bool busy; /* a job waits or is in work */
	Job next;
	char notice[ANALYSIS_NOTICE];
	bool notice_changed;
};

static void search(void *arg, Workspace *workspace);

static TrackerSettings
tracker_settings(const CameraPlan *plan)
{
	TrackerSettings settings;

	tracker_default_settings(&settings);
	settings.high_confidence = plan->config->min_confidence;
	settings.low_confidence = plan->config->min_confidence * LOW_PART;
	settings.median_confidence = plan->config->median_confidence;
	return settings;
}

static Tracker *
make_tracker(const CameraPlan *plan)
{
	TrackerSettings settings = tracker_settings(plan);

	return tracker_create(&settings);
}

Analysis *
analysis_create(int camera_id, CameraPlan *plan, EventStream *events, Pool *pool,
				SnapshotQueue *snapshots, Live *live, Counters *counters)
{
	Analysis *analysis = calloc(1, sizeof(*analysis));

	if (analysis == NULL)
		return NULL;
	pthread_mutex_init(&analysis->lock, NULL);
	analysis->camera_id = camera_id;
	analysis->events = events;
	analysis->pool = pool;
	analysis->snapshots = snapshots;
	analysis->counters = counters;
	analysis->task = (PoolTask){.run = search, .arg = analysis, .camera_id = camera_id};
	analysis->unpaced = camera_plan_unpaced(plan);
	analysis->report = (TrackReport){.camera_id = camera_id,
									 .unpaced = analysis->unpaced,
									 .events = events,
									 .snapshots = snapshots,
									 .live = live};
	analysis->plan = camera_plan_ref(plan);
	search_memory_reset(&analysis->memory);
	analysis->motion = motion_create(&plan->config->motion);
	analysis->tracker = make_tracker(plan);
	analysis->scene = scene_create(events);
	if (analysis->motion == NULL || analysis->tracker == NULL || analysis->scene == NULL)
	{
		analysis_free(analysis);
		return NULL;
	}
	motion_set_masks(analysis->motion, &plan->config->masks);
	return analysis;
}

void
analysis_free(Analysis *analysis)
{
	if (analysis == NULL)
		return;
	if (analysis->motion != NULL)
		motion_free(analysis->motion);
	if (analysis->tracker != NULL)
		tracker_free(analysis->tracker);
	scene_free(analysis->scene);
	camera_plan_unref(analysis->plan);
	pthread_mutex_destroy(&analysis->lock);
	free(analysis);
}

/* With the lock held. */
static void
set_notice(Analysis *analysis, const char *notice)
{
	if (strcmp(analysis->notice, notice) == 0)
		return;
	snprintf(analysis->notice, sizeof(analysis->notice), "%s", notice);
	analysis->notice_changed = true;
}

bool
analysis_notice(Analysis *analysis, char notice[ANALYSIS_NOTICE])
{
	bool changed;

	pthread_mutex_lock(&analysis->lock);
	changed = analysis->notice_changed;
	analysis->notice_changed = false;
	memcpy(notice, analysis->notice, ANALYSIS_NOTICE);
	pthread_mutex_unlock(&analysis->lock);
	return changed;
}

static void
drop_job(Job *job)
{
	av_frame_free(&job->frame);
}

/* Note whether any object is under way, for the camera's thread. */
static void
note_life(Analysis *analysis)
{
	const Track *tracks;
	int ntracks = tracker_tracks(analysis->tracker, &tracks);
	bool lively = false;

	for (int i = 0; i < ntracks && !lively; i++)
		lively = tracks[i].seen && !tracks[i].stationary;
	analysis->lively = lively;
}

/* The job's search is done: track and report. */
static void
report_findings(Analysis *analysis)
{
	const Findings *found = &analysis->findings;
	const Job *job = &analysis->current;
	ReportFrame frame = {.frame = job->frame,
						 .at_us = job->at_us,
						 .decoded_us = job->decoded_us,
						 .inference_ms = found->inference_ms};

	if (found->failed)
		return;
	tracker_update(analysis->tracker, job->at_us, found->inputs, found->ninputs, &found->region,
				   found->part);
	track_report_seen(&analysis->report, analysis->plan, analysis->tracker, &frame);
	track_report_ended(&analysis->report, analysis->tracker, job->at_us);
	track_report_show(&analysis->report, analysis->plan, analysis->tracker, &frame);
	note_life(analysis);
}

/* Give the tracker back, unless the next job waits already. */
static void
end_job(Analysis *analysis)
{
	pthread_mutex_lock(&analysis->lock);
	drop_job(&analysis->current);
	analysis->busy = analysis->next.frame != NULL;
	pthread_mutex_unlock(&analysis->lock);
}

/* Search the current job's frame with every model of the camera. */
static void
find_objects(Analysis *analysis, const CameraPlan *plan, Workspace *workspace)
{
	Findings *found = &analysis->findings;
	const Job *job = &analysis->current;
	SearchFrame frame = {.frame = job->frame,
						 .at_us = job->at_us,
						 .whole = job->calibrating,
						 .clusters = job->clusters,
						 .nclusters = job->nclusters};
	char notice[ANALYSIS_NOTICE];
	const char *loss;

	frame.ntracks = tracker_tracks(analysis->tracker, &frame.tracks);
	frame_search(plan, &frame, &analysis->memory, workspace, found);
	if (!found->failed)
	{
		analysis->counters->inferences++;
		analysis->counters->inference_us += (uint64_t) (found->inference_ms * 1000);
	}
	loss = found->failed ? "no objects" : "not all objects";
	if (plan->problem[0] != '\0')
		snprintf(notice, sizeof(notice), "%s: %s", loss, plan->problem);
	else if (found->reason[0] != '\0')
		snprintf(notice, sizeof(notice), "%s: %s", loss, found->reason);
	else
		notice[0] = '\0';
	pthread_mutex_lock(&analysis->lock);
	set_notice(analysis, notice);
	pthread_mutex_unlock(&analysis->lock);
}

/* Time passes without a look. */
static void
idle(Analysis *analysis, int64_t at_us)
{
	tracker_idle(analysis->tracker, at_us);
	track_report_ended(&analysis->report, analysis->tracker, at_us);
	track_report_show(&analysis->report, analysis->plan, analysis->tracker, NULL);
	note_life(analysis);
}

/* Must somebody who stands still in a watched zone be looked after? */
static bool
watched_due(const Analysis *analysis, int64_t at_us)
{
	const Track *tracks;
	int ntracks;

	if (analysis->plan->config->watched.count == 0 || analysis->memory.searched_us == INT64_MIN ||
		at_us - analysis->memory.searched_us < WATCHED_REPORT_US)
		return false;
	ntracks = tracker_tracks(analysis->tracker, &tracks);
	for (int i = 0; i < ntracks; i++)
		if (tracks[i].stationary && track_is_watched(analysis->plan, &tracks[i]))
			return true;
	return false;
}

/*
 * Whoever stands there while the background is being learnt becomes part of it
 * and never moves: until it is known every frame is searched.
 */
static bool
worth_a_search(const Analysis *analysis, bool moving, bool calibrating, int64_t at_us)
{
	return moving || calibrating || tracker_due(analysis->tracker, at_us, STATIONARY_REPORT_US) ||
		   watched_due(analysis, at_us) ||
		   frame_search_due(analysis->plan, &analysis->memory, at_us);
}

/* What a detector thread does for a camera: the newest frame that waits. */
static void
search(void *arg, Workspace *workspace)
{
	Analysis *analysis = arg;
	Job *job = &analysis->current;

	pthread_mutex_lock(&analysis->lock);
	*job = analysis->next;
	analysis->next.frame = NULL;
	pthread_mutex_unlock(&analysis->lock);
	if (job->frame == NULL)
		return;
	if (worth_a_search(analysis, job->moving, job->calibrating, job->at_us))
	{
		find_objects(analysis, analysis->plan, workspace);
		/* The camera's thread, which may wait for room in the queue, goes on. */
		if (analysis->unpaced)
			return;
		report_findings(analysis);
	}
	else
		idle(analysis, job->at_us);
	end_job(analysis);
}

/* Have a frame searched, instead of the one that waits if there is one. */
static void
submit(Analysis *analysis, const AVFrame *frame, int64_t at_us, int64_t decoded_us,
	   const MotionResult *motion)
{
	AVFrame *reference = av_frame_clone(frame);
	Job *next = &analysis->next;

	if (reference == NULL)
		return;
	pthread_mutex_lock(&analysis->lock);
	if (next->frame != NULL)
	{
		drop_job(next);
		analysis->counters->skipped++;
	}
	next->frame = reference;
	next->at_us = at_us;
	next->decoded_us = decoded_us;
	next->moving = motion->active;
	next->calibrating = motion->calibrating;
	next->nclusters = motion->nclusters;
	memcpy(next->clusters, motion->clusters, motion->nclusters * sizeof(Box));
	analysis->busy = true;
	pthread_mutex_unlock(&analysis->lock);

	pool_submit(analysis->pool, &analysis->task);
	if (analysis->unpaced)
	{
		pool_wait(analysis->pool, &analysis->task);
		report_findings(analysis);
		end_job(analysis);
	}
}

static void
look_for_motion(Analysis *analysis, const AVFrame *frame, int64_t at_us, MotionResult *motion)
{
	if (motion_update(analysis->motion, frame, at_us, motion) != 0)
	{
		log_warning("a frame could not be searched for motion");
		memset(motion, 0, sizeof(*motion));
	}
	if (motion->active != analysis->moving)
		event_motion(analysis->events, at_us, motion->active, motion->area);
	analysis->moving = motion->active;
	analysis->calibrating = motion->calibrating;
}

/* Is there anything to see at all?  Judged on the grid on which motion was looked for. */
static void
look_at_scene(Analysis *analysis, int64_t at_us, int64_t decoded_us)
{
	const LumaGrid *grid = motion_grid(analysis->motion);
	bool watched = polygons_contain(&analysis->plan->config->watched, box_foot(&scene_box));

	if (grid != NULL)
		scene_update(analysis->scene, grid, at_us, decoded_us,
					 watched ? WATCHED_REPORT_US : STATIONARY_REPORT_US);
}

bool
analysis_moving(const Analysis *analysis)
{
	return analysis->moving;
}

bool
analysis_active(const Analysis *analysis)
{
	return analysis->moving || analysis->calibrating || analysis->lively;
}

void
analysis_wait(Analysis *analysis, int64_t deadline_us)
{
	pool_wait_until(analysis->pool, &analysis->task, deadline_us);
}

void
analysis_frame(Analysis *analysis, const AVFrame *frame, int64_t at_us, int64_t decoded_us)
{
	MotionResult motion;
	bool busy;

	analysis->counters->analysed++;
	look_for_motion(analysis, frame, at_us, &motion);
	/* Motion alone is looked for when it starts recordings. */
	if (!analysis->plan->config->detect)
		return;
	look_at_scene(analysis, at_us, decoded_us);
	pthread_mutex_lock(&analysis->lock);
	busy = analysis->busy;
	pthread_mutex_unlock(&analysis->lock);

	/*
	 * While a job is under way the tracker is not ours to ask: offer the frame,
	 * and let the next job see whether it is worth a search.
	 */
	if (busy || worth_a_search(analysis, motion.active, motion.calibrating, at_us))
		submit(analysis, frame, at_us, decoded_us, &motion);
	else
		idle(analysis, at_us);
}

/* Let no job be under way; the tracker is then the camera's thread's. */
static void
cancel_jobs(Analysis *analysis)
{
	pool_cancel(analysis->pool, &analysis->task);
	pthread_mutex_lock(&analysis->lock);
	if (analysis->next.frame != NULL)
		analysis->counters->skipped++;
	drop_job(&analysis->next);
	drop_job(&analysis->current);
	analysis->busy = false;
	pthread_mutex_unlock(&analysis->lock);
}

static void
end_tracks(Analysis *analysis, int64_t at_us)
{
	tracker_end_all(analysis->tracker, at_us);
	track_report_ended(&analysis->report, analysis->tracker, at_us);
}

void
analysis_cut(Analysis *analysis, int64_t at_us, bool renumber)
{
	Tracker *fresh;

	cancel_jobs(analysis);
	end_tracks(analysis, at_us);
	scene_cut(analysis->scene, at_us);
	if (analysis->snapshots != NULL)
		snapshot_queue_wait(analysis->snapshots, analysis->events);
	if (analysis->moving)
		event_motion(analysis->events, at_us, false, 0);
	analysis->moving = false;
	analysis->calibrating = false;
	analysis->lively = false;
	search_memory_reset(&analysis->memory);
	motion_reset(analysis->motion);
	if (renumber && (fresh = make_tracker(analysis->plan)) != NULL)
	{
		tracker_free(analysis->tracker);
		analysis->tracker = fresh;
	}
}

void
analysis_configure(Analysis *analysis, CameraPlan *plan, int64_t at_us)
{
	TrackerSettings settings = tracker_settings(plan);

	cancel_jobs(analysis);
	/* A track knows its model by its place among the camera's models. */
	if (!camera_plan_same_models(analysis->plan, plan))
		end_tracks(analysis, at_us);
	tracker_configure(analysis->tracker, &settings);
	motion_configure(analysis->motion, &plan->config->motion);
	motion_set_masks(analysis->motion, &plan->config->masks);
	camera_plan_unref(analysis->plan);
	analysis->plan = camera_plan_ref(plan);
}
