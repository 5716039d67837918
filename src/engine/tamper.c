/*
 * tamper.c
 *		Has somebody meddled with the camera: is its view blocked, moved or out
 *		of focus?
 *
 * The view is learnt as the mean of each cell over a minute of frames that look
 * as they should.  A frame is compared with it three ways:
 *
 * - spread: the standard deviation of the cells; a covered lens has none;
 * - detail: the root mean square of the Laplacian, whose loss is the loss of
 *   focus (J. L. Pech-Pacheco et al., Diatom autofocusing in brightfield
 *   microscopy, ICPR 2000);
 * - likeness: the correlation of the Laplacian with that of the view, tile by
 *   tile, which neither exposure nor daylight changes much.  Whatever passes
 *   covers some tiles, a camera that was turned changes nearly all of them.
 *
 * What differs is not learnt, so nothing that lasts escapes by being slow to
 * notice.
 */
#include "tamper.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* The view follows daylight with this time constant, in seconds. */
#define VIEW_TAU 60.0f

/* It is known once it has been seen for so long. */
#define LEARNT_US (10 * CLOCK_SECOND)

/* A state begins when the view has been so for so long, and ends likewise. */
#define BLOCKED_US (5 * CLOCK_SECOND)
#define CHANGED_US (10 * CLOCK_SECOND)
#define WELL_US (2 * CLOCK_SECOND)

/* What is moved or out of focus for so long is how the view is now. */
#define ACCEPTED_US (600 * CLOCK_SECOND)

/* Without a frame for this long nothing is known of the time between. */
#define GAP_US (30 * CLOCK_SECOND)

/* Luma levels. */
#define UNIFORM 2.5f	   /* so little spread shows nothing, */
#define VARIED 8.0f		   /* where the view has this much: heat may look uniform */
#define DULL 14.0f		   /* so little may be a covered lens, */
#define PLAIN 1.0f		   /* a tile with less detail cannot be recognised */
#define DETAIL_LEAST 1.5f  /* a view with less cannot lose its focus */
#define COVERED_PART 0.35f /* if of spread and detail this part is left */

#define BLURRED_PART 0.5f /* of the view's detail is left: out of focus, */
#define SPREAD_PART 0.5f  /* of its spread still: not in fog or dark, */
#define SAME_SCENE 0.7f	  /* correlation of the cells: and it is that scene */

/* Cells of a tile's row that are taken at once. */
#define STRIP 64

#define TILES_ACROSS 4
#define TILES_DOWN 4
#define LEAST_TILES 4	   /* fewer with something in them prove nothing */
#define STRANGE 0.3f	   /* a tile's correlation with the view is below */
#define STRANGE_PART 0.75f /* for this part of the tiles: another scene */

/* Sums for a correlation, or for a root mean square. */
typedef struct Sums
{
	double n;
	double a;
	double b;
	double aa;
	double bb;
	double ab;
} Sums;

/* Pairs that are summed side by side, in floats: at most a row's, for their precision. */
#define LANES 8

typedef struct Lanes
{
	float a[LANES];
	float b[LANES];
	float aa[LANES];
	float bb[LANES];
	float ab[LANES];
} Lanes;

/* What a frame is like, beside the view. */
typedef struct Looks
{
	float spread;
	float detail;
	float view_spread;
	float view_detail;
	float same; /* correlation of the cells */
	int tiles;	/* of the view that can be recognised, */
	int strange;
} Looks;

struct Tamper
{
	int columns;
	int rows;
	float *view;		 /* a mean for every cell */
	bool begun;			 /* there is a view */
	int64_t seen_us;	 /* how long it has been learnt */
	int64_t at_us;		 /* of the last frame */
	TamperState state;	 /* that holds */
	int64_t state_us;	 /* since */
	TamperState suspect; /* what the last frames look like */
	int64_t suspect_us;	 /* since */
};

Tamper *
tamper_create(void)
{
	return calloc(1, sizeof(Tamper));
}

void
tamper_free(Tamper *tamper)
{
	if (tamper == NULL)
		return;
	free(tamper->view);
	free(tamper);
}

void
tamper_cut(Tamper *tamper)
{
	tamper->state = tamper->suspect = TAMPER_NONE;
	tamper->suspect_us = tamper->at_us;
}

static inline void
add_each(Lanes *lanes, const float *restrict a, const float *restrict b)
{
	for (int i = 0; i < LANES; i++)
	{
		lanes->a[i] += a[i];
		lanes->b[i] += b[i];
		lanes->aa[i] += a[i] * a[i];
		lanes->bb[i] += b[i] * b[i];
		lanes->ab[i] += a[i] * b[i];
	}
}

