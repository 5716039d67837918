/*
 * tracker.c
 *		Association of detections with tracks, and the life of a track.
 *
 * This is ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by
 * Associating Every Detection Box", ECCV 2022): confident detections are
 * matched first, then doubtful ones continue what they left unmatched, and only
 * a confident one starts a track.  A camera is searched some five times a
 * second, at which a walker's boxes hardly overlap; so overlap is measured
 * between boxes with a margin, first a small one and then a large one (Yang et
 * al., "Hard to Track Objects with Irregular Motions and Similar Appearances?
 * Make It Easier by Buffering the Matching Space" (C-BIoU), WACV 2023).
 */
#include "tracker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assignment.h"
#include "kalman.h"

_Static_assert(TRACKER_MAX_TRACKS <= ASSIGNMENT_MAX, "every track may be a row");

/* Margins on every side, in sides of the box, and the overlap that then counts. */
#define SMALL_MARGIN 0.3f
#define SMALL_MARGIN_OVERLAP 0.2f
#define LARGE_MARGIN 0.5f
#define LARGE_MARGIN_MAX 1.0f /* the large margin grows with the time unseen */
#define LARGE_MARGIN_OVERLAP 0.1f
#define DOUBTFUL_OVERLAP 0.55f
#define SAME_PLACE 0.6f /* overlap without margin: one object, whatever its label */
#define SAME_PART 0.8f	/* share of the smaller box: a part of an object already seen */
#define RESIZED 3.0f	/* one object's area does not change by more from one look to the next */

#define STEP_S 0.2f		/* the step for which the margins are meant */
#define STEP_MAX_S 2.0f /* no speed is believed for longer */
#define TENTATIVE_MISSES 2
#define VISIBLE 0.5f  /* with less of it in the frame, a track has nothing more to show */
#define SEARCHED 0.5f /* a track was looked for if this share of it was in a region */
#define STATIONARY_PATIENCE 3

/* Displacement in sizes of the box (the mean of its sides): under it stands, over it has moved. */
#define STANDS 0.15f
#define MOVED 0.35f
#define MOVED_SIGHTINGS 2 /* in a row, as a half hidden box jumps once */

#define MEDIAN_SIGHTINGS 15 /* the newest, of which the median is taken */

/* What the tracker knows of a track beyond what it tells. */
typedef struct Memory
{
	KalmanBox filter;
	int misses; /* searches in a row that did not find it */
	int64_t lost_since_us;
	int64_t min_age_us; /* to be confirmed */
	Box anchor;			/* where it stands, since anchor_us */
	int64_t anchor_us;
	int strays; /* sightings in a row away from where a stationary one stands */
	float confidences[MEDIAN_SIGHTINGS]; /* of the newest sightings, in a ring */
	int sightings;
} Memory;

struct Tracker
{
	TrackerSettings settings;
	bool started;
	int64_t at_us;
	int last_id;
	int ntracks;
	int nended;
	Track tracks[TRACKER_MAX_TRACKS];
	Memory memories[TRACKER_MAX_TRACKS]; /* of the track with the same index */
	Track ended[TRACKER_MAX_TRACKS];

	/* The frame under way. */
	const TrackerInput *inputs;
	int ninputs;
	bool taken[ASSIGNMENT_MAX]; /* inputs */
	float scores[ASSIGNMENT_MAX * ASSIGNMENT_MAX];
};

/* One round of matching: who takes part, and what counts as the same object. */
typedef struct Round
{
	bool tentative; /* tentative tracks, or else confirmed and lost ones */
	bool doubtful;	/* detections of low confidence, or else of high */
	bool any_label;
	float margin;
	bool growing; /* the margin grows with the time unseen */
	float overlap;
} Round;

/* Dearest first: each round gets what those before it have left. */
static const Round ROUNDS[] = {
	{.margin = SMALL_MARGIN, .overlap = SMALL_MARGIN_OVERLAP},
	{.doubtful = true, .margin = SMALL_MARGIN, .overlap = DOUBTFUL_OVERLAP},
	{.tentative = true, .margin = SMALL_MARGIN, .overlap = SMALL_MARGIN_OVERLAP},
	{.margin = LARGE_MARGIN, .growing = true, .overlap = LARGE_MARGIN_OVERLAP},
	{.tentative = true, .margin = LARGE_MARGIN, .growing = true, .overlap = LARGE_MARGIN_OVERLAP},
	{.tentative = true, .doubtful = true, .margin = SMALL_MARGIN, .overlap = DOUBTFUL_OVERLAP},
	{.any_label = true, .overlap = SAME_PLACE},
	{.tentative = true, .any_label = true, .overlap = SAME_PLACE},
};

