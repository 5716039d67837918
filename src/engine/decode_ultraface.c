/*
 * decode_ultraface.c
 *		UltraFace (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB", 2019).
 *
 * scores [1, N, 2]: nothing, face; boxes [1, N, 4]: xmin, ymin, xmax, ymax in
 * fractions of the input, into which the picture was stretched.
 */
#include "detector_decode.h"

#include <stdio.h>

static int
decode(const Tensor *outputs, int noutputs, int nlabels, float min_confidence,
	   Candidates *candidates, char *error, size_t error_size)
{
	const Tensor *boxes = find_output(outputs, noutputs, "boxes");
	const Tensor *scores = find_output(outputs, noutputs, "scores");

	if (boxes == NULL || scores == NULL || boxes->ndims != 3 || scores->ndims != 3 ||
		boxes->dims[0] != 1 || scores->dims[0] != 1 || boxes->dims[1] != scores->dims[1] ||
		boxes->dims[2] != 4 || scores->dims[2] != 2)
	{
		snprintf(error, error_size,
				 "an ultraface model has outputs boxes [1, N, 4] and scores [1, N, 2]");
		return -1;
	}
	if (nlabels != 1)
	{
		snprintf(error, error_size, "an ultraface model has one label, but %d are named", nlabels);
		return -1;
	}

	for (int64_t i = 0; i < boxes->dims[1]; i++)
	{
		const float *box = boxes->data + i * 4;
		Object object;

		object.label = 0;
		object.confidence = scores->data[i * 2 + 1];
		if (!(object.confidence >= min_confidence))
			continue;
		object.box.x = box[0];
		object.box.y = box[1];
		object.box.w = box[2] - box[0];
		object.box.h = box[3] - box[1];
		candidates_add(candidates, &object);
	}
	return 0;
}

const DecodeKind decode_ultraface = {
	.name = "ultraface",
	.input = {.fit = FIT_STRETCH, .mean = 127, .scale = 1 / 128.0f},
	.decode = decode,
};