static void
add_lanes(Sums *sums, const Lanes *lanes)
{
	for (int i = 0; i < LANES; i++)
	{
		sums->a += lanes->a[i];
		sums->b += lanes->b[i];
		sums->aa += lanes->aa[i];
		sums->bb += lanes->bb[i];
		sums->ab += lanes->ab[i];
	}
}

/* Add n pairs of a row. */
static void
add_row(Sums *sums, const float *a, const float *b, int n)
{
	Lanes lanes = {0};
	float last_a[LANES] = {0};
	float last_b[LANES] = {0};
	int whole = n / LANES * LANES;

	for (int i = 0; i < whole; i += LANES)
		add_each(&lanes, a + i, b + i);
	memcpy(last_a, a + whole, (n - whole) * sizeof(float));
	memcpy(last_b, b + whole, (n - whole) * sizeof(float));
	add_each(&lanes, last_a, last_b);
	add_lanes(sums, &lanes);
	sums->n += n;
}

static double
variance(double n, double sum, double squares)
{
	return n > 0 ? fmax(squares / n - sum / n * (sum / n), 0) : 0;
}

static float
deviation_a(const Sums *sums)
{
	return (float) sqrt(variance(sums->n, sums->a, sums->aa));
}

static float
deviation_b(const Sums *sums)
{
	return (float) sqrt(variance(sums->n, sums->b, sums->bb));
}

/* -1 to 1; 0 where either does not vary. */
static float
correlation(const Sums *sums)
{
	float spread = deviation_a(sums) * deviation_b(sums);

	if (spread < 1e-6f)
		return 0;
	return (float) (sums->ab / sums->n - sums->a / sums->n * (sums->b / sums->n)) / spread;
}

/* The Laplacians of n cells of a row, all of which have neighbours. */
static void
laplacians(const float *restrict cells, int columns, int n, float *restrict out)
{
	for (int i = 0; i < n; i++)
		out[i] =
			4 * cells[i] - cells[i - 1] - cells[i + 1] - cells[i - columns] - cells[i + columns];
}

/* The Laplacian of the tile's cells, of the frame and of the view. */
static Sums
look_at_tile(const Tamper *tamper, const float *cells, int tile_column, int tile_row)
{
	int columns = tamper->columns;
	/* Without the border: its cells have no neighbours and may be cut off. */
	int left = 1 + (columns - 3) * tile_column / TILES_ACROSS;
	int right = 1 + (columns - 3) * (tile_column + 1) / TILES_ACROSS;
	int top = 1 + (tamper->rows - 3) * tile_row / TILES_DOWN;
	int bottom = 1 + (tamper->rows - 3) * (tile_row + 1) / TILES_DOWN;
	float frame[STRIP];
	float view[STRIP];
	Sums sums = {0};

	for (int row = top; row < bottom; row++)
		for (int column = left; column < right; column += STRIP)
		{
			int i = row * columns + column;
			int n = right - column < STRIP ? right - column : STRIP;

			laplacians(cells + i, columns, n, frame);
			laplacians(tamper->view + i, columns, n, view);
			add_row(&sums, frame, view, n);
		}
	return sums;
}

static Looks
look_at(const Tamper *tamper, const float *cells)
{
	Looks looks = {0};
	Sums whole = {0};
	Sums edges = {0};

	for (int row = 0; row < tamper->rows; row++)
		add_row(&whole, cells + row * tamper->columns, tamper->view + row * tamper->columns,
				tamper->columns);
	for (int i = 0; i < TILES_ACROSS * TILES_DOWN; i++)
	{
		Sums tile = look_at_tile(tamper, cells, i % TILES_ACROSS, i / TILES_ACROSS);

		edges.n += tile.n;
		edges.aa += tile.aa;
		edges.bb += tile.bb;
		if (deviation_b(&tile) < PLAIN)
			continue;
		looks.tiles++;
		looks.strange += correlation(&tile) < STRANGE;
	}
	looks.spread = deviation_a(&whole);
	looks.view_spread = deviation_b(&whole);
	looks.same = correlation(&whole);
	looks.detail = deviation_a(&edges);
	looks.view_detail = deviation_b(&edges);
	return looks;
}

