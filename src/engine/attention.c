/*
 * attention.c
 *		Where in a frame to look next.
 *
 * What is tracked and what moves are interests: each has a value, which grows
 * while it waits, and a size.  A rectangle is worth the values of those that it
 * covers, each times the chance that the model finds something of that size at
 * the rectangle's scale.  All rectangles of a few scales are tried; there are
 * some hundreds.
 */
#include "attention.h"

#include <math.h>
#include <stddef.h>

#include "clock.h"
#include "region.h"

#define MUCH_LARGER 1.5f /* than the input: below, the whole frame shows all */
#define WHOLE_US (3 * CLOCK_SECOND)
#define PATIENCE_S 10.0f /* what was searched so long ago is as urgent as can be */

/* Rectangles: scales between these parts of the whole's, and of no less than a pixel to one. */
#define FINEST 0.1f
#define COARSEST 0.8f
#define SCALE_STEP 1.1f
#define STEPS_PER_SIDE 8

/* Values of what is found. */
#define VALUE_TRACK 1.0f
#define VALUE_TENTATIVE 1.5f /* soon known, or soon forgotten */
#define VALUE_STATIONARY 0.5f
#define VALUE_LOST 0.5f
#define VALUE_MOTION 0.3f /* may be anything, or nothing */

#define CONTEXT 0.1f   /* margin around an object, in its longer side */
#define EXPLAINED 0.5f /* of a cluster lies in a track: it is that one's motion */

/*
 * The root of an object's area in pixels of the input: at the smaller it is
 * never found, at the larger nearly always.  Measured with EfficientDet-Lite on
 * the pedestrians of vtest (bench/inference).
 */
#define NEVER_FOUND 14.0f
#define SURELY_FOUND 28.0f
#define LIKELY 0.5f
#define LEAST_CHANCE 0.02f /* what is too small everywhere is looked at enlarged */

/* What moves is taken for objects of at most this part of the frame's shorter side. */
#define MOTION_SIZE 0.11f

#define MAX_INTERESTS 128

/* Something that is worth a look, in pixels of the frame. */
typedef struct Interest
{
	float left; /* with some context around it */
	float top;
	float right;
	float bottom;
	float size;	 /* the root of its area */
	float value; /* of finding it */
} Interest;

typedef struct Interests
{
	int n;
	Interest items[MAX_INTERESTS];
} Interests;

void
attention_reset(Attention *attention)
{
	attention->whole_us = INT64_MIN;
	for (int row = 0; row < ATTENTION_CELLS; row++)
		for (int column = 0; column < ATTENTION_CELLS; column++)
			attention->searched_us[row][column] = INT64_MIN;
}

static int
cell_of(float fraction)
{
	int cell = (int) (fraction * ATTENTION_CELLS);

	return cell < 0 ? 0 : cell >= ATTENTION_CELLS ? ATTENTION_CELLS - 1 : cell;
}

/* The chance that something is found of which the model sees so many pixels. */
static float
chance(float size)
{
	float part = (size - NEVER_FOUND) / (SURELY_FOUND - NEVER_FOUND);

	return fminf(fmaxf(part, LEAST_CHANCE), 1);
}

/* Frame pixels for each pixel of the input when all of the frame is searched. */
static float
whole_scale(const View *view)
{
	return fmaxf((float) view->width / (float) view->input_width,
				 (float) view->height / (float) view->input_height);
}

/* How long ago, in seconds, a thing of this size in the middle of a box could have been seen. */
static float
urgency(const Attention *attention, const View *view, const Box *box, float size)
{
	int64_t seen_us =
		attention->searched_us[cell_of(box->y + box->h / 2)][cell_of(box->x + box->w / 2)];

	if (chance(size / whole_scale(view)) >= LIKELY && attention->whole_us > seen_us)
		seen_us = attention->whole_us;
	if (seen_us == INT64_MIN)
		return PATIENCE_S;
	return fminf((float) (view->at_us - seen_us) / CLOCK_SECOND, PATIENCE_S);
}

/* limit: its size is no more than this. */
static void
add_interest(Interests *interests, const Attention *attention, const View *view, const Box *box,
			 float value, float limit)
{
	Box clipped = box_clip(box);
	float w = clipped.w * view->width;
	float h = clipped.h * view->height;
	float margin = CONTEXT * fmaxf(w, h);
	Interest *interest = &interests->items[interests->n];

	if (box_area(&clipped) <= 0 || interests->n == MAX_INTERESTS)
		return;
	interest->left = fmaxf(clipped.x * view->width - margin, 0);
	interest->top = fmaxf(clipped.y * view->height - margin, 0);
	interest->right = fminf(clipped.x * view->width + w + margin, view->width);
	interest->bottom = fminf(clipped.y * view->height + h + margin, view->height);
	interest->size = fminf(sqrtf(w * h), limit);
	interest->value = value * urgency(attention, view, &clipped, interest->size);
	interests->n++;
}

static void
add_track(Interests *interests, const Attention *attention, const View *view, const Track *track)
{
	float value = VALUE_TRACK;

	if (track->state == TRACK_TENTATIVE)
		value = VALUE_TENTATIVE;
	else if (track->state == TRACK_LOST)
		value = VALUE_LOST;
	else if (track->stationary)
		value = VALUE_STATIONARY;
	add_interest(interests, attention, view, &track->predicted, value, INFINITY);
}

