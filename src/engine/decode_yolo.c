/*
 * decode_yolo.c
 *		YOLO as Ultralytics exports it: v5, v8, v11 and what is shaped like them.
 *
 * One output holds a box for each of N anchors: centre, width and height in
 * pixels of the input, and then what it is.
 *
 *   v8, v11  [1, 4 + labels, N]: the score of each label
 *   v5       [1, N, 5 + labels]: how sure it is of an object at all, and of
 *            each label if so
 *
 * Which of them it is, its shape says.
 */
#include "detector_decode.h"

#include <stdio.h>

/* Anchors at a time, so that scores are read along rows and their best stay in the cache. */
#define BLOCK 64

static void
add(Candidates *candidates, const DecodeRequest *request, float x, float y, float w, float h,
	float confidence, int label)
{
	Object object = {.confidence = confidence, .label = label};

	object.box.x = (x - w / 2) / request->input_width;
	object.box.y = (y - h / 2) / request->input_height;
	object.box.w = w / request->input_width;
	object.box.h = h / request->input_height;
	candidates_add(candidates, &object);
}

/* One row for each of x, y, w, h and the labels, of n anchors. */
static void
decode_rows(const float *data, int64_t n, const DecodeRequest *request, Candidates *candidates)
{
	for (int64_t start = 0; start < n; start += BLOCK)
	{
		int length = n - start < BLOCK ? (int) (n - start) : BLOCK;
		const float *at = data + start;
		float best[BLOCK];
		int labels[BLOCK] = {0};

		for (int i = 0; i < length; i++)
			best[i] = at[4 * n + i];
		for (int label = 1; label < request->nlabels; label++)
		{
			const float *scores = at + (4 + label) * n;

			for (int i = 0; i < length; i++)
			{
				bool better = scores[i] > best[i];

				best[i] = better ? scores[i] : best[i];
				labels[i] = better ? label : labels[i];
			}
		}
		for (int i = 0; i < length; i++)
			if (best[i] >= request->min_confidence)
				add(candidates, request, at[i], at[n + i], at[2 * n + i], at[3 * n + i], best[i],
					labels[i]);
	}
}

/* One column for each; n anchors. */
static void
decode_columns(const float *data, int64_t n, const DecodeRequest *request, Candidates *candidates)
{
	for (int64_t i = 0; i < n; i++, data += 5 + request->nlabels)
	{
		const float *scores = data + 5;
		int label = 0;

		if (!(data[4] >= request->min_confidence))
			continue;
		for (int k = 1; k < request->nlabels; k++)
			if (scores[k] > scores[label])
				label = k;
		if (data[4] * scores[label] >= request->min_confidence)
			add(candidates, request, data[0], data[1], data[2], data[3], data[4] * scores[label],
				label);
	}
}

static int
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	int nlabels = request->nlabels;
	char found[160];

	/* Exports of v5 may add its three scales, of five dimensions. */
	for (int i = 0; i < noutputs; i++)
	{
		const Tensor *tensor = &outputs[i];

		if (tensor->ndims != 3 || tensor->dims[0] != 1)
			continue;
		if (tensor->dims[1] == 4 + nlabels)
		{
			decode_rows(tensor->data, tensor->dims[2], request, candidates);
			return 0;
		}
		if (tensor->dims[2] == 5 + nlabels)
		{
			decode_columns(tensor->data, tensor->dims[1], request, candidates);
			return 0;
		}
	}
	if (noutputs < 1)
		snprintf(error, error_size, "the model has no output");
	else
	{
		describe_tensor(&outputs[0], found, sizeof(found));
		snprintf(error, error_size,
				 "output %s should be [1, %d, N] or [1, N, %d]: 4 or 5 and the %d labels", found,
				 4 + nlabels, 5 + nlabels, nlabels);
	}
	return -1;
}

const DecodeKind decode_yolo = {
	.traits = {.name = "yolo", .options = OPTIONS_TENSOR},
	.input = {.fit = FIT_CENTRED, .pad = 114, STYLE_CHANNELS(0, 1 / 255.0f)},
	.decode = decode,
};
