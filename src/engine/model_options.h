/*
 * model_options.h
 *		What the row of a model may set besides its labels and thresholds:
 *		cctv.models.options.
 */
#ifndef CCTV_MODEL_OPTIONS_H
#define CCTV_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor.h"

#ifdef __cplusplus
extern "C"
{
#endif

#define OPTION_TEXT 64

	/* Which options a kind takes. */
	typedef enum OptionFamily
	{
		OPTIONS_ALL = 1 << 0, /* taken by every kind */
		OPTIONS_TENSOR = 1 << 1,
		OPTIONS_CLASSIFIER = 1 << 2,
		OPTIONS_SSD = 1 << 3,
		OPTIONS_CASCADE = 1 << 4,
		OPTIONS_HOG = 1 << 5,
		OPTIONS_HOTSPOT = 1 << 6
	} OptionFamily;

	/* From a classifier's numbers to probabilities. */
	typedef enum Activation
	{
		ACTIVATION_AUTO, /* softmax, unless they are probabilities already */
		ACTIVATION_NONE,
		ACTIVATION_SOFTMAX,
		ACTIVATION_SIGMOID
	} Activation;

	/* Members of four bytes and text only, so that equal ones are equal byte for byte. */
	typedef struct ModelOptions
	{
		/* Of every kind. */
		char within[OPTION_TEXT]; /* search in objects of this label, if another model finds it */
		float interval;		/* search at least every so many seconds, though nothing moves; 0: no */
		float min_duration; /* seconds for which an object must be seen before it counts */

		/* Of kinds with tensors: what the network wants to see. */
		InputStyle input;

		/* classifier: the label that stands for nothing to be told, "" if there is none. */
		char background[OPTION_TEXT];
		Activation activation;

		/* ssd: whether class 0 is the background, and the first label class 1. */
		int background_class;

		/* cascade and hog; sizes in pixels of the model's input. */
		float scale_factor;
		int min_neighbors;
		int min_size;
		float min_aspect; /* width by height */
		float max_aspect;
		float hit_threshold;
		float group_threshold;
		int win_stride;

		/* hotspot; levels are 0 (black) to 255 (white). */
		float threshold; /* level from which it is hot; 0: none */
		float contrast;	 /* levels above the surroundings from which it is hot; 0: none */
		float min_area;	 /* fraction of the picture */
		int has_temperatures;
		float temperatures[2][2]; /* two points of the linear scale: level, temperature */
		float min_temperature;	  /* stands for threshold, if there is a scale */
		int has_min_temperature;
	} ModelOptions;

	/* The defaults of a kind; of an unknown one, those of every kind. */
	extern ModelOptions model_options_default(const char *kind);

	/*
 * The defaults, changed by a JSON object (NULL: by nothing).  Returns false and
 * a one-line reason for an option that the kind does not take, or a bad value.
 */
	struct json_t;
	extern bool model_options_read(const struct json_t *object, const char *kind,
								   ModelOptions *options, char *error, size_t error_size);

	extern bool model_options_equal(const ModelOptions *a, const ModelOptions *b);

#ifdef __cplusplus
}
#endif

#endif /* CCTV_MODEL_OPTIONS_H */
