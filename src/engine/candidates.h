/*
 * candidates.h
 *		Objects that a model sees in one region, before suppression.
 */
#ifndef CCTV_CANDIDATES_H
#define CCTV_CANDIDATES_H

#ifdef __cplusplus
extern "C"
{
#endif

#include "object.h"

#define CANDIDATES_MAX 1024

	typedef struct Candidates
	{
		int count;
		Object items[CANDIDATES_MAX]; /* boxes and landmarks in fractions of the model's input */
	} Candidates;

	/* Add one; when full, the worse half makes room.  Boxes that are not finite are dropped. */
	extern void candidates_add(Candidates *candidates, const Object *object);

#ifdef __cplusplus
}
#endif

#endif /* CCTV_CANDIDATES_H */
