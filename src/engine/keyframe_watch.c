/*
 * keyframe_watch.c
 *		Has something come into the scene since the keyframe before?
 *
 * The brightness of small cells, with the exposure's gain divided out, is
 * compared with a running mean and deviation, as in motion.c.  Keyframes are far
 * apart and each is coded by itself, so cells are four times as fine here, and
 * what a cell differs by matters less than whether its neighbours do too: the
 * largest group of differing cells in each tile of the frame is compared with
 * what is ordinary for that tile.
 *
 * Two thresholds work together.  Each tile learns how large its groups are when
 * nothing happens, so that foliage in a corner blinds nobody to the door.  And
 * one factor for all tiles grows with each alarm that was for nothing and
 * shrinks again over half an hour: rain, which strikes here now and there next,
 * never teaches any tile enough.
 */
#include "keyframe_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "luma_grid.h"

/* About 320 columns: 4 pixels at 720p, 6 at 1080p; never fewer pixels than 3. */
#define COLUMNS 320
#define LEAST_CELL 3

/* Looks until it may raise an alarm, and those of fast learning. */
#define LOOKS_READY 8
#define LOOKS_FAST 8

/* Shares of a step towards what is seen, a look. */
#define FAST_RATE 0.3f
#define RATE 0.15f
#define HIT_PART 0.25f /* of it, for a cell in which something new stands */
#define BUSY_RATE 0.06f

/* Luma levels. */
#define LEAST_OFF 7.0f	/* a cell is hit when it differs by this */
#define DEVIATIONS 5.0f /* and its ordinary deviation beyond 1 as often */
/* and by what the light of its tile changes otherwise than that of the frame, at most: */
#define SHADE_MOST 0.12f

/* A cell that is hit this part of the time has nothing to say. */
#define RESTLESS 0.12f

/* Groups of cells: an alarm begins at this many, */
#define LEAST_AREA 4
/* and beyond so many times what is ordinary for the tile, and these. */
#define ORDINARY_TIMES 1.5f
#define ORDINARY_PLUS 3.0f

/* How fast a tile learns that its groups are larger, or smaller. */
#define LARGER_RATE 0.25f
#define SMALLER_RATE 0.05f

/* Of a group that was nothing so much is ordinary from then on. */
#define NOTHING_PART 0.7f

/* Caution: its growth with each alarm for nothing, its limit, its decay a look. */
#define CAUTION_STEP 1.25f
#define CAUTION_MOST 5.0f
#define CAUTION_KEEP 0.9995f
#define CAUTION_RIGHT 0.8f

/* A gain beyond is another scene. */
#define GAIN_MOST 1.5f

#define TILES_ACROSS 8
#define TILES (TILES_ACROSS * TILES_ACROSS)

struct KeyframeWatch
{
	LumaGrid grid;
	int looks;
	float caution;

	/* One each for every cell. */
	float *mean;
	float *deviation;
	float *restless; /* part of the looks in which it was hit */
	uint8_t *hit;
	uint8_t *open;	/* 0 where masked, else 1 */
	uint8_t *group; /* hit and fit to be grouped, until it has been */
	int *stack;		/* for walking a group */
	PolygonList masks;

	/* By which part the light of each tile has changed otherwise than that of all. */
	float shade[TILES];

	/* Cells of the largest group in each tile. */
	float largest[TILES];
	float ordinary[TILES];
	float alarmed[TILES]; /* in the last alarm */
};

KeyframeWatch *
keyframe_watch_create(void)
{
	KeyframeWatch *watch = calloc(1, sizeof(*watch));

	if (watch != NULL)
		watch->caution = 1;
	return watch;
}

static void
free_cells(KeyframeWatch *watch)
{
	free(watch->mean);
	free(watch->deviation);
	free(watch->restless);
	free(watch->hit);
	free(watch->open);
	free(watch->group);
	free(watch->stack);
	watch->mean = watch->deviation = watch->restless = NULL;
	watch->hit = watch->open = watch->group = NULL;
	watch->stack = NULL;
}

void
keyframe_watch_free(KeyframeWatch *watch)
{
	if (watch == NULL)
		return;
	free_cells(watch);
	luma_grid_free(&watch->grid);
	free(watch);
}

static int
count_cells(const KeyframeWatch *watch)
{
	return watch->grid.columns * watch->grid.rows;
}

/* Which cells are masked, on the grid as it is now. */
static void
open_cells(KeyframeWatch *watch)
{
	const LumaGrid *grid = &watch->grid;
	int i = 0;

	for (int row = 0; row < grid->rows; row++)
		for (int column = 0; column < grid->columns; column++, i++)
		{
			Point centre = {(column + 0.5f) * grid->cell / grid->width,
							(row + 0.5f) * grid->cell / grid->height};

			watch->open[i] = polygons_contain(&watch->masks, centre) ? 0 : 1;
		}
}

void
keyframe_watch_set_masks(KeyframeWatch *watch, const PolygonList *masks)
{
	bool same = polygons_equal(&watch->masks, masks);

	watch->masks = *masks;
	if (!same && watch->open != NULL)
		open_cells(watch);
}

