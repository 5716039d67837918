/*
 * detector_decode.h
 *		From a model's outputs to objects: one decode for each kind of network.
 */
#ifndef CCTV_DETECTOR_DECODE_H
#define CCTV_DETECTOR_DECODE_H

#include "candidates.h"
#include "detector_kind.h"
#include "model_options.h"
#include "tensor.h"

/* What a decode must know besides the outputs. */
typedef struct DecodeRequest
{
	int nlabels;
	float min_confidence;
	int background;	 /* the label that stands for nothing; -1: none */
	int input_width; /* of the model's input, in pixels */
	int input_height;
	const ModelOptions *options;
} DecodeRequest;

typedef struct DecodeKind
{
	KindTraits traits;
	InputStyle input; /* what it wants to see, unless options say otherwise */

	/*
	 * Add every object of at least min_confidence.  Returns 0, or -1 with a
	 * reason in error when the outputs are not those of this kind with nlabels
	 * labels; they are checked on every call, as dynamic shapes may change.
	 */
	int (*decode)(const Tensor *outputs, int noutputs, const DecodeRequest *request,
				  Candidates *candidates, char *error, size_t error_size);
} DecodeKind;

extern const DecodeKind decode_efficientdet;
extern const DecodeKind decode_yolo;
extern const DecodeKind decode_ultraface;
extern const DecodeKind decode_retinaface;
extern const DecodeKind decode_ssd;
extern const DecodeKind decode_classifier;

/* The output of that name, or NULL. */
extern const Tensor *find_output(const Tensor *outputs, int noutputs, const char *name);

/*
 * The output of that name, whose lengths must be those of dims: one of 0 may be
 * any (and is called N).  NULL with a reason that names the tensor and its shape.
 */
extern const Tensor *need_output(const Tensor *outputs, int noutputs, const char *name, int ndims,
								 const int64_t *dims, char *error, size_t error_size);

/* "boxes [1, 4420, 4]"; for messages. */
extern void describe_tensor(const Tensor *tensor, char *text, size_t size);

#endif /* CCTV_DETECTOR_DECODE_H */
