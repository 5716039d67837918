/*
 * region.c
 *		Parts of a frame that show an object enlarged.
 */
#include "region.h"

#include <math.h>

#define LARGE 0.75f		   /* of the frame's sides: it shows nothing more than the whole */
#define UPPER 0.5f		   /* of a person: the head, and room for how it is held */
#define WITHIN_MARGIN 0.2f /* of the object's shorter side */
#define WITHIN_STEP 16	   /* pixels */
#define ENLARGED 10.0f	   /* more shows no more */

int
region_place(float low, float high, int length, int limit)
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
	if (upper && (region->w > LARGE * frame_width || region->h > LARGE * frame_height))
		return false;
	region->w = region->w < frame_width ? region->w : frame_width;
	region->h = region->h < frame_height ? region->h : frame_height;
	region->x = region_place(centre, centre, region->w, frame_width);
	/* What the shape leaves over is shown below. */
	region->y = region_place(top, top + region->h, region->h, frame_height);
	return true;
}
