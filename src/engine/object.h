/*
 * object.h
 *		One thing that a model sees.
 *
 * Needs no media header, so that C++ may include it.
 */
#ifndef CCTV_OBJECT_H
#define CCTV_OBJECT_H

#include "attributes.h"
#include "geometry.h"

typedef struct Object
{
	Box box; /* of the whole frame, whatever the region */
	float confidence;
	int label; /* index into the model's labels */
	Attributes attributes;
} Object;

#endif /* CCTV_OBJECT_H */
