/*
 * region.c
 *		Squares around motion and tracks.
 *
 * Each region costs one inference, as the whole frame does, whatever its
 * size; what it buys is resolution.  So boxes share a square as long as the
 * square need not grow beyond what the model resolves at one pixel to one,
 * and after that only as far as max_regions forces them to.
 */
#include "region.h"

#include <math.h>

#define MAX_BOXES 64	  /* more are folded into the last */
#define CONTEXT 1.5f	  /* a detector wants to see around the object */
#define WORTH_IT 0.75f	  /* of the whole frame's scale: above it the whole is as good */
#define STEPS_PER_INPUT 8 /* sides come in few sizes, so that scalers are reused */

#define UPPER 0.5f		   /* of a person: the head, and room for how it is held */
#define WITHIN_MARGIN 0.2f /* of the object's shorter side */
#define WITHIN_STEP 16	   /* pixels */
#define ENLARGED 10.0f	   /* more shows no more */

/* A group of boxes in pixels, with the context around each. */
typedef struct Group
{
	float left;
	float top;
	float right;
	float bottom;
} Group;

static Group
group_around(const Box *box, int frame_width, int frame_height)
{
	float width = box->w * frame_width;
	float height = box->h * frame_height;
	float margin = (CONTEXT - 1) / 2 * fmaxf(width, height);
	Group group;

	group.left = fmaxf(box->x * frame_width - margin, 0);
	group.top = fmaxf(box->y * frame_height - margin, 0);
	group.right = fminf(box->x * frame_width + width + margin, frame_width);
	group.bottom = fminf(box->y * frame_height + height + margin, frame_height);
	return group;
}

static Group
join(const Group *a, const Group *b)
{
	Group both;

	both.left = fminf(a->left, b->left);
	both.top = fminf(a->top, b->top);
	both.right = fmaxf(a->right, b->right);
	both.bottom = fmaxf(a->bottom, b->bottom);
	return both;
}

/* Frame pixels for each pixel of the input, at least 1: nothing is enlarged. */
static float
scale_of(const Group *group, int input_width, int input_height)
{
	float x = (group->right - group->left) / input_width;
	float y = (group->bottom - group->top) / input_height;

	return fmaxf(fmaxf(x, y), 1);
}

/* Join the pair that makes the least coarse group.  Returns its scale. */
static float
best_pair(const Group *groups, int n, int input_width, int input_height, int *first, int *second)
{
	float best = INFINITY;

	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
		{
			Group both = join(&groups[i], &groups[j]);
			float scale = scale_of(&both, input_width, input_height);

			if (scale < best)
			{
				best = scale;
				*first = i;
				*second = j;
			}
		}
	return best;
}

static int
join_groups(Group *groups, int n, int input_width, int input_height, int max_regions)
{
	while (n > 1)
	{
		int first = 0;
		int second = 1;
		float scale = best_pair(groups, n, input_width, input_height, &first, &second);
		float own = fmaxf(scale_of(&groups[first], input_width, input_height),
						  scale_of(&groups[second], input_width, input_height));

		/* Joining is free when neither loses resolution. */
		if (n <= max_regions && scale > own)
			break;
		groups[first] = join(&groups[first], &groups[second]);
		groups[second] = groups[--n];
	}
	return n;
}

/* Place a span of the given length around [low, high] inside [0, limit], on an even pixel. */
static int
place(float low, float high, int length, int limit)
{
	int start = (int) floorf((low + high - length) / 2);

	if (start > limit - length)
		start = limit - length;
	if (start < 0)
		start = 0;
	return start & ~1;
}

static int
round_up(float value, int step)
{
	return (int) ceilf(value / step) * step;
}

/* The rectangle, of the input's shape, around a group. */
static PixelRect
rect_around(const Group *group, int frame_width, int frame_height, int input_width,
			int input_height)
{
	float scale = scale_of(group, input_width, input_height);
	PixelRect rect;

	scale = (float) round_up(scale * STEPS_PER_INPUT, 1) / STEPS_PER_INPUT;
	rect.w = (int) fminf(scale * input_width, frame_width);
	rect.h = (int) fminf(scale * input_height, frame_height);
	rect.x = place(group->left, group->right, rect.w, frame_width);
	rect.y = place(group->top, group->bottom, rect.h, frame_height);
	return rect;
}

static int
gather(const Box *boxes, int nboxes, int frame_width, int frame_height, Group *groups)
{
	int n = 0;

	for (int i = 0; i < nboxes; i++)
	{
		Box box = box_clip(&boxes[i]);
		Group group;

		if (box_area(&box) <= 0)
			continue;
		group = group_around(&box, frame_width, frame_height);
		if (n < MAX_BOXES)
			groups[n++] = group;
		else
			groups[n - 1] = join(&groups[n - 1], &group);
	}
	return n;
}

int
region_plan(int frame_width, int frame_height, int input_width, int input_height, const Box *boxes,
			int nboxes, int max_regions, PixelRect *regions)
{
	Group frame = {0, 0, (float) frame_width, (float) frame_height};
	Group groups[MAX_BOXES];
	float whole;
	double covered = 0;
	int n;

	if (frame_width <= 0 || frame_height <= 0 || input_width <= 0 || input_height <= 0)
		return 0;
	if (max_regions > REGION_MAX)
		max_regions = REGION_MAX;
	whole = scale_of(&frame, input_width, input_height);
	if (whole <= 1.5f || max_regions < 1)
		return 0;

	n = gather(boxes, nboxes, frame_width, frame_height, groups);
	n = join_groups(groups, n, input_width, input_height, max_regions);
	for (int i = 0; i < n; i++)
	{
		if (scale_of(&groups[i], input_width, input_height) > WORTH_IT * whole)
			return 0;
		regions[i] = rect_around(&groups[i], frame_width, frame_height, input_width, input_height);
		covered += (double) regions[i].w * regions[i].h;
	}
	if (covered >= (double) frame_width * frame_height)
		return 0;
	return n;
}

bool
region_within(const Box *box, bool upper, int frame_width, int frame_height, int input_width,
			  int input_height, PixelRect *region)
{
	float width = box->w * frame_width;
	float height = box->h * frame_height;
	float part = upper ? fminf(height, fmaxf(UPPER * height, width)) : height;
	float margin = WITHIN_MARGIN * fminf(width, height);
	float top = box->y * frame_height - margin;
	float centre = box->x * frame_width + width / 2;
	float scale = fmaxf((width + 2 * margin) / input_width, (part + 2 * margin) / input_height);

	scale = fmaxf(scale, 1 / ENLARGED);
	/* Sides come in few sizes. */
	region->w = round_up(scale * input_width, WITHIN_STEP);
	region->h = round_up((float) region->w * input_height / input_width, 2);
	if (upper && (region->w > WORTH_IT * frame_width || region->h > WORTH_IT * frame_height))
		return false;
	region->w = region->w < frame_width ? region->w : frame_width;
	region->h = region->h < frame_height ? region->h : frame_height;
	region->x = place(centre, centre, region->w, frame_width);
	/* What the shape leaves over is shown below. */
	region->y = place(top, top + region->h, region->h, frame_height);
	return true;
}
