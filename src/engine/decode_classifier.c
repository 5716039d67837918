/*
 * decode_classifier.c
 *		A network that says what a picture shows: fire, smoke, a fight.
 *
 * One output [1, labels], of probabilities or of what a softmax or a sigmoid
 * makes them of.  The object is the whole picture, with the best label; the label
 * that stands for nothing (option background) gives none.
 */
#include "detector_decode.h"

#include <math.h>
#include <stdio.h>

/* Rounding of probabilities that should come to one. */
#define ONE_ENOUGH 0.01f

/* Are these probabilities already? */
static bool
are_probabilities(const float *scores, int n)
{
	float sum = 0;

	for (int i = 0; i < n; i++)
	{
		if (!(scores[i] >= 0 && scores[i] <= 1))
			return false;
		sum += scores[i];
	}
	/* A single label has no other to make up the rest. */
	return n == 1 || fabsf(sum - 1) <= ONE_ENOUGH;
}

static float
softmax_of(const float *scores, int n, int index)
{
	float sum = 0;

	for (int i = 0; i < n; i++)
		sum += expf(scores[i] - scores[index]);
	return 1 / sum;
}

static float
probability(const float *scores, int n, int index, Activation activation)
{
	if (activation == ACTIVATION_AUTO)
	{
		if (are_probabilities(scores, n))
			activation = ACTIVATION_NONE;
		else
			activation = n == 1 ? ACTIVATION_SIGMOID : ACTIVATION_SOFTMAX;
	}
	if (activation == ACTIVATION_SOFTMAX)
		return softmax_of(scores, n, index);
	if (activation == ACTIVATION_SIGMOID)
		return 1 / (1 + expf(-scores[index]));
	return scores[index];
}

static int
decode(const Tensor *outputs, int noutputs, const DecodeRequest *request, Candidates *candidates,
	   char *error, size_t error_size)
{
	Object object = {.box = {0, 0, 1, 1}};
	const float *scores;

	if (noutputs != 1)
	{
		snprintf(error, error_size, "a classifier has one output, but this model has %d", noutputs);
		return -1;
	}
	if (need_output(outputs, 1, outputs[0].name, 2, (const int64_t[]){1, request->nlabels}, error,
					error_size) == NULL)
		return -1;
	scores = outputs[0].data;
	for (int i = 1; i < request->nlabels; i++)
		if (scores[i] > scores[object.label])
			object.label = i;
	object.confidence =
		probability(scores, request->nlabels, object.label, request->options->activation);
	if (object.label != request->background && object.confidence >= request->min_confidence)
		candidates_add(candidates, &object);
	return 0;
}

const DecodeKind decode_classifier = {
	.traits = {.name = "classifier",
			   .options = OPTIONS_TENSOR | OPTIONS_CLASSIFIER,
			   .whole_frame = true,
			   .one_per_region = true},
	/* What networks trained on ImageNet want. */
	.input = {.fit = FIT_STRETCH,
			  .mean = {123.675f, 116.28f, 103.53f},
			  .scale = {1 / 58.395f, 1 / 57.12f, 1 / 57.375f}},
	.decode = decode,
};
