/*
 * picture.h
 *		From a frame to a JPEG that a person looks at.
 *
 * Every picture that leaves the engine begins as picture_from_frame(), so what
 * nobody may see is hidden there.
 */
#ifndef CCTV_PICTURE_H
#define CCTV_PICTURE_H

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

/* Write camera and time into its corner. */
extern void picture_sign(const Canvas *canvas, int camera_id, int64_t at_us);

/* Compress it.  *jpeg is malloc'd.  Returns 0, or -1 when memory is short. */
extern int picture_compress(const Canvas *canvas, unsigned char **jpeg, size_t *length);

#endif /* CCTV_PICTURE_H */