static bool
allocate_cells(KeyframeWatch *watch)
{
	size_t n = (size_t) count_cells(watch);

	free_cells(watch);
	watch->mean = malloc(n * sizeof(float));
	watch->deviation = malloc(n * sizeof(float));
	watch->restless = calloc(n, sizeof(float));
	watch->hit = calloc(n, 1);
	watch->open = malloc(n);
	watch->group = malloc(n);
	watch->stack = malloc(n * sizeof(int));
	return watch->mean != NULL && watch->deviation != NULL && watch->restless != NULL &&
		   watch->hit != NULL && watch->open != NULL && watch->group != NULL &&
		   watch->stack != NULL;
}

/* Take the grid's first frame as the background. */
static bool
begin(KeyframeWatch *watch)
{
	watch->looks = 0;
	watch->caution = 1;
	memset(watch->ordinary, 0, sizeof(watch->ordinary));
	if (!allocate_cells(watch))
	{
		free_cells(watch);
		return false;
	}
	open_cells(watch);
	memcpy(watch->mean, watch->grid.cells, count_cells(watch) * sizeof(float));
	for (int i = 0; i < count_cells(watch); i++)
		watch->deviation[i] = 1;
	return true;
}

/* The first column of the tiles that are so many from the left. */
static int
tile_edge(int across, int columns)
{
	return (across * columns + TILES_ACROSS - 1) / TILES_ACROSS;
}

static int
tile_at(const KeyframeWatch *watch, int row, int across)
{
	return row * TILES_ACROSS / watch->grid.rows * TILES_ACROSS + across;
}

static float
ratio(double frame, double background)
{
	float gain = background > 0 ? (float) (frame / background) : 1;

	return gain > GAIN_MOST || gain < 1 / GAIN_MOST ? 1 : gain;
}

/*
 * How much brighter the frame is than the background, where nothing new stood
 * last.  The shadow of a cloud covers a part of it: then tiles have a shade, too.
 */
static float
find_gain(KeyframeWatch *watch)
{
	double frame[TILES] = {0};
	double background[TILES] = {0};
	double all = 0;
	double before = 0;
	int columns = watch->grid.columns;
	float gain;

	for (int row = 0; row < watch->grid.rows; row++)
		for (int across = 0; across < TILES_ACROSS; across++)
		{
			const float *cells = watch->grid.cells + row * columns;
			const float *mean = watch->mean + row * columns;
			const uint8_t *hit = watch->hit + row * columns;
			int tile = tile_at(watch, row, across);
			float a = 0;
			float b = 0;

			for (int i = tile_edge(across, columns); i < tile_edge(across + 1, columns); i++)
			{
				a += hit[i] ? 0.0f : cells[i];
				b += hit[i] ? 0.0f : mean[i];
			}
			frame[tile] += a;
			background[tile] += b;
		}
	for (int tile = 0; tile < TILES; tile++)
	{
		all += frame[tile];
		before += background[tile];
	}
	gain = ratio(all, before);
	for (int tile = 0; tile < TILES; tile++)
		watch->shade[tile] =
			fminf(fabsf(ratio(frame[tile], background[tile]) / gain - 1), SHADE_MOST);
	return gain;
}

/* Which of some cells in a row of a tile are hit, and which of these may be grouped. */
static void
mark_run(KeyframeWatch *watch, int first, int n, float gain, float shade)
{
	const float *restrict cells = watch->grid.cells + first;
	const float *restrict mean = watch->mean + first;
	const float *restrict deviation = watch->deviation + first;
	float *restrict restless = watch->restless + first;
	const uint8_t *restrict open = watch->open + first;
	uint8_t *restrict hit = watch->hit + first;
	uint8_t *restrict group = watch->group + first;

	for (int i = 0; i < n; i++)
	{
		float expected = mean[i] * gain;
		float off = fabsf(cells[i] - expected);
		float beyond = deviation[i] > 1 ? deviation[i] - 1 : 0;
		int now = off > LEAST_OFF + DEVIATIONS * beyond + shade * expected ? 1 : 0;

		hit[i] = (uint8_t) now;
		group[i] = (uint8_t) (now & open[i] & (restless[i] < RESTLESS ? 1 : 0));
		restless[i] += BUSY_RATE * (now - restless[i]);
	}
}

static void
mark_cells(KeyframeWatch *watch, float gain)
{
	int columns = watch->grid.columns;

	for (int row = 0; row < watch->grid.rows; row++)
		for (int across = 0; across < TILES_ACROSS; across++)
		{
			int first = tile_edge(across, columns);
			int tile = tile_at(watch, row, across);

			mark_run(watch, row * columns + first, tile_edge(across + 1, columns) - first, gain,
					 watch->shade[tile]);
		}
}

