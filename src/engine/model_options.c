/*
 * model_options.c
 *		Reading and checking the options of a model.
 */
#include "model_options.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "detector_decode.h"
#include "detector_kind.h"

typedef enum ValueType
{
	VALUE_NUMBER,	/* float */
	VALUE_WHOLE,	/* int */
	VALUE_BOOLEAN,	/* int */
	VALUE_TEXT,		/* char[OPTION_TEXT] */
	VALUE_CHOICE,	/* int: an index into choices */
	VALUE_CHANNELS, /* float[3]: one number for all, or one for each */
	VALUE_POINTS	/* float[2][2]; notes at flag that it was given */
} ValueType;

typedef struct OptionRule
{
	const char *name;
	unsigned families;
	ValueType type;
	size_t offset;
	double min;
	double max;
	const char *const *choices;
	size_t flag; /* int that says that the option is given; 0: none */
} OptionRule;

static const char *const FITS[] = {"letterbox", "letterbox_centred", "stretch", NULL};
static const char *const COLOURS[] = {"rgb", "bgr", NULL};
static const char *const ACTIVATIONS[] = {"auto", "none", "softmax", "sigmoid", NULL};

#define AT(member) offsetof(ModelOptions, member)
#define SEARCHES (OPTIONS_CASCADE | OPTIONS_HOG)

static const OptionRule RULES[] = {
	{"within", OPTIONS_ALL, VALUE_TEXT, AT(within), .max = OPTION_TEXT - 1},
	{"interval", OPTIONS_ALL, VALUE_NUMBER, AT(interval), .min = 0, .max = 3600},
	{"min_duration", OPTIONS_ALL, VALUE_NUMBER, AT(min_duration), .min = 0, .max = 3600},
	{"fit", OPTIONS_TENSOR, VALUE_CHOICE, AT(input.fit), .choices = FITS},
	{"pad", OPTIONS_TENSOR, VALUE_WHOLE, AT(input.pad), .min = 0, .max = 255},
	{"color", OPTIONS_TENSOR, VALUE_CHOICE, AT(input.bgr), .choices = COLOURS},
	{"mean", OPTIONS_TENSOR, VALUE_CHANNELS, AT(input.mean), .min = -1000, .max = 1000},
	{"scale", OPTIONS_TENSOR, VALUE_CHANNELS, AT(input.scale), .min = 1e-6, .max = 1000},
	{"background", OPTIONS_CLASSIFIER, VALUE_TEXT, AT(background), .max = OPTION_TEXT - 1},
	{"activation", OPTIONS_CLASSIFIER, VALUE_CHOICE, AT(activation), .choices = ACTIVATIONS},
	{"background_class", OPTIONS_SSD, VALUE_BOOLEAN, AT(background_class), .max = 1},
	{"scale_factor", SEARCHES, VALUE_NUMBER, AT(scale_factor), .min = 1.01, .max = 4},
	{"min_neighbors", OPTIONS_CASCADE, VALUE_WHOLE, AT(min_neighbors), .min = 1, .max = 100},
	{"min_size", OPTIONS_CASCADE, VALUE_WHOLE, AT(min_size), .min = 1, .max = 4096},
	{"min_aspect", SEARCHES, VALUE_NUMBER, AT(min_aspect), .min = 0, .max = 100},
	{"max_aspect", SEARCHES, VALUE_NUMBER, AT(max_aspect), .min = 0, .max = 100},
	{"hit_threshold", OPTIONS_HOG, VALUE_NUMBER, AT(hit_threshold), .min = -10, .max = 10},
	{"group_threshold", OPTIONS_HOG, VALUE_NUMBER, AT(group_threshold), .min = 0, .max = 100},
	{"win_stride", OPTIONS_HOG, VALUE_WHOLE, AT(win_stride), .min = 4, .max = 64},
	{"threshold", OPTIONS_HOTSPOT, VALUE_NUMBER, AT(threshold), .min = 0, .max = 255},
	{"contrast", OPTIONS_HOTSPOT, VALUE_NUMBER, AT(contrast), .min = 0, .max = 255},
	{"min_area", OPTIONS_HOTSPOT, VALUE_NUMBER, AT(min_area), .min = 0, .max = 1},
	{"temperatures", OPTIONS_HOTSPOT, VALUE_POINTS, AT(temperatures), .min = -10000, .max = 10000,
	 .flag = AT(has_temperatures)},
	{"min_temperature", OPTIONS_HOTSPOT, VALUE_NUMBER, AT(min_temperature), .min = -10000,
	 .max = 10000, .flag = AT(has_min_temperature)},
};

