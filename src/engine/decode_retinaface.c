/*
 * decode_retinaface.c
 *		RetinaFace with a MobileNet backbone and five landmarks (Deng et al.,
 *		"RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020),
 *		as InsightFace publishes it (mnet.25, version 2).
 *
 * Strides of 32, 16 and 8 pixels have two square anchors each at every place of
 * the grid.  With S for the stride, each has three outputs:
 *
 *   face_rpn_cls_prob_reshape_strideS  [1, 4, rows, columns]: nothing (both
 *                                      anchors), face (both anchors)
 *   face_rpn_bbox_pred_strideS         [1, 8, rows, columns]: for each anchor the
 *                                      shift of the centre in its sides, and the
 *                                      logarithms of width and height
 *   face_rpn_landmark_pred_strideS     [1, 20, rows, columns]: for each anchor
 *                                      five points x, y, from the centre in
 *                                      fifths of its side
 */
#include "detector_decode.h"

#include <math.h>
#include <stdio.h>

#define ANCHORS 2
#define LANDMARK_UNIT 0.2f
#define CENTRE 7.5f /* of the first anchor in pixels, whatever the stride */

typedef struct Level
{
	int stride;
	float sides[ANCHORS];
} Level;

static const Level LEVELS[] = {{32, {512, 256}}, {16, {128, 64}}, {8, {32, 16}}};

#define NLEVELS ((int) (sizeof(LEVELS) / sizeof(LEVELS[0])))

typedef struct LevelOutputs
{
	const float *faces;
	const float *boxes;
	const float *landmarks;
	int rows;
	int columns;
} LevelOutputs;

static const float *
level_output(const Tensor *outputs, int noutputs, const char *what, int stride, int channels,
			 const LevelOutputs *level, char *error, size_t error_size)
{
	int64_t dims[] = {1, channels, level->rows, level->columns};
	const Tensor *tensor;
	char name[64];

	snprintf(name, sizeof(name), "face_rpn_%s_stride%d", what, stride);
	tensor = need_output(outputs, noutputs, name, 4, dims, error, error_size);
	return tensor != NULL ? tensor->data : NULL;
}

static bool
find_level(const Tensor *outputs, int noutputs, const DecodeRequest *request, int stride,
		   LevelOutputs *level, char *error, size_t error_size)
{
	level->rows = (request->input_height + stride - 1) / stride;
	level->columns = (request->input_width + stride - 1) / stride;
	level->faces = level_output(outputs, noutputs, "cls_prob_reshape", stride, 2 * ANCHORS, level,
								error, error_size);
	if (level->faces == NULL)
		return false;
	level->boxes =
		level_output(outputs, noutputs, "bbox_pred", stride, 4 * ANCHORS, level, error, error_size);
	if (level->boxes == NULL)
		return false;
	level->landmarks = level_output(outputs, noutputs, "landmark_pred", stride,
									2 * ATTRIBUTES_LANDMARKS * ANCHORS, level, error, error_size);
	return level->landmarks != NULL;
}

/* The face of one anchor; place is its index in the grid, x and y its centre in pixels. */
static void
add_face(const LevelOutputs *level, const DecodeRequest *request, int anchor, float side, int place,
		 float x, float y, float confidence, Candidates *candidates)
{
	int cells = level->rows * level->columns;
	const float *box = level->boxes + 4 * anchor * cells + place;
	const float *points = level->landmarks + 2 * ATTRIBUTES_LANDMARKS * anchor * cells + place;
	float width = expf(box[2 * cells]) * side;
	float height = expf(box[3 * cells]) * side;
	Object face = {.confidence = confidence, .attributes.has_landmarks = true};

	face.box.x = (x + box[0] * side - width / 2) / request->input_width;
	face.box.y = (y + box[cells] * side - height / 2) / request->input_height;
	face.box.w = width / request->input_width;
	face.box.h = height / request->input_height;
	for (int i = 0; i < ATTRIBUTES_LANDMARKS; i++)
	{
		float right = points[2 * i * cells] * LANDMARK_UNIT * side;
		float down = points[(2 * i + 1) * cells] * LANDMARK_UNIT * side;

		face.attributes.landmarks[i][0] = (x + right) / request->input_width;
		face.attributes.landmarks[i][1] = (y + down) / request->input_height;
	}
	candidates_add(candidates, &face);
}

static void
decode_level(const LevelOutputs *level, const Level *anchors, const DecodeRequest *request,
			 Candidates *candidates)
{
	int cells = level->rows * level->columns;

	for (int anchor = 0; anchor < ANCHORS; anchor++)
	{
		const float *scores = level->faces + (ANCHORS + anchor) * cells;

		for (int place = 0; place < cells; place++)
			if (scores[place] >= request->min_confidence)
				add_face(level, request, anchor, anchors->sides[anchor], place,
						 CENTRE + (float) (place % level->columns * anchors->stride),
						 CENTRE + (float) (place / level->columns * anchors->stride), scores[place],
						 candidates);
	}
}

static int
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	LevelOutputs levels[NLEVELS];

	if (request->nlabels != 1)
	{
		snprintf(error, error_size, "a retinaface model has one label, but %d are named",
				 request->nlabels);
		return -1;
	}
	for (int i = 0; i < NLEVELS; i++)
		if (!find_level(outputs, noutputs, request, LEVELS[i].stride, &levels[i], error,
						error_size))
			return -1;
	for (int i = 0; i < NLEVELS; i++)
		decode_level(&levels[i], &LEVELS[i], request, candidates);
	return 0;
}

const DecodeKind decode_retinaface = {
	.traits = {.name = "retinaface", .options = OPTIONS_TENSOR, .faces = true},
	.input = {.fit = FIT_TOP_LEFT, STYLE_CHANNELS(0, 1)},
	.decode = decode,
};
