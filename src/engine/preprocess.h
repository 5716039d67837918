/*
 * preprocess.h
 *		From a region of a decoded frame to a model's input tensor.
 */
#ifndef CCTV_PREPROCESS_H
#define CCTV_PREPROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <libavutil/frame.h>

#include "geometry.h"
#include "tensor.h"

/* Where the picture lies in the input, in pixels of the input. */
typedef struct Letterbox
{
	int x;
	int y;
	int w;
	int h;
} Letterbox;

extern Letterbox letterbox_fit(int width, int height, int input_width, int input_height, Fit fit);

/* A box in fractions of the input, as one in fractions of the frame, clipped to the region. */
extern Box letterbox_to_frame(const Letterbox *letterbox, const InputShape *shape, const Box *box,
							  const PixelRect *region, int frame_width, int frame_height);

/* Scalers and buffers of one thread. */
typedef struct Preprocessor Preprocessor;

extern Preprocessor *preprocessor_create(void); /* NULL: out of memory */
extern void preprocessor_free(Preprocessor *preprocessor);

/*
 * Crop, scale, letterbox and convert colour, in one pass over the frame's
 * planes.  Returns the tensor, of the given shape and valid until the next
 * call, or NULL with a reason in error: a format that swscale does not read,
 * or no memory.
 */
extern const void *preprocess(Preprocessor *preprocessor, const AVFrame *frame,
							  const PixelRect *region, const InputShape *shape,
							  const InputStyle *style, Letterbox *letterbox, char *error,
							  size_t error_size);

#endif /* CCTV_PREPROCESS_H */
