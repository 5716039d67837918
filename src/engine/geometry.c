/*
 * geometry.c
 *		Arithmetic on boxes.
 */
#include "geometry.h"

static float
minf(float a, float b)
{
	return a < b ? a : b;
}

static float
maxf(float a, float b)
{
	return a > b ? a : b;
}

float
box_area(const Box *box)
{
	return box->w > 0 && box->h > 0 ? box->w * box->h : 0;
}

float
box_intersection(const Box *a, const Box *b)
{
	Box common;

	common.x = maxf(a->x, b->x);
	common.y = maxf(a->y, b->y);
	common.w = minf(a->x + a->w, b->x + b->w) - common.x;
	common.h = minf(a->y + a->h, b->y + b->h) - common.y;
	return box_area(&common);
}

float
box_iou(const Box *a, const Box *b)
{
	float common = box_intersection(a, b);
	float whole = box_area(a) + box_area(b) - common;

	return whole > 0 ? common / whole : 0;
}

Box
box_union(const Box *a, const Box *b)
{
	Box both;

	both.x = minf(a->x, b->x);
	both.y = minf(a->y, b->y);
	both.w = maxf(a->x + a->w, b->x + b->w) - both.x;
	both.h = maxf(a->y + a->h, b->y + b->h) - both.y;
	return both;
}

Box
box_clip(const Box *box)
{
	Box clipped;

	clipped.x = minf(maxf(box->x, 0), 1);
	clipped.y = minf(maxf(box->y, 0), 1);
	clipped.w = maxf(minf(box->x + box->w, 1) - clipped.x, 0);
	clipped.h = maxf(minf(box->y + box->h, 1) - clipped.y, 0);
	return clipped;
}

Box
box_from_rect(const PixelRect *rect, int frame_width, int frame_height)
{
	Box box;

	box.x = (float) rect->x / frame_width;
	box.y = (float) rect->y / frame_height;
	box.w = (float) rect->w / frame_width;
	box.h = (float) rect->h / frame_height;
	return box;
}

Point
box_foot(const Box *box)
{
	return (Point){box->x + box->w / 2, box->y + box->h};
}
