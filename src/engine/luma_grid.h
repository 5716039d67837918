/*
 * luma_grid.h
 *		The brightness of a frame on a coarse grid: each cell is the mean of a
 *		square of pixels.
 */
#ifndef CCTV_LUMA_GRID_H
#define CCTV_LUMA_GRID_H

#include <stdint.h>
#include <libavutil/frame.h>

/*
 * About 160 columns: 8 pixels at 720p, 12 at 1080p, 24 at 2160p.  A person a
 * tenth of the frame high is then 9 by 3 cells, enough to be a cluster, while
 * the model of the background stays within the first cache.
 */
#define LUMA_GRID_COLUMNS 160

typedef struct LumaGrid
{
	int across; /* columns wanted, about; 0: LUMA_GRID_COLUMNS.  The caller's */
	int width;	/* of the frame, in pixels */
	int height;
	int columns;
	int rows;
	int cell;		/* side of a cell in pixels; the last may be cut off */
	float *cells;	/* columns * rows, 0..255 */
	uint16_t *sums; /* scratch: one pixel row, summed over the rows of a cell */
	uint8_t *line;	/* scratch: one pixel row of luma, where the frame interleaves it */
} LumaGrid;

/*
 * Fill the grid from a frame, allocating when the frame's size has changed.
 * Reads luma of 8 bits or the upper 8 of more, planar or interleaved; of RGB
 * the green component stands for it.  Returns 1 when the grid was made anew, 0
 * when it was refilled, -1 when out of memory or the format is none of these.
 */
extern int luma_grid_fill(LumaGrid *grid, const AVFrame *frame);
extern void luma_grid_free(LumaGrid *grid);

#endif /* CCTV_LUMA_GRID_H */