/* Is the cluster the motion of what is tracked? */
static bool
is_explained(const View *view, const Box *cluster)
{
	for (int i = 0; i < view->ntracks; i++)
		if (box_intersection(&view->tracks[i].predicted, cluster) >= EXPLAINED * box_area(cluster))
			return true;
	return false;
}

/* In pieces, as a large cluster is a crowd as likely as a lorry. */
static void
add_cluster(Interests *interests, const Attention *attention, const View *view, const Box *cluster)
{
	int columns = (int) ceilf(2 * cluster->w * view->width / view->input_width);
	int rows = (int) ceilf(2 * cluster->h * view->height / view->input_height);
	float limit = MOTION_SIZE * fminf(view->width, view->height);

	for (int row = 0; row < rows; row++)
		for (int column = 0; column < columns; column++)
		{
			Box piece = {cluster->x + cluster->w * column / columns,
						 cluster->y + cluster->h * row / rows, cluster->w / columns,
						 cluster->h / rows};

			add_interest(interests, attention, view, &piece,
						 VALUE_MOTION / (float) (columns * rows), limit);
		}
}

static void
gather(const Attention *attention, const View *view, Interests *interests)
{
	interests->n = 0;
	for (int i = 0; i < view->ntracks; i++)
		add_track(interests, attention, view, &view->tracks[i]);
	for (int i = 0; i < view->nclusters; i++)
		if (!is_explained(view, &view->clusters[i]))
			add_cluster(interests, attention, view, &view->clusters[i]);
}

static bool
covers(const PixelRect *rect, const Interest *interest)
{
	return interest->left >= rect->x && interest->top >= rect->y &&
		   interest->right <= rect->x + rect->w && interest->bottom <= rect->y + rect->h;
}

/* What a look at a rectangle is worth; a pixel of the input shows scale pixels. */
static float
worth(const Interests *interests, const PixelRect *rect, float scale)
{
	float sum = 0;

	for (int i = 0; i < interests->n; i++)
		if (covers(rect, &interests->items[i]))
			sum += interests->items[i].value * chance(interests->items[i].size / scale);
	return sum;
}

/* Put what a rectangle covers into its middle. */
static void
centre(const Interests *interests, const View *view, PixelRect *rect)
{
	float left = INFINITY;
	float top = INFINITY;
	float right = 0;
	float bottom = 0;

	for (int i = 0; i < interests->n; i++)
	{
		const Interest *interest = &interests->items[i];

		if (!covers(rect, interest))
			continue;
		left = fminf(left, interest->left);
		top = fminf(top, interest->top);
		right = fmaxf(right, interest->right);
		bottom = fmaxf(bottom, interest->bottom);
	}
	rect->x = region_place(left, right, rect->w, view->width);
	rect->y = region_place(top, bottom, rect->h, view->height);
}

/* The next start of a span; the last ends where the frame does.  -1: that was it. */
static int
next_start(int start, int length, int limit)
{
	int next = start + (length + STEPS_PER_SIDE - 1) / STEPS_PER_SIDE;

	if (start >= limit - length)
		return -1;
	return next < limit - length ? next : limit - length;
}

/* Is a rectangle of this scale worth more than *best?  Then take it. */
static bool
try_scale(const Interests *interests, const View *view, float scale, float *best, PixelRect *region)
{
	PixelRect rect = {0, 0, (int) fminf(scale * view->input_width, view->width),
					  (int) fminf(scale * view->input_height, view->height)};
	bool better = false;

	for (rect.y = 0; rect.y >= 0; rect.y = next_start(rect.y, rect.h, view->height))
		for (rect.x = 0; rect.x >= 0; rect.x = next_start(rect.x, rect.w, view->width))
		{
			float value = worth(interests, &rect, scale);

			if (value > *best)
			{
				*best = value;
				*region = rect;
				better = true;
			}
		}
	return better;
}

bool
attention_choose(const Attention *attention, const View *view, PixelRect *region)
{
	PixelRect whole = {0, 0, view->width, view->height};
	Interests interests;
	float coarsest;
	float best;
	bool found = false;

	if (view->input_width < 1 || view->input_height < 1)
		return false;
	coarsest = whole_scale(view);
	if (coarsest <= MUCH_LARGER || attention->whole_us == INT64_MIN ||
		view->at_us - attention->whole_us >= WHOLE_US)
		return false;
	gather(attention, view, &interests);
	best = worth(&interests, &whole, coarsest);
	for (float scale = fmaxf(FINEST * coarsest, 1); scale < COARSEST * coarsest;
		 scale *= SCALE_STEP)
		found |= try_scale(&interests, view, scale, &best, region);
	if (found)
		centre(&interests, view, region);
	return found;
}

/* A cell counts as searched when its middle was. */
void
attention_searched(Attention *attention, const View *view, const PixelRect *region)
{
	if (region == NULL)
	{
		attention->whole_us = view->at_us;
		return;
	}
	for (int row = 0; row < ATTENTION_CELLS; row++)
		for (int column = 0; column < ATTENTION_CELLS; column++)
		{
			float x = (column + 0.5f) / ATTENTION_CELLS * view->width;
			float y = (row + 0.5f) / ATTENTION_CELLS * view->height;

			if (x >= region->x && x < region->x + region->w && y >= region->y &&
				y < region->y + region->h)
				attention->searched_us[row][column] = view->at_us;
		}
}
