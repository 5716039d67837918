/*
 * picture.h
 *		From a frame to a JPEG that a person looks at.
 *
 * Every picture that leaves the engine begins as picture_from_frame(), or in a
 * video as video_picture_draw(): what nobody may see is hidden there.
 */
#ifndef CCTV_PICTURE_H
#define CCTV_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "draw.h"
#include "polygon.h"

/*
 * Hide parts of a frame: they are black in every picture made of it or of a
 * reference to it, while the frame itself stays as it is.  Returns 0, or -1
 * when out of memory: then nobody may see the frame.
 */
extern int picture_hide(AVFrame *frame, const PolygonList *parts);

/*
 * The frame with square pixels, in the colours that its stream means, at most
 * max_width wide (0: as wide as it is).  canvas->data is malloc'd, whatever is
 * returned.  Returns 0, or -1 when it cannot be converted or what is
 * hidden cannot be.
 */
extern int picture_from_frame(const AVFrame *frame, int max_width, Canvas *canvas);

/* What of a frame is hidden, black on a canvas of it.  Returns 0, or -1 when memory is short. */
extern int picture_black_out(const AVFrame *frame, const Canvas *canvas);

/* The size at which the frame's pixels are square, at most max_width wide (0: any). */
extern void picture_display_size(const AVFrame *frame, int max_width, int *width, int *height);

/* Does luma take all of its values, not just video's 16 to 235? */
extern bool picture_full_range(const AVFrame *frame);

/* Write the camera's name (see caption_camera), the time and a remark (NULL: none) into its corner. */
extern void picture_sign(const Canvas *canvas, const char *camera, int64_t at_us,
						 const char *remark);

/* Compress it.  *jpeg is malloc'd.  Returns 0, or -1 when memory is short. */
extern int picture_compress(const Canvas *canvas, unsigned char **jpeg, size_t *length);

#endif /* CCTV_PICTURE_H */