/* What does this one frame look like? */
static TamperState
judge(const Tamper *tamper, const Looks *looks)
{
	if (tamper->seen_us < LEARNT_US)
		return TAMPER_NONE;
	if (looks->spread < UNIFORM && looks->view_spread >= VARIED)
		return TAMPER_BLOCKED;
	if (looks->spread < DULL && looks->spread < looks->view_spread * COVERED_PART &&
		looks->detail < looks->view_detail * COVERED_PART)
		return TAMPER_BLOCKED;
	if (looks->view_detail >= DETAIL_LEAST && looks->detail < looks->view_detail * BLURRED_PART &&
		looks->spread >= looks->view_spread * SPREAD_PART && looks->same >= SAME_SCENE)
		return TAMPER_DEFOCUSED;
	if (looks->tiles >= LEAST_TILES && looks->strange >= looks->tiles * STRANGE_PART)
		return TAMPER_MOVED;
	return TAMPER_NONE;
}

/* Take the frame into the view: at first as the mean of all so far. */
static void
learn(Tamper *tamper, const float *cells, int64_t dt_us)
{
	float dt = (float) dt_us / CLOCK_SECOND;
	float seen = (float) tamper->seen_us / CLOCK_SECOND;
	float share = dt / (fminf(seen, VIEW_TAU) + dt);

	for (int i = 0; i < tamper->columns * tamper->rows; i++)
		tamper->view[i] += share * (cells[i] - tamper->view[i]);
	tamper->seen_us += dt_us;
}

static bool
begin_view(Tamper *tamper, const LumaGrid *grid, int64_t at_us)
{
	size_t n = (size_t) grid->columns * grid->rows;

	if (tamper->view == NULL || tamper->columns != grid->columns || tamper->rows != grid->rows)
	{
		free(tamper->view);
		tamper->begun = false;
		tamper->view = malloc(n * sizeof(float));
		if (tamper->view == NULL)
			return false;
		tamper->columns = grid->columns;
		tamper->rows = grid->rows;
	}
	memcpy(tamper->view, grid->cells, n * sizeof(float));
	tamper->begun = true;
	tamper->seen_us = 0;
	tamper->at_us = at_us;
	tamper->state = tamper->suspect = TAMPER_NONE;
	tamper->state_us = tamper->suspect_us = at_us;
	return true;
}

static int64_t
patience(const Tamper *tamper)
{
	switch (tamper->suspect)
	{
		case TAMPER_NONE:
			return WELL_US;
		case TAMPER_BLOCKED:
			return BLOCKED_US;
		default:
			return CHANGED_US;
	}
}

/* What the frames have looked like for long enough becomes the state. */
static void
settle(Tamper *tamper, TamperState looks, int64_t at_us)
{
	if (looks != tamper->suspect)
	{
		tamper->suspect = looks;
		tamper->suspect_us = at_us;
	}
	if (tamper->suspect != tamper->state && at_us - tamper->suspect_us >= patience(tamper))
	{
		tamper->state = tamper->suspect;
		tamper->state_us = at_us;
	}
}

TamperState
tamper_update(Tamper *tamper, const LumaGrid *grid, int64_t at_us)
{
	Looks looks;
	TamperState state;
	int64_t dt_us = at_us - tamper->at_us;

	if (grid->columns <= 2 * TILES_ACROSS || grid->rows <= 2 * TILES_DOWN)
		return TAMPER_NONE;
	if (!tamper->begun || tamper->columns != grid->columns || tamper->rows != grid->rows ||
		dt_us < 0)
	{
		begin_view(tamper, grid, at_us);
		return TAMPER_NONE;
	}
	tamper->at_us = at_us;
	if (dt_us > GAP_US)
		tamper->suspect_us = at_us;

	looks = look_at(tamper, grid->cells);
	state = judge(tamper, &looks);
	settle(tamper, state, at_us);
	if (state == TAMPER_NONE && tamper->state == TAMPER_NONE)
		learn(tamper, grid->cells, dt_us < CLOCK_SECOND ? dt_us : CLOCK_SECOND);
	else if (tamper->state != TAMPER_NONE && tamper->state != TAMPER_BLOCKED &&
			 at_us - tamper->state_us >= ACCEPTED_US)
		begin_view(tamper, grid, at_us);
	return tamper->state;
}

const char *
tamper_label(TamperState state)
{
	switch (state)
	{
		case TAMPER_BLOCKED:
			return "blocked";
		case TAMPER_MOVED:
			return "moved";
		case TAMPER_DEFOCUSED:
			return "defocused";
		case TAMPER_NONE:
			break;
	}
	return "none";
}
