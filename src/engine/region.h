/*
 * region.h
 *		Which parts of a frame to search: the whole of it, or squares around
 *		motion and tracks when the frame is much larger than a model's input.
 */
#ifndef CCTV_REGION_H
#define CCTV_REGION_H

#include <stdbool.h>

#include "geometry.h"

#define REGION_MAX 4

/*
 * Plan at most max_regions (<= REGION_MAX) regions that cover the boxes of
 * motion and of tracks.  Writes none when the whole frame should be searched:
 * the frame is at most 1.5 times the input, nothing is given, or the squares
 * would cost more than the whole.  Returns the number written.
 */
extern int region_plan(int frame_width, int frame_height, int input_width, int input_height,
					   const Box *boxes, int nboxes, int max_regions, PixelRect *regions);

/*
 * The region, of the input's shape, that shows an object enlarged: upper, only
 * its upper half (of a person: the head).  Returns false when an upper half is
 * nearly the whole frame, and so would show nothing more.
 */
extern bool region_within(const Box *box, bool upper, int frame_width, int frame_height,
						  int input_width, int input_height, PixelRect *region);

#endif /* CCTV_REGION_H */
