/*
 * nms.h
 *		Of overlapping detections of one object, keep the best.
 */
#ifndef CCTV_NMS_H
#define CCTV_NMS_H

#include "object.h"

/* Two labels on boxes that overlap this much are one object all the same. */
#define NMS_ANY_LABEL_IOU 0.85f

/*
 * Greedy non-maximum suppression, in place: an object goes when a better one
 * of the same label overlaps it by more than iou, or one of any label by more
 * than NMS_ANY_LABEL_IOU.  Leaves the survivors best first, and returns their
 * number.  The order of the input does not matter.
 */
extern int nms(Object *objects, int n, float iou);

/* Sort best first; equals by label and place, so that the order is one. */
extern void sort_objects(Object *objects, int n);

#endif /* CCTV_NMS_H */
