/*
 * region.h
 *		Parts of a frame that show an object enlarged.
 */
#ifndef CCTV_REGION_H
#define CCTV_REGION_H

#include <stdbool.h>

#include "geometry.h"

/*
 * Where a span of `length` pixels begins that has [low, high] in its middle and
 * lies inside [0, limit]: an even pixel, as chroma comes in pairs.
 */
extern int region_place(float low, float high, int length, int limit);

/*
 * The region, of the input's shape, that shows an object enlarged: upper, only
 * its upper half (of a person: the head).  Returns false when an upper half is
 * nearly the whole frame, and so would show nothing more.
 */
extern bool region_within(const Box *box, bool upper, int frame_width, int frame_height,
						  int input_width, int input_height, PixelRect *region);

#endif /* CCTV_REGION_H */