void
tracker_default_settings(TrackerSettings *settings)
{
	settings->high_confidence = 0.5f;
	settings->low_confidence = 0.2f;
	settings->confirm_hits = 3;
	settings->lost_us = 3000000;
	settings->stationary_us = 5000000;
}

Tracker *
tracker_create(const TrackerSettings *settings)
{
	Tracker *tracker = calloc(1, sizeof(*tracker));

	if (tracker != NULL)
		tracker->settings = *settings;
	return tracker;
}

void
tracker_free(Tracker *tracker)
{
	free(tracker);
}

void
tracker_configure(Tracker *tracker, const TrackerSettings *settings)
{
	tracker->settings = *settings;
}

int
tracker_tracks(const Tracker *tracker, const Track **tracks)
{
	*tracks = tracker->tracks;
	return tracker->ntracks;
}

int
tracker_ended(const Tracker *tracker, const Track **tracks)
{
	*tracks = tracker->ended;
	return tracker->nended;
}

static Box
with_margin(const Box *box, float margin)
{
	Box wide = {box->x - margin * box->w, box->y - margin * box->h, box->w * (1 + 2 * margin),
				box->h * (1 + 2 * margin)};

	return wide;
}

/* How alike a track and a detection are, 0 when they cannot be one object. */
static float
likeness(const Tracker *tracker, int track, const TrackerInput *input, const Round *round)
{
	const Track *known = &tracker->tracks[track];
	const Box *predicted = &known->predicted;
	float ratio = box_area(&input->box) / box_area(predicted);
	float margin = round->margin;
	float overlap;
	Box a;
	Box b;

	if (known->model != input->model ||
		(known->label != input->label && (!round->any_label || input->exact)))
		return 0;
	if (ratio > RESIZED || ratio < 1 / RESIZED)
		return 0;
	if (round->growing)
	{
		float unseen = (float) (tracker->at_us - known->last_us) / 1e6f;

		margin = fminf(fmaxf(margin * unseen / STEP_S, margin), LARGE_MARGIN_MAX);
	}
	a = with_margin(predicted, margin);
	b = with_margin(&input->box, margin);
	overlap = box_iou(&a, &b);
	return overlap >= round->overlap ? overlap : 0;
}

static bool
plays_track(const Tracker *tracker, int track, const Round *round)
{
	const Track *known = &tracker->tracks[track];

	return !known->seen && (known->state == TRACK_TENTATIVE) == round->tentative;
}

static bool
plays_input(const Tracker *tracker, int input, const Round *round)
{
	bool doubtful = tracker->inputs[input].confidence < tracker->settings.high_confidence;

	return !tracker->taken[input] && doubtful == round->doubtful;
}

static float
size_of(const Box *box)
{
	return (box->w + box->h) / 2;
}

/* Distance between centres, in sizes of the first box. */
static float
displacement(const Box *from, const Box *to)
{
	float dx = to->x + to->w / 2 - from->x - from->w / 2;
	float dy = to->y + to->h / 2 - from->y - from->h / 2;

	return hypotf(dx, dy) / size_of(from);
}

/* Decide whether a track that has just been seen stands or moves. */
static void
judge_stationary(Tracker *tracker, int index)
{
	Track *track = &tracker->tracks[index];
	Memory *memory = &tracker->memories[index];
	Box now = kalman_box(&memory->filter);
	float moved = displacement(&memory->anchor, &now);

	memory->strays = track->stationary && moved > MOVED ? memory->strays + 1 : 0;
	if (track->stationary ? memory->strays >= MOVED_SIGHTINGS : moved > STANDS)
	{
		track->stationary = false;
		memory->strays = 0;
		memory->anchor = now;
		memory->anchor_us = tracker->at_us;
	}
	else if (tracker->at_us - memory->anchor_us >= tracker->settings.stationary_us)
		track->stationary = true;

	if (track->stationary)
		kalman_stop(&memory->filter);
	track->speed = kalman_speed(&memory->filter);
}

static void
note_confidence(Memory *memory, float confidence)
{
	memory->confidences[memory->sightings++ % MEDIAN_SIGHTINGS] = confidence;
}

/* Is the median of a track's newest confidences at least this: are most of them? */
static bool
is_convincing(const Memory *memory, float least)
{
	int n = memory->sightings < MEDIAN_SIGHTINGS ? memory->sightings : MEDIAN_SIGHTINGS;
	int enough = 0;

	for (int i = 0; i < n; i++)
		enough += memory->confidences[i] >= least;
	return enough * 2 > n;
}