#define NRULES (sizeof(RULES) / sizeof(RULES[0]))

ModelOptions
model_options_default(const char *kind)
{
	const DecodeKind *decode = find_decode_kind(kind);
	const KindTraits *traits = find_kind_traits(kind);
	ModelOptions options;

	memset(&options, 0, sizeof(options));
	if (traits == NULL)
		return options;
	if (decode != NULL)
		options.input = decode->input;
	if (traits->faces)
		snprintf(options.within, sizeof(options.within), "person");
	options.background_class = 1;
	if (traits->options & OPTIONS_CASCADE)
	{
		options.scale_factor = 1.1f;
		options.min_neighbors = 6;
		options.min_size = 40;
		options.min_aspect = 0.6f;
		options.max_aspect = 1.4f;
	}
	if (traits->options & OPTIONS_HOG)
	{
		options.scale_factor = 1.05f;
		options.group_threshold = 2;
		options.win_stride = 8;
		options.max_aspect = 1;
	}
	if (traits->options & OPTIONS_HOTSPOT)
	{
		options.interval = 1;
		options.threshold = 230;
		options.min_area = 0.0005f;
	}
	return options;
}

static bool
is_number_between(const json_t *value, double min, double max)
{
	return json_is_number(value) && json_number_value(value) >= min &&
		   json_number_value(value) <= max;
}

static bool
read_number(const OptionRule *rule, const json_t *value, float *number)
{
	if (!is_number_between(value, rule->min, rule->max))
		return false;
	*number = (float) json_number_value(value);
	return true;
}

static bool
read_whole(const OptionRule *rule, const json_t *value, int *number)
{
	if (!json_is_integer(value) || !is_number_between(value, rule->min, rule->max))
		return false;
	*number = (int) json_integer_value(value);
	return true;
}

static bool
read_text(const json_t *value, char *text)
{
	if (!json_is_string(value) || json_string_length(value) >= OPTION_TEXT)
		return false;
	memset(text, 0, OPTION_TEXT);
	memcpy(text, json_string_value(value), json_string_length(value));
	return true;
}

static bool
read_choice(const OptionRule *rule, const json_t *value, int *choice)
{
	if (!json_is_string(value))
		return false;
	for (int i = 0; rule->choices[i] != NULL; i++)
		if (strcmp(rule->choices[i], json_string_value(value)) == 0)
		{
			*choice = i;
			return true;
		}
	return false;
}

static bool
read_channels(const OptionRule *rule, const json_t *value, float *channels)
{
	for (size_t i = 0; i < 3; i++)
	{
		const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

		if (!read_number(rule, item, &channels[i]))
			return false;
	}
	return !json_is_array(value) || json_array_size(value) == 3;
}

static bool
read_points(const OptionRule *rule, const json_t *value, float (*points)[2])
{
	for (size_t i = 0; i < 2; i++)
	{
		const json_t *point = json_array_get(value, i);

		if (json_array_size(point) != 2 || !is_number_between(json_array_get(point, 0), 0, 255) ||
			!read_number(rule, json_array_get(point, 1), &points[i][1]))
			return false;
		points[i][0] = (float) json_number_value(json_array_get(point, 0));
	}
	return json_array_size(value) == 2 && points[0][0] != points[1][0];
}

