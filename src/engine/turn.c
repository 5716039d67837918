/*
 * turn.c
 *		A picture turned and mirrored.
 *
 * Every turn reads the source in straight lines: from one corner, by one step
 * for each pixel of a row of the result, by another for each row.
 */
#include "turn.h"

#include <stddef.h>

#define PIXEL 3

void
turn_rgb(Turn turn, const uint8_t *from, int from_stride, int width, int height, uint8_t *to,
		 int to_stride)
{
	bool swapped = turn_swaps_sides(turn);
	bool from_right =
		turn == TURN_MIRRORED || turn == TURN_HALF || turn == TURN_TRANSVERSE || turn == TURN_LEFT;
	bool from_bottom =
		turn == TURN_HALF || turn == TURN_FLIPPED || turn == TURN_RIGHT || turn == TURN_TRANSVERSE;
	ptrdiff_t along_row = from_right ? -PIXEL : PIXEL;
	ptrdiff_t along_column = from_bottom ? -(ptrdiff_t) from_stride : from_stride;
	ptrdiff_t step = swapped ? along_column : along_row;
	ptrdiff_t next_row = swapped ? along_row : along_column;
	int columns = swapped ? height : width;
	int rows = swapped ? width : height;

	if (from_right)
		from += (ptrdiff_t) (width - 1) * PIXEL;
	if (from_bottom)
		from += (ptrdiff_t) (height - 1) * from_stride;
	for (int y = 0; y < rows; y++)
	{
		const uint8_t *source = from + y * next_row;
		uint8_t *row = to + (ptrdiff_t) y * to_stride;

		for (int x = 0; x < columns; x++, source += step, row += PIXEL)
		{
			row[0] = source[0];
			row[1] = source[1];
			row[2] = source[2];
		}
	}
}
