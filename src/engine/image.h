/*
 * image.h
 *		A posted picture, JPEG or PNG, to a frame.
 *
 * The bytes are hostile: what a picture would take is known from its header
 * before anything is unpacked, and nothing but its pixels is unpacked.
 */
#ifndef CCTV_IMAGE_H
#define CCTV_IMAGE_H

#include <stddef.h>

#include <libavutil/frame.h>

/* A picture may have so many pixels, and so many in a row or column. */
#define IMAGE_MAX_PIXELS (50 * 1000 * 1000)
#define IMAGE_MAX_SIDE 16384

typedef enum ImageResult
{
	IMAGE_OK,
	IMAGE_UNKNOWN,	 /* not a JPEG or PNG */
	IMAGE_DAMAGED,	 /* one that cannot be read */
	IMAGE_TOO_LARGE, /* too many pixels */
	IMAGE_NO_MEMORY
} ImageResult;

/* What the picture says it is, held upright. */
typedef struct ImageInfo
{
	int width;
	int height;
} ImageInfo;

/*
 * Decode it, turned as a photograph's EXIF says.  A JPEG that is far larger than wanted_side in both directions is
 * decoded at a fraction of its size, which saves most of the work: boxes are
 * fractions anyhow.  On IMAGE_OK *frame is the caller's to free and info is
 * filled; else there is a one-line reason, which never quotes the bytes.
 */
extern ImageResult image_decode(const unsigned char *bytes, size_t length, int wanted_side,
								AVFrame **frame, ImageInfo *info, char *reason, size_t reason_size);

#endif /* CCTV_IMAGE_H */