/* Count the cells of the group that holds cell `start`, and take them away. */
static int
walk_group(KeyframeWatch *watch, int start)
{
	int columns = watch->grid.columns;
	int rows = watch->grid.rows;
	int depth = 0;
	int area = 0;

	watch->group[start] = 0;
	watch->stack[depth++] = start;
	while (depth > 0)
	{
		int cell = watch->stack[--depth];
		int column = cell % columns;
		int row = cell / columns;

		area++;
		for (int y = row > 0 ? row - 1 : 0; y <= row + 1 && y < rows; y++)
			for (int x = column > 0 ? column - 1 : 0; x <= column + 1 && x < columns; x++)
				if (watch->group[y * columns + x])
				{
					watch->group[y * columns + x] = 0;
					watch->stack[depth++] = y * columns + x;
				}
	}
	return area;
}

static int
tile_of(const KeyframeWatch *watch, int cell)
{
	int columns = watch->grid.columns;

	return tile_at(watch, cell / columns, cell % columns * TILES_ACROSS / columns);
}

static void
measure_groups(KeyframeWatch *watch)
{
	int n = count_cells(watch);

	memset(watch->largest, 0, sizeof(watch->largest));
	for (int i = 0; i < n; i++)
	{
		float *largest;
		int area;

		if (!watch->group[i])
			continue;
		largest = &watch->largest[tile_of(watch, i)];
		area = walk_group(watch, i);
		if ((float) area > *largest)
			*largest = (float) area;
	}
}

/* Does a tile hold more than is ordinary for it? */
static bool
stands_out(const KeyframeWatch *watch)
{
	for (int i = 0; i < TILES; i++)
	{
		float limit = watch->caution * (ORDINARY_TIMES * watch->ordinary[i] + ORDINARY_PLUS);

		if (watch->largest[i] >= LEAST_AREA && watch->largest[i] > limit)
			return true;
	}
	return false;
}

/* Let the background follow the frame, slowly where something new stands. */
static void
learn_background(KeyframeWatch *watch, float gain)
{
	const float *restrict cells = watch->grid.cells;
	const uint8_t *restrict hit = watch->hit;
	float *restrict mean = watch->mean;
	float *restrict deviation = watch->deviation;
	float rate = watch->looks < LOOKS_FAST ? FAST_RATE : RATE;
	int n = count_cells(watch);

	for (int i = 0; i < n; i++)
	{
		float share = hit[i] ? rate * HIT_PART : rate;

		deviation[i] += share * (fabsf(cells[i] - mean[i] * gain) - deviation[i]);
		mean[i] += share * (cells[i] - mean[i]);
	}
}

/* What is new has come to stay. */
static void
adopt_hits(KeyframeWatch *watch)
{
	for (int i = 0; i < count_cells(watch); i++)
		if (watch->hit[i])
			watch->mean[i] = watch->grid.cells[i];
}

/* Let each tile follow what its groups are like. */
static void
learn_ordinary(KeyframeWatch *watch)
{
	for (int i = 0; i < TILES; i++)
	{
		float *ordinary = &watch->ordinary[i];
		float most = 2 * *ordinary + 2 * ORDINARY_PLUS;
		float seen = watch->largest[i] < most ? watch->largest[i] : most;

		*ordinary +=
			seen > *ordinary ? LARGER_RATE * (seen - *ordinary) : -SMALLER_RATE * *ordinary;
	}
}

int
keyframe_watch_look(KeyframeWatch *watch, const AVFrame *frame, KeyframeScene scene, bool *alarm)
{
	int filled;
	float gain;

	*alarm = false;
	watch->grid.across = frame->width / LEAST_CELL < COLUMNS ? frame->width / LEAST_CELL : COLUMNS;
	filled = luma_grid_fill(&watch->grid, frame);
	if (filled < 0)
		return -1;
	if (filled == 1 || watch->mean == NULL)
	{
		if (!begin(watch))
			return -1;
		watch->looks = 1;
		return 0;
	}
	gain = find_gain(watch);
	mark_cells(watch, gain);
	measure_groups(watch);
	*alarm = scene == KEYFRAME_UNKNOWN && keyframe_watch_ready(watch) && stands_out(watch);
	if (*alarm)
		memcpy(watch->alarmed, watch->largest, sizeof(watch->alarmed));
	else if (scene == KEYFRAME_UNKNOWN || scene == KEYFRAME_CALM)
		learn_ordinary(watch);
	learn_background(watch, gain);
	if (scene == KEYFRAME_SETTLED)
		adopt_hits(watch);
	watch->caution = 1 + (watch->caution - 1) * CAUTION_KEEP;
	watch->looks++;
	return 0;
}

bool
keyframe_watch_ready(const KeyframeWatch *watch)
{
	return watch->looks >= LOOKS_READY;
}

void
keyframe_watch_confirm(KeyframeWatch *watch, bool right)
{
	if (right)
	{
		watch->caution = fmaxf(1, watch->caution * CAUTION_RIGHT);
		return;
	}
	watch->caution = fminf(watch->caution * CAUTION_STEP, CAUTION_MOST);
	for (int i = 0; i < TILES; i++)
		watch->ordinary[i] = fmaxf(watch->ordinary[i], NOTHING_PART * watch->alarmed[i]);
}
