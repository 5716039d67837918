/*
 * detector_decode.h
 *		From a model's outputs to objects: one decode for each kind of model.
 */
#ifndef CCTV_DETECTOR_DECODE_H
#define CCTV_DETECTOR_DECODE_H

#include "detector.h"
#include "preprocess.h"
#include "tensor.h"

#define CANDIDATES_MAX 1024

/* Objects before suppression; their boxes are in fractions of the model's input. */
typedef struct Candidates
{
	int			count;
	Object		items[CANDIDATES_MAX];
}			Candidates;

/* Add one; when full, the worse half makes room.  Boxes that are not finite are dropped. */
extern void candidates_add(Candidates *candidates, const Object *object);

/* The output of that name, or NULL. */
extern const Tensor *find_output(const Tensor *outputs, int noutputs, const char *name);

typedef struct DecodeKind
{
	const char *name;			/* as in cctv.models.kind */
	InputStyle	input;

	/*
	 * Add every object of at least min_confidence.  Returns 0, or -1 with a
	 * reason in error when the outputs are not those of this kind with nlabels
	 * labels; they are checked on every call, as dynamic shapes may change.
	 */
	int			(*decode) (const Tensor *outputs, int noutputs, int nlabels, float min_confidence,
						   Candidates *candidates, char *error, size_t error_size);
}			DecodeKind;

extern const DecodeKind decode_efficientdet;
extern const DecodeKind decode_ultraface;

#endif							/* CCTV_DETECTOR_DECODE_H */
