/*
 * decode_ssd.c
 *		SSD (Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016) with its
 *		anchors already applied, in the three shapes that exporters give it.
 *
 *   DetectionOutput  one output [1, 1, N, 7]: picture, class, score and xmin,
 *                    ymin, xmax, ymax (Caffe, OpenVINO)
 *   TensorFlow       detection_boxes [1, N, 4] as ymin, xmin, ymax, xmax,
 *                    detection_scores [1, N], detection_classes [1, N]
 *   PyTorch          scores [1, N, classes], boxes [1, N, 4] as xmin, ymin, xmax,
 *                    ymax
 *
 * Boxes are fractions of the input.  Class 0 is the background, and the first
 * label class 1, unless the option background_class is false.
 */
#include "detector_decode.h"

#include <math.h>
#include <stdio.h>

/* Row: the class as a number, the score, and where. */
static void
add(Candidates *candidates, const DecodeRequest *request, float class, float score, float left,
	float top, float right, float bottom)
{
	Object object = {.confidence = score};
	float label = class - (request->options->background_class ? 1 : 0);

	if (!(score >= request->min_confidence) || !(label >= 0) || label >= request->nlabels)
		return;
	object.label = (int) lroundf(label);
	if (object.label >= request->nlabels)
		return;
	object.box.x = left;
	object.box.y = top;
	object.box.w = right - left;
	object.box.h = bottom - top;
	candidates_add(candidates, &object);
}

static void
decode_rows(const Tensor *rows, const DecodeRequest *request, Candidates *candidates)
{
	for (int64_t i = 0; i < rows->dims[2]; i++)
	{
		const float *row = rows->data + i * 7;

		/* A picture of -1 ends the list. */
		if (row[0] < 0)
			break;
		add(candidates, request, row[1], row[2], row[3], row[4], row[5], row[6]);
	}
}

static int
decode_tensorflow(const Tensor *outputs, int noutputs, const DecodeRequest *request,
				  Candidates *candidates, char *error, size_t error_size)
{
	const Tensor *boxes = need_output(outputs, noutputs, "detection_boxes", 3,
									  (const int64_t[]){1, 0, 4}, error, error_size);
	const Tensor *scores = NULL;
	const Tensor *classes = NULL;

	if (boxes != NULL)
		scores = need_output(outputs, noutputs, "detection_scores", 2,
							 (const int64_t[]){1, boxes->dims[1]}, error, error_size);
	if (scores != NULL)
		classes = need_output(outputs, noutputs, "detection_classes", 2,
							  (const int64_t[]){1, boxes->dims[1]}, error, error_size);
	if (classes == NULL)
		return -1;
	for (int64_t i = 0; i < boxes->dims[1]; i++)
	{
		const float *box = boxes->data + i * 4;

		add(candidates, request, classes->data[i], scores->data[i], box[1], box[0], box[3], box[2]);
	}
	return 0;
}

static int
decode_pytorch(const Tensor *outputs, int noutputs, const DecodeRequest *request,
			   Candidates *candidates, char *error, size_t error_size)
{
	int first = request->options->background_class ? 1 : 0;
	int classes = request->nlabels + first;
	const Tensor *scores = need_output(outputs, noutputs, "scores", 3,
									   (const int64_t[]){1, 0, classes}, error, error_size);
	const Tensor *boxes = NULL;

	if (scores != NULL)
		boxes = need_output(outputs, noutputs, "boxes", 3, (const int64_t[]){1, scores->dims[1], 4},
							error, error_size);
	if (boxes == NULL)
		return -1;
	for (int64_t i = 0; i < boxes->dims[1]; i++)
	{
		const float *box = boxes->data + i * 4;
		const float *score = scores->data + i * classes;
		int best = first;

		for (int k = first + 1; k < classes; k++)
			if (score[k] > score[best])
				best = k;
		add(candidates, request, (float) best, score[best], box[0], box[1], box[2], box[3]);
	}
	return 0;
}

static int
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	if (noutputs == 1)
	{
		const Tensor *rows = need_output(outputs, noutputs, outputs[0].name, 4,
										 (const int64_t[]){1, 1, 0, 7}, error, error_size);

		if (rows == NULL)
			return -1;
		decode_rows(rows, request, candidates);
		return 0;
	}
	if (find_output(outputs, noutputs, "detection_boxes") != NULL)
		return decode_tensorflow(outputs, noutputs, request, candidates, error, error_size);
	return decode_pytorch(outputs, noutputs, request, candidates, error, error_size);
}

const DecodeKind decode_ssd = {
	.traits = {.name = "ssd", .options = OPTIONS_TENSOR | OPTIONS_SSD},
	.input = {.fit = FIT_STRETCH, STYLE_CHANNELS(127.5f, 1 / 127.5f)},
	.decode = decode,
};
