/*
 * motion.c
 *		A background model: for each cell of a coarse luma grid its mean and its
 *		ordinary deviation.  Cells far from their mean are moving; those that
 *		touch form clusters.
 *
 * A running mean and deviation for each place is the single-Gaussian model of
 * Wren et al., "Pfinder", PAMI 1997.  To it come the habits of an outdoor
 * camera: the exposure's gain is taken out, places that flicker all day
 * (foliage, water) become less sensitive, and what differs but stands still is
 * taken into the background slowly.  When most of the picture changes at once
 * nothing has moved: it is a cut or a lamp, and the background is learnt anew.
 *
 * Every rate is a time constant of the stream's time, so results do not depend
 * on the rate of frames more than they must.
 */
#include "motion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clusters.h"
#include "luma_grid.h"

/* Time constants, in seconds. */
#define BACKGROUND_TAU 2.0f	 /* an unmoving cell follows the daylight */
#define DEVIATION_TAU 10.0f	 /* and its noise */
#define FRONT_TAU 120.0f	 /* what stands in front of it is not the background */
#define STILL_S 10.0f		 /* unless it has stood still for so long: a parked car */
#define RESTLESS_TAU 20.0f	 /* memory of flicker, */
#define RESTLESS_STEP_S 0.2f /* longer where frames show less of it */
#define CALIBRATION_TAU 0.3f /* the background while it is being learnt */

/* Durations, in microseconds. */
#define CALIBRATION_US 1000000		/* at least */
#define CALIBRATION_MAX_US 10000000 /* at most: a scene that never rests */
#define CALIBRATION_FRAMES 3
#define HOLD_US 2000000	   /* active survives a gap of this */
#define CHANGED_US 3000000 /* most of the frame differs for this long: learn anew */
#define GAP_US 30000000	   /* no frame for this long: learn anew */

/* Deviations, in luma levels. */
#define DEVIATION_START 2.0f
#define DEVIATION_MIN 0.5f
#define DEVIATION_MAX 6.0f /* more is not noise but something moving */
#define DEVIATIONS 6.0f	   /* a strong cell is this many mean deviations off */

#define WEAK 0.6f		  /* of the threshold: enough beside a strong cell */
#define FULL_CONTRAST 128 /* luma range at which the threshold holds as given */
#define LEAST_CONTRAST 0.3f
#define RESTLESS_FREE 4.0f /* recent flickers that pass for passers-by */
#define RESTLESS_STEP 0.25f
#define RESTLESS_MAX 3.0f

/* Fractions of the frame. */
#define CALIBRATED 0.1f /* less than this changes: the scene has come to rest */
#define CUT 0.5f		/* more than this differs, */
#define CUT_STEP 0.35f	/* and it came at once */
#define CHANGED 0.8f

#define SAMPLE_EVERY 3 /* cells, for statistics of the whole frame */

struct Motion
{
	MotionSettings settings;
	LumaGrid grid;

	/* One each for every cell. */
	float *mean;
	float *deviation;
	float *restless; /* flickers lately */
	float *still;	 /* seconds it has differed without changing */
	float *previous; /* the grid of the frame before */
	float *beyond;	 /* 1 where that was off by more than the undamped threshold */
	uint8_t *marks;	 /* Mark */
	uint8_t *kept;	 /* marks that have support */
	uint8_t *open;	 /* 0 where masked, else 1 */
	int *stack;		 /* for walking a cluster */
	int nopen;		 /* cells that are not masked */
	PolygonList masks;

	bool known; /* there is a background at all */
	bool calibrating;
	bool active;
	int calibration_frames;
	float differing; /* fraction of cells marked strong in the frame before */
	int64_t at_us;	 /* of the frame before */
	int64_t calibrating_since_us;
	int64_t moved_us;		  /* of the last frame with a cluster */
	int64_t changed_since_us; /* most of the frame has differed since; or -1 */
};

Motion *
motion_create(const MotionSettings *settings)
{
	Motion *motion = calloc(1, sizeof(*motion));

	if (motion != NULL)
		motion->settings = *settings;
	return motion;
}

static void
free_cells(Motion *motion)
{
	free(motion->mean);
	free(motion->deviation);
	free(motion->restless);
	free(motion->still);
	free(motion->previous);
	free(motion->marks);
	free(motion->kept);
	free(motion->beyond);
	free(motion->open);
	free(motion->stack);
	motion->mean = motion->deviation = motion->restless = NULL;
	motion->still = motion->previous = motion->beyond = NULL;
	motion->marks = motion->kept = motion->open = NULL;
	motion->stack = NULL;
}

