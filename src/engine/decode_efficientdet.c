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
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	int nlabels = request->nlabels;
	const Tensor *scores;
	const Tensor *boxes =
		need_output(outputs, noutputs, "boxes", 3, (const int64_t[]){1, 0, 4}, error, error_size);

	if (boxes == NULL)
		return -1;
	scores = need_output(outputs, noutputs, "scores", 3, (const int64_t[]){1, boxes->dims[1], 0},
						 error, error_size);
	if (scores == NULL)
		return -1;
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
		Object object = {0};

		for (int label = 1; label < nlabels; label++)
			if (score[label] > score[object.label])
				object.label = label;
		object.confidence = score[object.label];
		if (!(object.confidence >= request->min_confidence))
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
	.traits = {.name = "efficientdet", .options = OPTIONS_TENSOR},
	.input = {.fit = FIT_TOP_LEFT, .pad = 127, STYLE_CHANNELS(127, 1 / 128.0f)},
	.decode = decode,
};
