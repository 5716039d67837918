/*
 * tensor.h
 *		What goes into a model and what comes out.
 *
 * Needs no media header, so that C++ may include it.
 */
#ifndef CCTV_TENSOR_H
#define CCTV_TENSOR_H

#include <stdint.h>

#define TENSOR_MAX_DIMS 6

typedef enum TensorLayout
{
	TENSOR_FLOAT_NCHW,			/* [1, 3, height, width], as the kind's style says */
	TENSOR_UINT8_NHWC			/* [1, height, width, 3], plain levels */
}			TensorLayout;

/* The one input of a model. */
typedef struct InputShape
{
	TensorLayout layout;
	int			width;
	int			height;
}			InputShape;

/* One output, owned by whoever ran the model. */
typedef struct Tensor
{
	const char *name;
	int			ndims;
	int64_t		dims[TENSOR_MAX_DIMS];
	const float *data;
}			Tensor;

#endif							/* CCTV_TENSOR_H */
