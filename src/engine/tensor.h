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
	TENSOR_FLOAT_NCHW, /* [1, 3, height, width], as the style says */
	TENSOR_FLOAT_NHWC, /* [1, height, width, 3], the same */
	TENSOR_UINT8_NHWC, /* [1, height, width, 3], plain levels */
	TENSOR_UINT8_GREY  /* [height, width], plain brightness */
} TensorLayout;

/* How a region is made to fit the input. */
typedef enum Fit
{
	FIT_TOP_LEFT, /* letterbox, picture at the top left */
	FIT_CENTRED,  /* letterbox, picture in the middle */
	FIT_STRETCH	  /* aspect ratio given up */
} Fit;

/* What a network wants to see. */
typedef struct InputStyle
{
	Fit fit;
	int pad;	   /* the letterbox's bars, in levels */
	int bgr;	   /* blue first, not red */
	float mean[3]; /* a float tensor holds (level - mean) * scale, by channel */
	float scale[3];
} InputStyle;

/* A style with all channels alike. */
#define STYLE_CHANNELS(m, s) .mean = {m, m, m}, .scale = {s, s, s}

/* The one input of a model. */
typedef struct InputShape
{
	TensorLayout layout;
	int width;
	int height;
} InputShape;

/* One output, owned by whoever ran the model. */
typedef struct Tensor
{
	const char *name;
	int ndims;
	int64_t dims[TENSOR_MAX_DIMS];
	const float *data;
} Tensor;

#endif /* CCTV_TENSOR_H */