static void
sight(Tracker *tracker, int index, const TrackerInput *input)
{
	Track *track = &tracker->tracks[index];
	Memory *memory = &tracker->memories[index];

	kalman_correct(&memory->filter, &input->box, input->confidence);
	note_confidence(memory, input->confidence);
	memory->misses = 0;
	track->seen = true;
	track->box = track->predicted = input->box;
	track->last_us = tracker->at_us;
	track->confidence = input->confidence;
	track->attributes = input->attributes;
	if (track->state == TRACK_LOST)
		track->state = TRACK_CONFIRMED;
	/* Until it is confirmed, a track is what its best sighting says. */
	if (track->state == TRACK_TENTATIVE && input->confidence > track->best_confidence)
		track->label = input->label;
	if (input->confidence > track->best_confidence)
		track->best_confidence = input->confidence;
	if (input->confidence >= tracker->settings.high_confidence)
		track->hits++;
	judge_stationary(tracker, index);
}

static void
play(Tracker *tracker, const Round *round)
{
	int rows[ASSIGNMENT_MAX];
	int columns[ASSIGNMENT_MAX];
	int match[ASSIGNMENT_MAX];
	int nrows = 0;
	int ncolumns = 0;

	for (int i = 0; i < tracker->ntracks; i++)
		if (plays_track(tracker, i, round))
			rows[nrows++] = i;
	for (int i = 0; i < tracker->ninputs; i++)
		if (plays_input(tracker, i, round))
			columns[ncolumns++] = i;
	if (nrows == 0 || ncolumns == 0)
		return;

	for (int i = 0; i < nrows; i++)
		for (int j = 0; j < ncolumns; j++)
			tracker->scores[i * ncolumns + j] =
				likeness(tracker, rows[i], &tracker->inputs[columns[j]], round);
	assign(tracker->scores, nrows, ncolumns, match);
	for (int i = 0; i < nrows; i++)
		if (match[i] >= 0)
		{
			sight(tracker, rows[i], &tracker->inputs[columns[match[i]]]);
			tracker->taken[columns[match[i]]] = true;
		}
}

/* Is this unmatched detection a second box of something seen in this frame? */
static bool
is_duplicate(const Tracker *tracker, const TrackerInput *input)
{
	for (int i = 0; i < tracker->ntracks; i++)
	{
		const Track *track = &tracker->tracks[i];
		float common;
		float smaller;

		if (!track->seen || track->model != input->model ||
			(input->exact && track->label != input->label))
			continue;
		if (box_iou(&track->box, &input->box) >= SAME_PLACE)
			return true;
		common = box_intersection(&track->box, &input->box);
		smaller = fminf(box_area(&track->box), box_area(&input->box));
		if (track->label == input->label && common >= SAME_PART * smaller)
			return true;
	}
	return false;
}

static void
begin_track(Tracker *tracker, const TrackerInput *input)
{
	Track *track;
	Memory *memory;

	if (tracker->ntracks == TRACKER_MAX_TRACKS || box_area(&input->box) <= 0)
		return;
	track = &tracker->tracks[tracker->ntracks];
	memory = &tracker->memories[tracker->ntracks++];
	memset(track, 0, sizeof(*track));
	memset(memory, 0, sizeof(*memory));
	track->state = TRACK_TENTATIVE;
	track->seen = true;
	track->label = input->label;
	track->model = input->model;
	track->hits = 1;
	track->confidence = track->best_confidence = input->confidence;
	track->box = track->predicted = memory->anchor = input->box;
	track->attributes = input->attributes;
	memory->min_age_us = input->min_age_us;
	note_confidence(memory, input->confidence);
	track->first_us = track->last_us = memory->anchor_us = tracker->at_us;
	kalman_start(&memory->filter, &input->box);
}

/* Was the place of a track searched: most of it that is in the frame, if it still is. */
static bool
was_searched(const Box *box, const Box *looked_at, int nregions)
{
	Box visible = box_clip(box);

	if (nregions == 0 || box_area(&visible) < VISIBLE * box_area(box))
		return true;
	for (int i = 0; i < nregions; i++)
		if (box_intersection(&visible, &looked_at[i]) >= SEARCHED * box_area(&visible))
			return true;
	return false;
}

/* A track that this frame should have shown, and did not. */
static void
miss(Tracker *tracker, int index)
{
	Track *track = &tracker->tracks[index];
	Memory *memory = &tracker->memories[index];

	memory->misses++;
	if (track->state == TRACK_CONFIRMED)
	{
		track->state = TRACK_LOST;
		memory->lost_since_us = tracker->at_us;
	}
}

