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
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	const Tensor *scores;
	const Tensor *boxes =
		need_output(outputs, noutputs, "boxes", 3, (const int64_t[]){1, 0, 4}, error, error_size);

	if (boxes == NULL)
		return -1;
	scores = need_output(outputs, noutputs, "scores", 3, (const int64_t[]){1, boxes->dims[1], 2},
						 error, error_size);
	if (scores == NULL)
		return -1;
	if (request->nlabels != 1)
	{
		snprintf(error, error_size, "an ultraface model has one label, but %d are named",
				 request->nlabels);
		return -1;
	}

	for (int64_t i = 0; i < boxes->dims[1]; i++)
	{
		const float *box = boxes->data + i * 4;
		Object object = {0};

		object.confidence = scores->data[i * 2 + 1];
		if (!(object.confidence >= request->min_confidence))
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
	.traits = {.name = "ultraface", .options = OPTIONS_TENSOR, .faces = true},
	.input = {.fit = FIT_STRETCH, STYLE_CHANNELS(127, 1 / 128.0f)},
	.decode = decode,
};
