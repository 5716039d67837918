/*
 * decode_efficientdet.c
 *		EfficientDet-Lite with its anchors already applied by the converter.
 *
 * boxes [1, N, 4]: ymin, xmin, ymax, xmax in fractions of the padded square;
 * scores [1, N, labels], after the sigmoid.
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
		boxes->dims[2] != 4)
	{
		snprintf(error, error_size,
				 "an efficientdet model has outputs boxes [1, N, 4] and scores [1, N, labels]");
		return -1;
	}
	if (scores->dims[2] != nlabels)
	{
		snprintf(error, error_size, "the model scores %lld labels, but %d are named",
				 (long long) scores->dims[2], nlabels);
		return -1;
	}

	for (int64_t i = 0; i < boxes->dims[1]; i++)
	{
		const float *score = scores->data + i * nlabels;
		const float *box = boxes->data + i * 4;
		Object object;

		object.label = 0;
		for (int label = 1; label < nlabels; label++)
			if (score[label] > score[object.label])
				object.label = label;
		object.confidence = score[object.label];
		if (!(object.confidence >= min_confidence))
			continue;
		object.box.x = box[1];
		object.box.y = box[0];
		object.box.w = box[3] - box[1];
		object.box.h = box[2] - box[0];
		candidates_add(candidates, &object);
	}
	return 0;
}

const DecodeKind decode_efficientdet = {
	.name = "efficientdet",
	.input = {.fit = FIT_TOP_LEFT, .pad = 127, .mean = 127, .scale = 1 / 128.0f},
	.decode = decode,
};
