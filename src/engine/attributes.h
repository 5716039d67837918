/*
 * attributes.h
 *		What a model says of an object besides its label, confidence and box.
 */
#ifndef CCTV_ATTRIBUTES_H
#define CCTV_ATTRIBUTES_H

#define ATTRIBUTES_LANDMARKS 5

/* All zero: nothing. */
typedef struct Attributes
{
	int has_landmarks;
	float landmarks[ATTRIBUTES_LANDMARKS][2]; /* of a face: eyes, nose, corners of the mouth,
											   * the one at the left of the picture first; x, y
											   * in fractions of the frame */
	int has_temperature;
	float temperature; /* of the hottest spot, in the unit of the model's scale */
} Attributes;

/* As a new JSON object (json_t, whose header few need), NULL when out of memory. */
struct json_t;
extern struct json_t *attributes_json(const Attributes *attributes);

#endif /* CCTV_ATTRIBUTES_H */
