/*
 * polygon_json.h
 *		Polygons as the worker and backends send them.
 */
#ifndef CCTV_POLYGON_JSON_H
#define CCTV_POLYGON_JSON_H

#include <jansson.h>

#include "polygon.h"

/*
 * Read an array of up to `most` polygons, each an array of corners [x, y] as
 * fractions of the frame; none (NULL) is an empty list.  Returns NULL, or what
 * is wrong with it.  The list's buffer is the caller's to unref either way.
 */
extern const char *polygons_from_json(json_t *array, size_t most, PolygonList *list);

#endif /* CCTV_POLYGON_JSON_H */
