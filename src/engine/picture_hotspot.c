/*
 * picture_hotspot.c
 *		Hot spots in the picture of a thermal camera whose white is hot: connected
 *		regions above a level, or above their surroundings.
 */
#include "detector_picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_options.h"

#define WHITE 255.0f
/* The surroundings of a pixel: a square of this part of the picture's shorter side. */
#define SURROUNDINGS 0.25f

/* The level from which a pixel is hot, and how to tell temperatures. */
typedef struct Hotspot
{
	float threshold; /* above WHITE: none */
	float contrast;	 /* 0: none */
	float min_area;
	bool has_scale;
	float offset; /* temperature = offset + slope * level */
	float slope;
} Hotspot;

/* Working memory for one picture. */
typedef struct Scratch
{
	float *limits;	/* the level from which each pixel is hot */
	uint32_t *sums; /* of the pixels above and left of each corner; NULL: not needed */
	uint8_t *hot;	/* 1: hot, and not in a region yet */
	int *stack;
} Scratch;

static void *
hotspot_open(const char *path, const ModelOptions *options, char *runtime, size_t runtime_size,
			 char *error, size_t error_size)
{
	Hotspot *hotspot = calloc(1, sizeof(*hotspot));

	if (hotspot == NULL)
	{
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	hotspot->threshold = options->threshold > 0 ? options->threshold : INFINITY;
	hotspot->contrast = options->contrast;
	hotspot->min_area = options->min_area;
	hotspot->has_scale = options->has_temperatures;
	if (hotspot->has_scale)
	{
		const float *low = options->temperatures[0];
		const float *high = options->temperatures[1];

		hotspot->slope = (high[1] - low[1]) / (high[0] - low[0]);
		hotspot->offset = low[1] - hotspot->slope * low[0];
	}
	if (options->has_min_temperature)
		hotspot->threshold = (options->min_temperature - hotspot->offset) / hotspot->slope;
	if (!(hotspot->threshold <= WHITE) && hotspot->contrast <= 0)
	{
		snprintf(error, error_size,
				 "nothing is hot: give a threshold, a contrast or a "
				 "min_temperature that its levels reach");
		free(hotspot);
		return NULL;
	}
	snprintf(runtime, runtime_size, "built in");
	return hotspot;
}

static void
scratch_free(Scratch *scratch)
{
	free(scratch->limits);
	free(scratch->sums);
	free(scratch->hot);
	free(scratch->stack);
}

static bool
scratch_make(Scratch *scratch, const GreyPicture *picture, bool sums)
{
	size_t n = (size_t) picture->width * picture->height;

	*scratch = (Scratch){
		.limits = malloc(n * sizeof(float)), .hot = malloc(n), .stack = malloc(n * sizeof(int))};
	if (sums)
		scratch->sums =
			calloc((size_t) (picture->width + 1) * (picture->height + 1), sizeof(uint32_t));
	if (scratch->limits != NULL && scratch->hot != NULL && scratch->stack != NULL &&
		(!sums || scratch->sums != NULL))
		return true;
	scratch_free(scratch);
	return false;
}

/* Sums over rectangles from the corner (Crow, "Summed-area tables", SIGGRAPH 1984). */
static void
sum_pixels(const GreyPicture *picture, uint32_t *sums)
{
	int columns = picture->width + 1;

	for (int y = 0; y < picture->height; y++)
	{
		const uint8_t *row = picture->pixels + (ptrdiff_t) y * picture->stride;
		uint32_t *above = sums + (ptrdiff_t) y * columns;
		uint32_t sum = 0;

		for (int x = 0; x < picture->width; x++)
		{
			sum += row[x];
			above[columns + x + 1] = above[x + 1] + sum;
		}
	}
}

static int
clamp(int value, int high)
{
	if (value < 0)
		return 0;
	return value < high ? value : high;
}

/* The mean of the surroundings of a pixel, as far as they lie in the picture. */
static float
surroundings(const GreyPicture *picture, const uint32_t *sums, int x, int y)
{
	int shorter = picture->width < picture->height ? picture->width : picture->height;
	int reach = (int) (SURROUNDINGS / 2 * shorter) + 1;
	int columns = picture->width + 1;
	int left = clamp(x - reach, picture->width);
	int right = clamp(x + reach + 1, picture->width);
	int top = clamp(y - reach, picture->height);
	int bottom = clamp(y + reach + 1, picture->height);
	uint32_t sum = sums[bottom * columns + right] - sums[top * columns + right] -
				   sums[bottom * columns + left] + sums[top * columns + left];

	return (float) sum / (float) ((right - left) * (bottom - top));
}

static void
mark_hot(const Hotspot *hotspot, const GreyPicture *picture, Scratch *scratch)
{
	if (scratch->sums != NULL)
		sum_pixels(picture, scratch->sums);
	for (int y = 0; y < picture->height; y++)
	{
		const uint8_t *row = picture->pixels + (ptrdiff_t) y * picture->stride;

		for (int x = 0; x < picture->width; x++)
		{
			int i = y * picture->width + x;
			float limit = hotspot->threshold;

			if (scratch->sums != NULL)
				limit =
					fminf(limit, surroundings(picture, scratch->sums, x, y) + hotspot->contrast);
			scratch->limits[i] = limit;
			scratch->hot[i] = row[x] >= limit;
		}
	}
}

/* A connected set of hot pixels. */
typedef struct Region
{
	int pixels;
	int left;
	int top;
	int right; /* inclusive */
	int bottom;
	int peak;	 /* its highest level */
	float limit; /* from which that was hot */
} Region;

static void
add_pixel(Region *region, const GreyPicture *picture, const Scratch *scratch, int x, int y)
{
	int level = picture->pixels[(ptrdiff_t) y * picture->stride + x];

	region->pixels++;
	region->left = x < region->left ? x : region->left;
	region->right = x > region->right ? x : region->right;
	region->top = y < region->top ? y : region->top;
	region->bottom = y > region->bottom ? y : region->bottom;
	if (level > region->peak)
	{
		region->peak = level;
		region->limit = scratch->limits[y * picture->width + x];
	}
}

/* Walk the region of a hot pixel, clearing its marks. */
static Region
walk_region(const GreyPicture *picture, Scratch *scratch, int start)
{
	int width = picture->width;
	int height = picture->height;
	Region region = {.left = width, .top = height, .right = -1, .bottom = -1, .peak = -1};
	int depth = 0;

	scratch->stack[depth++] = start;
	scratch->hot[start] = 0;
	while (depth > 0)
	{
		int i = scratch->stack[--depth];
		int x = i % width;
		int y = i / width;

		add_pixel(&region, picture, scratch, x, y);
		for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < height; v++)
			for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < width; u++)
				if (scratch->hot[v * width + u])
				{
					scratch->hot[v * width + u] = 0;
					scratch->stack[depth++] = v * width + u;
				}
	}
	return region;
}

