/*
 * candidates.c
 *		A bounded list of objects, of which the best stay.
 */
#include "candidates.h"

#include <math.h>

#include "nms.h"

void
candidates_add(Candidates *candidates, const Object *object)
{
	const Box *box = &object->box;

	if (!isfinite(box->x) || !isfinite(box->y) || !isfinite(box->w) || !isfinite(box->h))
		return;
	if (candidates->count == CANDIDATES_MAX)
	{
		sort_objects(candidates->items, candidates->count);
		candidates->count = CANDIDATES_MAX / 2;
	}
	candidates->items[candidates->count++] = *object;
}