static bool
read_value(const OptionRule *rule, const json_t *value, ModelOptions *options)
{
	void *member = (char *) options + rule->offset;

	switch (rule->type)
	{
		case VALUE_NUMBER:
			return read_number(rule, value, member);
		case VALUE_WHOLE:
			return read_whole(rule, value, member);
		case VALUE_BOOLEAN:
			*(int *) member = json_is_true(value);
			return json_is_boolean(value);
		case VALUE_TEXT:
			return read_text(value, member);
		case VALUE_CHOICE:
			return read_choice(rule, value, member);
		case VALUE_CHANNELS:
			return read_channels(rule, value, member);
		case VALUE_POINTS:
			return read_points(rule, value, member);
	}
	return false;
}

/* Say what a value should have been. */
static void
explain(const OptionRule *rule, char *error, size_t error_size)
{
	int used = snprintf(error, error_size, "option %s must be ", rule->name);
	char *text = error + used;
	size_t size = error_size - used;

	switch (rule->type)
	{
		case VALUE_NUMBER:
			snprintf(text, size, "a number from %g to %g", rule->min, rule->max);
			break;
		case VALUE_WHOLE:
			snprintf(text, size, "a whole number from %g to %g", rule->min, rule->max);
			break;
		case VALUE_BOOLEAN:
			snprintf(text, size, "true or false");
			break;
		case VALUE_TEXT:
			snprintf(text, size, "a text of at most %d bytes", OPTION_TEXT - 1);
			break;
		case VALUE_CHOICE:
			for (int i = 0; rule->choices[i] != NULL; i++)
			{
				int more = snprintf(text, size, "%s%s", i > 0 ? ", " : "one of ", rule->choices[i]);

				text += more;
				size -= more;
			}
			break;
		case VALUE_CHANNELS:
			snprintf(text, size, "a number, or three, from %g to %g", rule->min, rule->max);
			break;
		case VALUE_POINTS:
			snprintf(text, size,
					 "[[level, temperature], [level, temperature]], two levels "
					 "from 0 to 255");
			break;
	}
}

static const OptionRule *
find_rule(const char *name, unsigned families)
{
	for (size_t i = 0; i < NRULES; i++)
		if (strcmp(RULES[i].name, name) == 0 && (RULES[i].families & families) != 0)
			return &RULES[i];
	return NULL;
}

/* What only makes sense together. */
static bool
check_together(ModelOptions *options, char *error, size_t error_size)
{
	if (options->min_aspect > options->max_aspect)
		snprintf(error, error_size, "option min_aspect is above max_aspect");
	else if (options->has_min_temperature && !options->has_temperatures)
		snprintf(error, error_size, "option min_temperature needs temperatures");
	else if (options->has_temperatures &&
			 (options->temperatures[1][0] - options->temperatures[0][0]) *
					 (options->temperatures[1][1] - options->temperatures[0][1]) <=
				 0)
		snprintf(error, error_size, "option temperatures must rise with the level");
	else if (options->win_stride % 4 != 0)
		snprintf(error, error_size, "option win_stride must be a multiple of 4");
	else
		return true;
	return false;
}

bool
model_options_read(const json_t *object, const char *kind, ModelOptions *options, char *error,
				   size_t error_size)
{
	const KindTraits *traits = find_kind_traits(kind);
	const char *name;
	json_t *value;

	*options = model_options_default(kind);
	if (object == NULL || json_is_null(object) || traits == NULL)
		return true;
	if (!json_is_object(object))
	{
		snprintf(error, error_size, "options must be an object");
		return false;
	}
	json_object_foreach((json_t *) object, name, value)
	{
		const OptionRule *rule = find_rule(name, traits->options | OPTIONS_ALL);

		if (rule == NULL)
		{
			snprintf(error, error_size, "kind %s takes no option \"%.64s\"", kind, name);
			return false;
		}
		if (!read_value(rule, value, options))
		{
			explain(rule, error, error_size);
			return false;
		}
		if (rule->flag != 0)
			*(int *) ((char *) options + rule->flag) = 1;
	}
	return check_together(options, error, error_size);
}

bool
model_options_equal(const ModelOptions *a, const ModelOptions *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
