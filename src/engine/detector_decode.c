/*
 * detector_decode.c
 *		What decodes share: finding an output, and saying what is wrong with it.
 */
#include "detector_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHAPE_TEXT 96

const Tensor *
find_output(const Tensor *outputs, int noutputs, const char *name)
{
	for (int i = 0; i < noutputs; i++)
		if (strcmp(outputs[i].name, name) == 0)
			return &outputs[i];
	return NULL;
}

static void append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Append to a text that may be full. */
static void
append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/* "[1, N, 4]": a length of 0 is any. */
static void
append_shape(char *text, size_t size, int ndims, const int64_t *dims)
{
	append(text, size, "[");
	for (int i = 0; i < ndims; i++)
	{
		append(text, size, i > 0 ? ", " : "");
		if (dims[i] > 0)
			append(text, size, "%lld", (long long) dims[i]);
		else
			append(text, size, "N");
	}
	append(text, size, "]");
}

void
describe_tensor(const Tensor *tensor, char *text, size_t size)
{
	snprintf(text, size, "%.64s ", tensor->name);
	append_shape(text, size, tensor->ndims, tensor->dims);
}

static bool
shape_fits(const Tensor *tensor, int ndims, const int64_t *dims)
{
	if (tensor->ndims != ndims)
		return false;
	for (int i = 0; i < ndims; i++)
		if (dims[i] > 0 && tensor->dims[i] != dims[i])
			return false;
	return true;
}

const Tensor *
need_output(const Tensor *outputs, int noutputs, const char *name, int ndims, const int64_t *dims,
			char *error, size_t error_size)
{
	const Tensor *tensor = find_output(outputs, noutputs, name);
	char wanted[SHAPE_TEXT] = "";
	char found[2 * SHAPE_TEXT];

	if (tensor != NULL && shape_fits(tensor, ndims, dims))
		return tensor;
	append_shape(wanted, sizeof(wanted), ndims, dims);
	if (tensor != NULL)
	{
		describe_tensor(tensor, found, sizeof(found));
		snprintf(error, error_size, "output %s should be %s", found, wanted);
		return NULL;
	}
	snprintf(error, error_size, "there is no output %s %s, but ", name, wanted);
	for (int i = 0; i < noutputs; i++)
	{
		describe_tensor(&outputs[i], found, sizeof(found));
		append(error, error_size, "%s%s", i > 0 ? ", " : "", found);
	}
	return NULL;
}
