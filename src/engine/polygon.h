/*
 * polygon.h
 *		Parts of a frame: masks, what is private, what is watched.
 *
 * Needs no media header, so that C++ may include it.
 */
#ifndef CCTV_POLYGON_H
#define CCTV_POLYGON_H

#include <stdbool.h>

#include "geometry.h"

#ifdef __cplusplus
extern "C"
{
#endif

#define POLYGON_MAX_CORNERS 64

	/* Its last corner is joined to its first; its edges belong to it. */
	typedef struct Polygon
	{
		int ncorners;
		Point corners[POLYGON_MAX_CORNERS];
	} Polygon;

	struct AVBufferRef;

	typedef struct PolygonList
	{
		int count;
		const Polygon *items;		/* in the buffer */
		struct AVBufferRef *buffer; /* of count polygons; NULL: there are none */
	} PolygonList;

	/* Is the point in one of them? */
	extern bool polygons_contain(const PolygonList *list, Point point);
	extern bool polygons_equal(const PolygonList *a, const PolygonList *b);

#ifdef __cplusplus
}
#endif

#endif /* CCTV_POLYGON_H */
