/*
 * video_picture.h
 *		Frames on their way to an encoder, to be drawn on: YUV 4:2:0 in video's range,
 *		with square pixels, and what is hidden in them black.
 *
 * Belongs to one thread.
 */
#ifndef CCTV_VIDEO_PICTURE_H
#define CCTV_VIDEO_PICTURE_H

#include <libavutil/frame.h>

#include "draw.h"

typedef struct VideoPicture VideoPicture;

/* Pictures are at most max_width wide.  NULL when out of memory. */
extern VideoPicture *video_picture_create(int max_width);
extern void video_picture_free(VideoPicture *picture);

/*
 * Make a picture of the frame, with a canvas upon it.  It is the VideoPicture's
 * own, good until the next call.  NULL when it cannot be made, or not be hidden.
 */
extern AVFrame *video_picture_draw(VideoPicture *picture, const AVFrame *frame, Canvas *canvas);

#endif /* CCTV_VIDEO_PICTURE_H */
