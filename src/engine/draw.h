/*
 * draw.h
 *		Boxes, captions and black parts on a picture.
 */
#ifndef CCTV_DRAW_H
#define CCTV_DRAW_H

#include <stdint.h>

#include "geometry.h"
#include "polygon.h"

#ifdef __cplusplus
extern "C"
{
#endif

	/*
	 * A picture of 3 bytes a pixel (blue, green, red) or, with chroma, of three planes:
	 * data is luma, chroma are U and V of half its size, in video's range.  The width
	 * and height of such a one are even.
	 */
	typedef struct Canvas
	{
		uint8_t *data;
		int stride;
		int width;
		int height;
		uint8_t *chroma[2]; /* NULL: there are none */
		int chroma_stride;
	} Canvas;

	/*
	 * Draw a box with its caption above it, and a line of text into the lower
	 * left corner, as far as caption.h knows the characters.  Sizes follow the
	 * picture's.
	 */
	extern void draw_object(const Canvas *canvas, const Box *box, const char *caption);
	extern void draw_footer(const Canvas *canvas, const char *text);

	/* Fill polygons with black.  Returns 0, or -1 when out of memory. */
	extern int draw_black(const Canvas *canvas, const Polygon *polygons, int count);

#ifdef __cplusplus
}
#endif

#endif /* CCTV_DRAW_H */
