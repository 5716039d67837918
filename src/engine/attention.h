/*
 * attention.h
 *		Where in a frame to look next.
 *
 * A frame much larger than a model's input shows small objects too small.  A
 * square out of it costs one inference, as the whole does, and shows them
 * larger; but only a part.  So each look is one inference, of that part, or the
 * whole, which is worth the most just then; and what it leaves out waits, the
 * more urgently the longer.
 */
#ifndef CCTV_ATTENTION_H
#define CCTV_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "geometry.h"
#include "tracker.h"

#define ATTENTION_CELLS 24 /* a frame is remembered in as many columns and rows */

/* What is remembered from look to look of one camera. */
typedef struct Attention
{
	int64_t whole_us; /* when all of the frame was last searched; INT64_MIN: never */
	/* When each part of it was last searched enlarged, by rows. */
	int64_t searched_us[ATTENTION_CELLS][ATTENTION_CELLS];
} Attention;

/* A frame, what moves in it and what is tracked. */
typedef struct View
{
	int width; /* pixels of the frame */
	int height;
	int input_width; /* of the model */
	int input_height;
	int64_t at_us;
	const Box *clusters;
	int nclusters;
	const Track *tracks;
	int ntracks;
} View;

extern void attention_reset(Attention *attention);

/*
 * The part of the frame to search now.  Returns false when it is the whole:
 * the frame is at most 1.5 times the input, nothing is known of it, the whole
 * was not searched for some seconds, or shows as much.
 */
extern bool attention_choose(const Attention *attention, const View *view, PixelRect *region);

/* A region of a frame (NULL: the whole) has been searched. */
extern void attention_searched(Attention *attention, const View *view, const PixelRect *region);

#endif /* CCTV_ATTENTION_H */
