/*
 * luma_grid.c
 *		Scaling the luma plane down to a coarse grid.
 *
 * A camera that sees nothing move spends its time here, so the inner loops
 * are plain enough for the compiler to vectorise, and of a tall cell only some
 * rows are read: 8 rows of a cell already average noise away eightfold.
 */
#include "luma_grid.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <libavutil/pixdesc.h>

/* Rows of a cell that are read. */
#define ROWS_READ 8

/* Where a format keeps its luma. */
typedef struct LumaLayout
{
	int plane;
	int offset; /* bytes to the first sample */
	int step;	/* bytes between samples */
	int bytes;	/* of one sample: 1 or 2 */
	int shift;	/* right shift that leaves the upper 8 bits */
	bool big_endian;
} LumaLayout;

static bool
find_luma(enum AVPixelFormat format, LumaLayout *layout)
{
	const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(format);
	const AVComponentDescriptor *component;

	if (desc == NULL ||
		(desc->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_PAL |
						AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER)) != 0)
		return false;
	component = &desc->comp[(desc->flags & AV_PIX_FMT_FLAG_RGB) != 0 ? 1 : 0];
	if (component->depth < 8 || component->depth > 16)
		return false;
	layout->plane = component->plane;
	layout->offset = component->offset;
	layout->step = component->step;
	layout->bytes = component->depth > 8 ? 2 : 1;
	layout->shift = component->shift + component->depth - 8;
	layout->big_endian = (desc->flags & AV_PIX_FMT_FLAG_BE) != 0;
	return true;
}

/* Gather one row of luma bytes; the plane itself when it holds nothing else. */
static const uint8_t *
luma_row(const AVFrame *frame, const LumaLayout *layout, int y, uint8_t *line)
{
	const uint8_t *row =
		frame->data[layout->plane] + (ptrdiff_t) y * frame->linesize[layout->plane];

	row += layout->offset;
	if (layout->bytes == 1 && layout->step == 1)
		return row;
	for (int x = 0; x < frame->width; x++, row += layout->step)
	{
		unsigned sample = row[0];

		if (layout->bytes == 2)
			sample =
				layout->big_endian ? (sample << 8 | row[1]) : (sample | (unsigned) row[1] << 8);
		line[x] = (uint8_t) (sample >> layout->shift);
	}
	return line;
}

static void
add_row(uint16_t *restrict sums, const uint8_t *restrict row, int width)
{
	for (int x = 0; x < width; x++)
		sums[x] += row[x];
}

/* Sums of so many neighbours; called with a constant, it is unrolled. */
static inline void
average_whole(float *restrict cells, int count, const uint16_t *restrict sums, int cell,
			  float samples)
{
	for (int column = 0; column < count; column++)
	{
		unsigned sum = 0;

		for (int x = 0; x < cell; x++)
			sum += sums[column * cell + x];
		cells[column] = (float) sum / samples;
	}
}

static void
average_columns(float *cells, int columns, const uint16_t *sums, int width, int cell, int nrows)
{
	int whole = width / cell;
	float samples = (float) (cell * nrows);

	switch (cell)
	{
		case 4: /* 640 columns */
			average_whole(cells, whole, sums, 4, samples);
			break;
		case 8: /* 720p */
			average_whole(cells, whole, sums, 8, samples);
			break;
		case 12: /* 1080p */
			average_whole(cells, whole, sums, 12, samples);
			break;
		default:
			average_whole(cells, whole, sums, cell, samples);
			break;
	}
	/* The last column may be cut off by the frame's edge. */
	if (whole < columns)
		average_whole(cells + whole, 1, sums + whole * cell, width - whole * cell,
					  (float) ((width - whole * cell) * nrows));
}

void
luma_grid_free(LumaGrid *grid)
{
	free(grid->cells);
	free(grid->sums);
	free(grid->line);
	*grid = (LumaGrid){.across = grid->across};
}

static int
resize(LumaGrid *grid, int width, int height, int cell)
{
	int columns = (width + cell - 1) / cell;
	int rows = (height + cell - 1) / cell;

	luma_grid_free(grid);
	grid->cells = malloc((size_t) columns * rows * sizeof(*grid->cells));
	grid->sums = malloc((size_t) width * sizeof(*grid->sums));
	grid->line = malloc((size_t) width);
	if (grid->cells == NULL || grid->sums == NULL || grid->line == NULL)
	{
		luma_grid_free(grid);
		return -1;
	}
	grid->width = width;
	grid->height = height;
	grid->columns = columns;
	grid->rows = rows;
	grid->cell = cell;
	return 1;
}

int
luma_grid_fill(LumaGrid *grid, const AVFrame *frame)
{
	int width = frame->width;
	int height = frame->height;
	int across = grid->across > 0 ? grid->across : LUMA_GRID_COLUMNS;
	int cell = (width + across / 2) / across;
	LumaLayout layout;
	int made = 0;
	int stride;

	if (width <= 0 || height <= 0 || !find_luma(frame->format, &layout))
		return -1;
	if (cell < 1)
		cell = 1;
	if (grid->width != width || grid->height != height || grid->cell != cell)
		made = resize(grid, width, height, cell);
	if (made < 0)
		return -1;

	stride = (cell + ROWS_READ - 1) / ROWS_READ;
	for (int row = 0; row < grid->rows; row++)
	{
		int start = row * cell;
		int end = start + cell < height ? start + cell : height;
		int nrows = 0;

		memset(grid->sums, 0, (size_t) width * sizeof(*grid->sums));
		for (int y = start; y < end; y += stride, nrows++)
			add_row(grid->sums, luma_row(frame, &layout, y, grid->line), width);
		average_columns(grid->cells + (size_t) row * grid->columns, grid->columns, grid->sums,
						width, cell, nrows);
	}
	return made;
}