static bool
is_over(const Tracker *tracker, int index)
{
	const Track *track = &tracker->tracks[index];
	const Memory *memory = &tracker->memories[index];
	int64_t patience = tracker->settings.lost_us;
	float x = memory->filter.x.value;
	float y = memory->filter.y.value;

	if (track->state == TRACK_TENTATIVE)
		return memory->misses >= TENTATIVE_MISSES;
	if (track->state == TRACK_CONFIRMED)
		return false;
	if (x < 0 || x > 1 || y < 0 || y > 1)
		return true; /* walked out of the frame */
	if (track->stationary)
		patience *= STATIONARY_PATIENCE;
	return tracker->at_us - memory->lost_since_us >= patience;
}

/* Take out the tracks that are over, keeping the order of the others. */
static void
end_tracks(Tracker *tracker)
{
	int kept = 0;

	for (int i = 0; i < tracker->ntracks; i++)
	{
		if (is_over(tracker, i))
		{
			if (tracker->tracks[i].id != 0)
				tracker->ended[tracker->nended++] = tracker->tracks[i];
			continue;
		}
		if (kept != i)
		{
			tracker->tracks[kept] = tracker->tracks[i];
			tracker->memories[kept] = tracker->memories[i];
		}
		kept++;
	}
	tracker->ntracks = kept;
}

static void
confirm_tracks(Tracker *tracker)
{
	for (int i = 0; i < tracker->ntracks; i++)
	{
		Track *track = &tracker->tracks[i];

		if (track->state != TRACK_TENTATIVE || !track->seen ||
			track->hits < tracker->settings.confirm_hits ||
			tracker->at_us - track->first_us < tracker->memories[i].min_age_us ||
			!is_convincing(&tracker->memories[i], tracker->settings.median_confidence))
			continue;
		track->state = TRACK_CONFIRMED;
		track->confirmed_now = true;
		track->id = ++tracker->last_id;
	}
}

/* Move every track to the time of the new frame, where nothing is seen yet. */
static void
begin_frame(Tracker *tracker, int64_t at_us)
{
	float seconds = tracker->started ? (float) (at_us - tracker->at_us) / 1e6f : 0;

	seconds = fminf(fmaxf(seconds, 0), STEP_MAX_S);
	for (int i = 0; i < tracker->ntracks; i++)
	{
		Memory *memory = &tracker->memories[i];

		kalman_predict(&memory->filter, seconds);
		tracker->tracks[i].predicted = kalman_box(&memory->filter);
		tracker->tracks[i].seen = false;
		tracker->tracks[i].confirmed_now = false;
	}
	tracker->nended = 0;
	tracker->started = true;
	tracker->at_us = at_us;
}

void
tracker_update(Tracker *tracker, int64_t at_us, const TrackerInput *inputs, int ninputs,
			   const Box *looked_at, int nregions)
{
	if (ninputs > ASSIGNMENT_MAX)
		ninputs = ASSIGNMENT_MAX;
	begin_frame(tracker, at_us);
	tracker->inputs = inputs;
	tracker->ninputs = ninputs;
	for (int i = 0; i < ninputs; i++)
		tracker->taken[i] = !(inputs[i].confidence >= tracker->settings.low_confidence);

	for (size_t i = 0; i < sizeof(ROUNDS) / sizeof(ROUNDS[0]); i++)
		play(tracker, &ROUNDS[i]);

	for (int i = 0; i < tracker->ntracks; i++)
		if (!tracker->tracks[i].seen &&
			was_searched(&tracker->tracks[i].predicted, looked_at, nregions))
			miss(tracker, i);
	end_tracks(tracker);

	for (int i = 0; i < ninputs; i++)
		if (!tracker->taken[i] && inputs[i].confidence >= tracker->settings.high_confidence &&
			!is_duplicate(tracker, &inputs[i]))
			begin_track(tracker, &inputs[i]);
	confirm_tracks(tracker);
	tracker->inputs = NULL;
}

void
tracker_idle(Tracker *tracker, int64_t at_us)
{
	begin_frame(tracker, at_us);
	end_tracks(tracker);
}

void
tracker_end_all(Tracker *tracker, int64_t at_us)
{
	tracker->nended = 0;
	tracker->at_us = at_us;
	for (int i = 0; i < tracker->ntracks; i++)
		if (tracker->tracks[i].id != 0)
			tracker->ended[tracker->nended++] = tracker->tracks[i];
	tracker->ntracks = 0;
}

bool
tracker_due(const Tracker *tracker, int64_t at_us, int64_t recheck_us)
{
	for (int i = 0; i < tracker->ntracks; i++)
	{
		const Track *track = &tracker->tracks[i];

		if (track->state != TRACK_CONFIRMED || !track->stationary ||
			at_us - track->last_us >= recheck_us)
			return true;
	}
	return false;
}