static bool
allocate_cells(Motion *motion)
{
	size_t n = (size_t) motion->grid.columns * motion->grid.rows;

	free_cells(motion);
	motion->mean = malloc(n * sizeof(float));
	motion->deviation = malloc(n * sizeof(float));
	motion->restless = malloc(n * sizeof(float));
	motion->still = malloc(n * sizeof(float));
	motion->previous = malloc(n * sizeof(float));
	motion->beyond = malloc(n * sizeof(float));
	motion->marks = malloc(n);
	motion->kept = malloc(n);
	motion->open = malloc(n);
	motion->stack = malloc(n * sizeof(int));
	return motion->mean != NULL && motion->deviation != NULL && motion->restless != NULL &&
		   motion->still != NULL && motion->previous != NULL && motion->marks != NULL &&
		   motion->kept != NULL && motion->beyond != NULL && motion->open != NULL &&
		   motion->stack != NULL;
}

void
motion_free(Motion *motion)
{
	if (motion == NULL)
		return;
	free_cells(motion);
	luma_grid_free(&motion->grid);
	free(motion);
}

void
motion_configure(Motion *motion, const MotionSettings *settings)
{
	motion->settings = *settings;
}

/* Which cells are masked, on the grid as it is now. */
static void
open_cells(Motion *motion)
{
	const LumaGrid *grid = &motion->grid;
	int i = 0;

	motion->nopen = 0;
	for (int row = 0; row < grid->rows; row++)
		for (int column = 0; column < grid->columns; column++, i++)
		{
			Point centre = {(column + 0.5f) * grid->cell / grid->width,
							(row + 0.5f) * grid->cell / grid->height};

			motion->open[i] = polygons_contain(&motion->masks, centre) ? 0 : 1;
			motion->nopen += motion->open[i];
		}
}

void
motion_set_masks(Motion *motion, const PolygonList *masks)
{
	bool same = polygons_equal(&motion->masks, masks);

	motion->masks = *masks;
	if (!same && motion->open != NULL)
		open_cells(motion);
}

const LumaGrid *
motion_grid(const Motion *motion)
{
	return motion->grid.cells != NULL ? &motion->grid : NULL;
}

void
motion_reset(Motion *motion)
{
	motion->known = false;
}

/* Comparisons, where fminf and fmaxf would mind NaN and keep loops from being vectorised. */
static inline float
minf(float a, float b)
{
	return a < b ? a : b;
}

static inline float
maxf(float a, float b)
{
	return a > b ? a : b;
}

static inline float
clampf(float value, float low, float high)
{
	return minf(maxf(value, low), high);
}

/* The share of a step of dt seconds towards a goal with time constant tau. */
static float
rate(float dt, float tau)
{
	return 1 - expf(-dt / tau);
}

/* Take the frame as the background, and watch it for a while. */
static void
start_calibration(Motion *motion, int64_t at_us)
{
	int n = motion->grid.columns * motion->grid.rows;

	memcpy(motion->mean, motion->grid.cells, n * sizeof(float));
	for (int i = 0; i < n; i++)
	{
		motion->restless[i] = 0;
		motion->still[i] = 0;
		motion->beyond[i] = 0;
		motion->deviation[i] = DEVIATION_START;
	}
	motion->known = true;
	motion->calibrating = true;
	motion->calibrating_since_us = at_us;
	motion->calibration_frames = 0;
	motion->active = false;
	motion->differing = 0;
	motion->changed_since_us = -1;
}

enum
{
	RATIOS_PER_UNIT = 128, /* bins of the ratio of new to old brightness */
	RATIO_BINS = 2 * RATIOS_PER_UNIT,
	RATIO_SPREAD = 4 /* bins on either side that count as the same ratio */
};

static int
support_of(const int *histogram, int bin)
{
	int support = 0;

	for (int i = bin - RATIO_SPREAD; i <= bin + RATIO_SPREAD; i++)
		if (i >= 0 && i < RATIO_BINS)
			support += histogram[i];
	return support;
}

/*
 * Scale the background by the change of exposure: the median, over the cells,
 * of new to old brightness.  More cells must agree on it than have not changed
 * at all, or something large has come into the picture; and a ratio far from
 * one is no exposure but another scene.
 */
