/*
 * attributes.c
 *		An object's attributes as event lines and answers give them.
 */
#include "attributes.h"

#include <jansson.h>

static json_t *
landmarks_json(const Attributes *attributes)
{
	json_t *points = json_array();

	for (int i = 0; i < ATTRIBUTES_LANDMARKS; i++)
		json_array_append_new(
			points, json_pack("[f,f]", attributes->landmarks[i][0], attributes->landmarks[i][1]));
	return points;
}

json_t *
attributes_json(const Attributes *attributes)
{
	json_t *object = json_object();

	if (attributes->has_landmarks)
		json_object_set_new(object, "landmarks", landmarks_json(attributes));
	if (attributes->has_temperature)
		json_object_set_new(object, "temperature", json_real(attributes->temperature));
	return object;
}
