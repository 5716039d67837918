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

#include "luma_grid.h"

/* Time constants, in seconds. */
#define BACKGROUND_TAU 5.0f	 /* an unmoving cell follows the daylight */
#define DEVIATION_TAU 10.0f	 /* and its noise */
#define FRONT_TAU 120.0f	 /* what stands in front of it is not the background */
#define STILL_S 10.0f		 /* unless it has stood still for so long: a parked car */
#define RESTLESS_TAU 20.0f	 /* memory of flicker */
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
#define SUPPORT 3	   /* marked cells among the 3 x 3, the cell included */
#define REACH 2		   /* cells this near belong together */

typedef enum Mark
{
	MARK_NONE,
	MARK_WEAK,
	MARK_STRONG
} Mark;

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
	int *stack;		 /* for walking a cluster */

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

/* A connected set of marked cells. */
typedef struct Cluster
{
	int cells;
	int strong;
	int left;
	int top;
	int right; /* inclusive */
	int bottom;
} Cluster;

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
	free(motion->stack);
	motion->mean = motion->deviation = motion->restless = NULL;
	motion->still = motion->previous = motion->beyond = NULL;
	motion->marks = motion->kept = NULL;
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
	motion->stack = malloc(n * sizeof(int));
	return motion->mean != NULL && motion->deviation != NULL && motion->restless != NULL &&
		   motion->still != NULL && motion->previous != NULL && motion->marks != NULL &&
		   motion->kept != NULL && motion->beyond != NULL && motion->stack != NULL;
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
		if (motion->mean[i] < 16 || motion->mean[i] > 240)
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

/* Mark every cell.  Returns the fraction marked strong. */
static float
mark_cells(Motion *motion, float threshold)
{
	const float *restrict cells = motion->grid.cells;
	const float *restrict mean = motion->mean;
	const float *restrict deviation = motion->deviation;
	float *restrict restless = motion->restless;
	uint8_t *restrict marks = motion->marks;
	float *restrict beyond = motion->beyond;
	int n = motion->grid.columns * motion->grid.rows;
	int count = 0;

	for (int i = 0; i < n; i++)
	{
		float off = fabsf(cells[i] - mean[i]);
		float limit = maxf(threshold, DEVIATIONS * deviation[i]);
		float excess = maxf(restless[i] - RESTLESS_FREE, 0);
		float damped = limit * minf(1 + RESTLESS_STEP * excess, RESTLESS_MAX);
		float now = off > limit ? 1.0f : 0.0f;

		/* Flicker is counted against the undamped limit, or damping would end it. */
		restless[i] += now * (1 - beyond[i]);
		beyond[i] = now;
		marks[i] = (uint8_t) ((off > damped ? 1 : 0) + (off > WEAK * damped ? 1 : 0));
	}
	for (int i = 0; i < n; i++)
		count += marks[i] == MARK_STRONG;
	return (float) count / n;
}

/* Keep the marks that have company: noise is alone. */
static void
keep_supported(Motion *motion)
{
	int columns = motion->grid.columns;
	int rows = motion->grid.rows;
	const uint8_t *marks = motion->marks;

	memset(motion->kept, MARK_NONE, (size_t) columns * rows);
	for (int y = 0; y < rows; y++)
		for (int x = 0; x < columns; x++)
		{
			int support = 0;

			if (marks[y * columns + x] == MARK_NONE)
				continue;
			for (int j = y > 0 ? y - 1 : 0; j <= y + 1 && j < rows; j++)
				for (int i = x > 0 ? x - 1 : 0; i <= x + 1 && i < columns; i++)
					support += marks[j * columns + i] != MARK_NONE;
			if (support >= SUPPORT)
				motion->kept[y * columns + x] = marks[y * columns + x];
		}
}

