/*
 * polygon.c
 *		Parts of a frame: masks, what is private, what is watched.
 */
#include "polygon.h"

#include <math.h>

/* So near to an edge, in fractions of the frame, is on it. */
#define ON_EDGE 1e-5f

static bool
on_edge(const Point *a, const Point *b, Point point)
{
	float x = b->x - a->x;
	float y = b->y - a->y;
	float length = x * x + y * y;
	float along = length > 0 ? ((point.x - a->x) * x + (point.y - a->y) * y) / length : 0;

	along = along < 0 ? 0 : along > 1 ? 1 : along;
	return fabsf(a->x + along * x - point.x) <= ON_EDGE &&
		   fabsf(a->y + along * y - point.y) <= ON_EDGE;
}

/* Even-odd rule: how often does a ray to the right cross an edge? */
static bool
contains(const Polygon *polygon, Point point)
{
	bool inside = false;

	for (int i = 0; i < polygon->ncorners; i++)
	{
		const Point *a = &polygon->corners[i];
		const Point *b = &polygon->corners[(i + 1) % polygon->ncorners];

		if (on_edge(a, b, point))
			return true;
		if ((a->y > point.y) != (b->y > point.y) &&
			point.x < a->x + (b->x - a->x) * (point.y - a->y) / (b->y - a->y))
			inside = !inside;
	}
	return inside;
}

bool
polygons_contain(const PolygonList *list, Point point)
{
	for (int i = 0; i < list->count; i++)
		if (contains(&list->items[i], point))
			return true;
	return false;
}

static bool
same_corners(const Polygon *a, const Polygon *b)
{
	if (a->ncorners != b->ncorners)
		return false;
	for (int i = 0; i < a->ncorners; i++)
		if (a->corners[i].x != b->corners[i].x || a->corners[i].y != b->corners[i].y)
			return false;
	return true;
}

bool
polygons_equal(const PolygonList *a, const PolygonList *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (!same_corners(&a->items[i], &b->items[i]))
			return false;
	return true;
}
