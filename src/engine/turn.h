/*
 * turn.h
 *		A picture turned and mirrored.
 */
#ifndef CCTV_TURN_H
#define CCTV_TURN_H

#include <stdbool.h>
#include <stdint.h>

/* How to show a picture, in the numbers of EXIF's orientation. */
typedef enum Turn
{
	TURN_NONE = 1,
	TURN_MIRRORED,
	TURN_HALF,
	TURN_FLIPPED,	 /* upside down in a mirror */
	TURN_TRANSPOSED, /* rows become columns */
	TURN_RIGHT,		 /* a quarter, clockwise */
	TURN_TRANSVERSE, /* transposed and turned by half */
	TURN_LEFT,
	TURN_LAST = TURN_LEFT
} Turn;

/* Do rows become columns?  Then width and height change places. */
static inline bool
turn_swaps_sides(Turn turn)
{
	return turn >= TURN_TRANSPOSED;
}

/*
 * Copy width x height RGB pixels of 3 bytes as they are shown after the turn.
 * A stride is bytes from one row to the next.  `to` has room for the turned
 * picture, and does not overlap `from`.
 */
extern void turn_rgb(Turn turn, const uint8_t *from, int from_stride, int width, int height,
					 uint8_t *to, int to_stride);

#endif /* CCTV_TURN_H */