static void
compensate_gain(Motion *motion)
{
	int histogram[RATIO_BINS] = {0};
	int n = motion->grid.columns * motion->grid.rows;
	int total = 0;
	int below = 0;
	int median = 0;
	float gain;

	for (int i = 0; i < n; i += SAMPLE_EVERY)
	{
		int bin;

		/* Too dark or too bright to follow the exposure. */
		if (motion->mean[i] < 16 || motion->mean[i] > 240 || !motion->open[i])
			continue;
		bin = (int) (motion->grid.cells[i] / motion->mean[i] * RATIOS_PER_UNIT + 0.5f);
		histogram[bin < RATIO_BINS ? bin : RATIO_BINS - 1]++;
		total++;
	}
	if (total == 0)
		return;
	while (below + histogram[median] <= total / 2)
		below += histogram[median++];

	gain = (float) median / RATIOS_PER_UNIT;
	if (fabsf(gain - 1) < 0.02f || gain < 0.6f || gain > 1.6f ||
		support_of(histogram, median) <= support_of(histogram, RATIOS_PER_UNIT))
		return;
	for (int i = 0; i < n; i++)
		motion->mean[i] *= gain;
}

/* How much of the threshold applies: a foggy or dark scene has less to show. */
static float
contrast(const Motion *motion)
{
	int histogram[256] = {0};
	int n = motion->grid.columns * motion->grid.rows;
	int tail = n / SAMPLE_EVERY / 25;
	int low = 0;
	int high = 255;
	int below = 0;
	int above = 0;
	float share;

	for (int i = 0; i < n; i += SAMPLE_EVERY)
		histogram[(int) clampf(motion->mean[i], 0, 255)]++;
	while (low < 255 && (below += histogram[low]) <= tail)
		low++;
	while (high > 0 && (above += histogram[high]) <= tail)
		high--;
	share = (float) (high - low) / FULL_CONTRAST;
	return clampf(share, LEAST_CONTRAST, 1);
}

/*
 * The two loops that an idle camera spends its time in.  Each has a function to
 * itself, because only of parameters does the compiler believe "restrict", and
 * comparisons are numbers in it: with a branch it would not be vectorised.
 */
#define VECTORISED static __attribute__((noinline))

VECTORISED void
mark_each(int n, float threshold, const float *restrict cells, const float *restrict mean,
		  const float *restrict deviation, const uint8_t *restrict open, float *restrict restless,
		  float *restrict beyond, uint8_t *restrict marks)
{
	for (int i = 0; i < n; i++)
	{
		float off = fabsf(cells[i] - mean[i]);
		float limit = maxf(threshold, DEVIATIONS * deviation[i]);
		float excess = maxf(restless[i] - RESTLESS_FREE, 0);
		float damped = limit * minf(1 + RESTLESS_STEP * excess, RESTLESS_MAX);
		float now = (float) (off > limit);

		/* Flicker is counted against the undamped limit, or damping would end it. */
		restless[i] += now * (1 - beyond[i]);
		beyond[i] = now;
		marks[i] = (uint8_t) (((off > damped) + (off > WEAK * damped)) & -(int) open[i]);
	}
}

/* Shares of a step towards the frame. */
typedef struct LearnRates
{
	float dt;
	float background;
	float front;
	float noise;
	float forget;
	float changed; /* luma levels from one frame to the next that are a change */
} LearnRates;

VECTORISED void
learn_each(int n, LearnRates rates, const float *restrict cells, const float *restrict previous,
		   const uint8_t *restrict kept, float *restrict mean, float *restrict deviation,
		   float *restrict restless, float *restrict still)
{
	for (int i = 0; i < n; i++)
	{
		float off = cells[i] - mean[i];
		float changing = (float) (fabsf(cells[i] - previous[i]) > rates.changed);
		float behind = (float) (kept[i] == MARK_NONE);
		float settled = maxf((float) (still[i] > STILL_S), behind);
		float spread = minf(fabsf(off), DEVIATION_MAX) - deviation[i];

		/* Who passes a parked car does not make it move. */
		still[i] = (1 - behind) * maxf(still[i] + rates.dt * (1 - 3 * changing), 0);
		mean[i] += (settled * rates.background + (1 - settled) * rates.front) * off;
		deviation[i] = maxf(deviation[i] + behind * rates.noise * spread, DEVIATION_MIN);
		restless[i] *= rates.forget;
	}
}

/* Mark every cell that is not masked.  Returns the fraction of these marked strong. */
static float
mark_cells(Motion *motion, float threshold)
{
	int n = motion->grid.columns * motion->grid.rows;
	int count = 0;

	mark_each(n, threshold, motion->grid.cells, motion->mean, motion->deviation, motion->open,
			  motion->restless, motion->beyond, motion->marks);
	for (int i = 0; i < n; i++)
		count += motion->marks[i] == MARK_STRONG;
	return (float) count / (motion->nopen > 0 ? motion->nopen : 1);
}

