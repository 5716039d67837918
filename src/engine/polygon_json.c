/*
 * polygon_json.c
 *		Polygons as the worker and backends send them.
 */
#include "polygon_json.h"

#include <libavutil/buffer.h>

static bool
read_corner(json_t *corner, Point *point)
{
	double x = json_number_value(json_array_get(corner, 0));
	double y = json_number_value(json_array_get(corner, 1));

	*point = (Point){(float) x, (float) y};
	return json_array_size(corner) == 2 && json_is_number(json_array_get(corner, 0)) &&
		   json_is_number(json_array_get(corner, 1)) && x >= 0 && x <= 1 && y >= 0 && y <= 1;
}

static bool
read_polygon(json_t *array, Polygon *polygon)
{
	size_t count = json_array_size(array);

	if (count < 3 || count > POLYGON_MAX_CORNERS)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_corner(json_array_get(array, i), &polygon->corners[i]))
			return false;
	polygon->ncorners = (int) count;
	return true;
}

const char *
polygons_from_json(json_t *array, size_t most, PolygonList *list)
{
	size_t count = json_array_size(array);
	Polygon *polygons;

	*list = (PolygonList){0};
	if (array == NULL)
		return NULL;
	if (!json_is_array(array) || count > most)
		return "must be an array of polygons, and not of too many";
	if (count == 0)
		return NULL;
	list->buffer = av_buffer_allocz(count * sizeof(Polygon));
	if (list->buffer == NULL)
		return "needs more memory than there is";
	polygons = (Polygon *) list->buffer->data;
	for (size_t i = 0; i < count; i++)
		if (!read_polygon(json_array_get(array, i), &polygons[i]))
			return "must hold polygons of 3 to 64 corners [x, y] from 0 to 1";
	list->items = polygons;
	list->count = (int) count;
	return NULL;
}