/* Half sure at the limit, and wholly where the picture is white. */
static float
confidence_of(const Region *region)
{
	float room = WHITE - region->limit;

	return room > 0 ? 0.5f + 0.5f * ((float) region->peak - region->limit) / room : 1;
}

static void
report_region(const Hotspot *hotspot, const GreyPicture *picture, const Region *region,
			  float min_confidence, Candidates *candidates)
{
	Object object = {.confidence = confidence_of(region)};

	if (!(object.confidence >= min_confidence))
		return;
	object.box.x = (float) region->left / picture->width;
	object.box.y = (float) region->top / picture->height;
	object.box.w = (float) (region->right + 1 - region->left) / picture->width;
	object.box.h = (float) (region->bottom + 1 - region->top) / picture->height;
	object.attributes.has_temperature = hotspot->has_scale;
	if (hotspot->has_scale)
		object.attributes.temperature = hotspot->offset + hotspot->slope * (float) region->peak;
	candidates_add(candidates, &object);
}

static int
hotspot_search(void *model, const GreyPicture *picture, float min_confidence,
			   Candidates *candidates, char *error, size_t error_size)
{
	const Hotspot *hotspot = model;
	int n = picture->width * picture->height;
	Scratch scratch;

	if (!scratch_make(&scratch, picture, hotspot->contrast > 0))
	{
		snprintf(error, error_size, "out of memory");
		return -1;
	}
	mark_hot(hotspot, picture, &scratch);
	for (int i = 0; i < n; i++)
		if (scratch.hot[i])
		{
			Region region = walk_region(picture, &scratch, i);

			if ((float) region.pixels >= hotspot->min_area * (float) n)
				report_region(hotspot, picture, &region, min_confidence, candidates);
		}
	scratch_free(&scratch);
	return 0;
}

const PictureKind picture_hotspot = {
	.traits = {.name = "hotspot", .options = OPTIONS_HOTSPOT, .whole_frame = true, .no_file = true},
	.open = hotspot_open,
	.close = free,
	.search = hotspot_search,
};