/* Let the background follow the frame, slowly where something is in front of it. */
static void
learn(Motion *motion, float dt, float threshold)
{
	/* Frames far apart: it must not be further behind the daylight for that. */
	float tau = maxf(BACKGROUND_TAU - dt / 2, dt / 4);
	LearnRates rates = {.dt = dt,
						.background = rate(dt, tau),
						.front = rate(dt, FRONT_TAU),
						.noise = rate(dt, DEVIATION_TAU),
						.forget = 1 - rate(minf(dt, RESTLESS_STEP_S), RESTLESS_TAU),
						.changed = WEAK * threshold};

	learn_each(motion->grid.columns * motion->grid.rows, rates, motion->grid.cells,
			   motion->previous, motion->kept, motion->mean, motion->deviation, motion->restless,
			   motion->still);
}

/* One frame of learning the background from nothing. */
static void
calibrate(Motion *motion, float dt, int64_t at_us, float differing)
{
	float share = rate(dt, CALIBRATION_TAU);
	int n = motion->grid.columns * motion->grid.rows;
	int64_t elapsed = at_us - motion->calibrating_since_us;

	for (int i = 0; i < n; i++)
	{
		float off = motion->grid.cells[i] - motion->mean[i];
		float spread = minf(fabsf(off), DEVIATION_MAX) - motion->deviation[i];

		motion->mean[i] += share * off;
		motion->deviation[i] += share * spread;
		motion->restless[i] = 0;
	}
	motion->calibration_frames++;
	if (elapsed >= CALIBRATION_MAX_US ||
		(elapsed >= CALIBRATION_US && motion->calibration_frames >= CALIBRATION_FRAMES &&
		 differing < CALIBRATED))
		motion->calibrating = false;
}

/* Has the scene itself changed: a cut, a lamp, a camera turned. */
static bool
scene_changed(Motion *motion, float differing, int64_t at_us)
{
	if (differing < CHANGED)
		motion->changed_since_us = -1;
	else if (motion->changed_since_us < 0)
		motion->changed_since_us = at_us;

	if (motion->changed_since_us >= 0 && at_us - motion->changed_since_us >= CHANGED_US)
		return true;
	return differing >= CUT && differing - motion->differing >= CUT_STEP;
}

static void
hold_active(Motion *motion, const MotionResult *result, int64_t at_us)
{
	if (result->nclusters > 0)
	{
		motion->active = true;
		motion->moved_us = at_us;
	}
	else if (at_us - motion->moved_us >= HOLD_US)
		motion->active = false;
}

static void
judge_frame(Motion *motion, int64_t at_us, MotionResult *result)
{
	float dt = (float) (at_us - motion->at_us) / 1e6f;
	float threshold;
	float differing;

	compensate_gain(motion);
	threshold = motion->settings.threshold * contrast(motion);
	differing = mark_cells(motion, threshold);

	if (motion->calibrating)
		calibrate(motion, dt, at_us, differing);
	else if (scene_changed(motion, differing, at_us))
		start_calibration(motion, at_us);
	else
	{
		keep_supported(&motion->grid, motion->marks, motion->kept);
		find_clusters(&motion->grid, motion->kept, motion->settings.min_area, motion->marks,
					  motion->stack, result);
		learn(motion, dt, threshold);
		hold_active(motion, result, at_us);
		motion->differing = differing;
	}
}

int
motion_update(Motion *motion, const AVFrame *frame, int64_t at_us, MotionResult *result)
{
	LumaGrid *grid = &motion->grid;
	int filled;

	memset(result, 0, sizeof(*result));
	filled = luma_grid_fill(grid, frame);
	if (filled < 0)
		return -1;
	if (filled == 1 || motion->mean == NULL)
	{
		motion->known = false;
		if (!allocate_cells(motion))
		{
			free_cells(motion);
			return -1;
		}
		open_cells(motion);
	}

	if (!motion->known || at_us < motion->at_us || at_us - motion->at_us > GAP_US)
		start_calibration(motion, at_us);
	else
		judge_frame(motion, at_us, result);

	memcpy(motion->previous, grid->cells, (size_t) grid->columns * grid->rows * sizeof(float));
	motion->at_us = at_us;
	result->calibrating = motion->calibrating;
	result->active = motion->active;
	return 0;
}
