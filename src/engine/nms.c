/*
 * nms.c
 *		Greedy non-maximum suppression.
 */
#include "nms.h"

#include <stdlib.h>

static int
order(float a, float b)
{
	return (a > b) - (a < b);
}

static int
compare(const void *first, const void *second)
{
	const Object *a = first;
	const Object *b = second;
	int result = order(b->confidence, a->confidence);

	if (result == 0)
		result = a->label - b->label;
	if (result == 0)
		result = order(a->box.x, b->box.x);
	if (result == 0)
		result = order(a->box.y, b->box.y);
	if (result == 0)
		result = order(a->box.w, b->box.w);
	if (result == 0)
		result = order(a->box.h, b->box.h);
	return result;
}

void
sort_objects(Object *objects, int n)
{
	if (n > 1)
		qsort(objects, n, sizeof(*objects), compare);
}

int
nms(Object *objects, int n, float iou)
{
	int kept = 0;

	sort_objects(objects, n);
	for (int i = 0; i < n; i++)
	{
		int j;

		for (j = 0; j < kept; j++)
		{
			float overlap = box_iou(&objects[i].box, &objects[j].box);

			if (overlap > NMS_ANY_LABEL_IOU ||
				(overlap > iou && objects[i].label == objects[j].label))
				break;
		}
		if (j == kept)
			objects[kept++] = objects[i];
	}
	return kept;
}
