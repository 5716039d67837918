/*
 * detector_backend.h
 *		A library that runs models: ONNX Runtime, or OpenCV's dnn module.
 */
#ifndef CCTV_DETECTOR_BACKEND_H
#define CCTV_DETECTOR_BACKEND_H

#include <stddef.h>

#include "tensor.h"

#ifdef __cplusplus
extern "C"
{
#endif

#define INFERENCE_MAX_OUTPUTS 16

	/* The outputs of one run, valid until they are released. */
	typedef struct Inference
	{
		int noutputs;
		Tensor outputs[INFERENCE_MAX_OUTPUTS];
		void *handle; /* the backend's own */
	} Inference;

	/* Every function that fails leaves a one-line reason in error. */
	typedef struct Backend
	{
		/*
	 * Load a model file.  shape comes with the wanted size (0 by 0: the
	 * model's own) and leaves with what the model takes.  Returns NULL on
	 * failure.  runtime gets the name and version of the library.
	 */
		void *(*open)(const char *path, InputShape *shape, char *runtime, size_t runtime_size,
					  char *error, size_t error_size);
		void (*close)(void *model);

		/* Run on one input of the model's shape; any number of threads at once.  0 or -1. */
		int (*run)(void *model, const void *input, Inference *result, char *error,
				   size_t error_size);
		void (*release)(void *model, Inference *result);

		/*
	 * Give back the memory that the busiest moment took, at the price of one
	 * run; runs may go on meanwhile.  NULL: nothing is kept between runs.
	 */
		void (*trim)(void *model);
	} Backend;

	extern const Backend backend_onnxruntime;
	extern const Backend backend_opencv;

#ifdef __cplusplus
}
#endif

#endif /* CCTV_DETECTOR_BACKEND_H */