/* Walk the cluster that contains a cell, clearing its marks in visited. */
static Cluster
walk_cluster(Motion *motion, uint8_t *visited, int start)
{
	int columns = motion->grid.columns;
	int rows = motion->grid.rows;
	Cluster cluster = {0, 0, columns, rows, -1, -1};
	int depth = 0;

	motion->stack[depth++] = start;
	visited[start] = MARK_NONE;
	while (depth > 0)
	{
		int cell = motion->stack[--depth];
		int x = cell % columns;
		int y = cell / columns;

		cluster.cells++;
		cluster.strong += motion->kept[cell] == MARK_STRONG;
		cluster.left = x < cluster.left ? x : cluster.left;
		cluster.right = x > cluster.right ? x : cluster.right;
		cluster.top = y < cluster.top ? y : cluster.top;
		cluster.bottom = y > cluster.bottom ? y : cluster.bottom;
		for (int j = y > REACH ? y - REACH : 0; j <= y + REACH && j < rows; j++)
			for (int i = x > REACH ? x - REACH : 0; i <= x + REACH && i < columns; i++)
				if (visited[j * columns + i] != MARK_NONE)
				{
					visited[j * columns + i] = MARK_NONE;
					motion->stack[depth++] = j * columns + i;
				}
	}
	return cluster;
}

static Box
cluster_box(const LumaGrid *grid, const Cluster *cluster)
{
	PixelRect rect;
	Box box;

	rect.x = cluster->left * grid->cell;
	rect.y = cluster->top * grid->cell;
	rect.w = (cluster->right + 1 - cluster->left) * grid->cell;
	rect.h = (cluster->bottom + 1 - cluster->top) * grid->cell;
	box = box_from_rect(&rect, grid->width, grid->height);
	return box_clip(&box);
}

/* Put a cluster in its place, largest first; what no longer fits widens the last. */
static void
add_cluster(MotionResult *result, int *sizes, Box box, int size)
{
	int at = result->nclusters;

	if (at == MOTION_MAX_CLUSTERS)
	{
		Box *last = &result->clusters[--at];

		if (sizes[at] >= size)
		{
			*last = box_union(last, &box);
			return;
		}
		box = box_union(last, &box);
		result->nclusters--;
	}
	while (at > 0 && sizes[at - 1] < size)
	{
		result->clusters[at] = result->clusters[at - 1];
		sizes[at] = sizes[at - 1];
		at--;
	}
	result->clusters[at] = box;
	sizes[at] = size;
	result->nclusters++;
}

static void
find_clusters(Motion *motion, MotionResult *result)
{
	int n = motion->grid.columns * motion->grid.rows;
	float min_cells = maxf(motion->settings.min_area * n, SUPPORT);
	uint8_t *visited = motion->marks; /* no longer needed as marks */
	int sizes[MOTION_MAX_CLUSTERS];
	int moving = 0;

	keep_supported(motion);
	memcpy(visited, motion->kept, n);
	for (int i = 0; i < n; i++)
	{
		Cluster cluster;

		if (visited[i] != MARK_STRONG)
			continue;
		cluster = walk_cluster(motion, visited, i);
		if (cluster.cells < min_cells)
			continue;
		moving += cluster.cells;
		add_cluster(result, sizes, cluster_box(&motion->grid, &cluster), cluster.cells);
	}
	result->area = (float) moving / n;
}

/* Let the background follow the frame, slowly where something is in front of it. */
static void
learn(Motion *motion, float dt, float threshold)
{
	const float *restrict cells = motion->grid.cells;
	const float *restrict previous = motion->previous;
	const uint8_t *restrict kept = motion->kept;
	float *restrict mean = motion->mean;
	float *restrict deviation = motion->deviation;
	float *restrict restless = motion->restless;
	float *restrict still = motion->still;
	float background = rate(dt, BACKGROUND_TAU);
	float front = rate(dt, FRONT_TAU);
	float noise = rate(dt, DEVIATION_TAU);
	float forget = 1 - rate(dt, RESTLESS_TAU);
	int n = motion->grid.columns * motion->grid.rows;

	for (int i = 0; i < n; i++)
	{
		float off = cells[i] - mean[i];
		float changing = fabsf(cells[i] - previous[i]) > WEAK * threshold ? 1.0f : 0.0f;
		float behind = kept[i] == MARK_NONE ? 1.0f : 0.0f;
		float settled = still[i] > STILL_S ? 1.0f : behind;
		float spread = minf(fabsf(off), DEVIATION_MAX) - deviation[i];

		/* Who passes a parked car does not make it move. */
		still[i] = (1 - behind) * maxf(still[i] + dt * (1 - 3 * changing), 0);
		mean[i] += (settled * background + (1 - settled) * front) * off;
		deviation[i] = maxf(deviation[i] + behind * noise * spread, DEVIATION_MIN);
		restless[i] *= forget;
	}
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
		find_clusters(motion, result);
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
