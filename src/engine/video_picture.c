/*
 * video_picture.c
 *		Frames on their way to an encoder, to be drawn on.
 */
#include "video_picture.h"

#include <stdlib.h>

#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>

#include "picture.h"

struct VideoPicture
{
	int max_width;
	struct SwsContext *scaler; /* NULL: none was needed yet */
	AVFrame *frame;
};

VideoPicture *
video_picture_create(int max_width)
{
	VideoPicture *picture = calloc(1, sizeof(*picture));

	if (picture == NULL)
		return NULL;
	picture->max_width = max_width;
	picture->frame = av_frame_alloc();
	if (picture->frame == NULL)
	{
		free(picture);
		return NULL;
	}
	return picture;
}

void
video_picture_free(VideoPicture *picture)
{
	if (picture == NULL)
		return;
	sws_freeContext(picture->scaler);
	av_frame_free(&picture->frame);
	free(picture);
}

/* A frame of this size that nobody else holds. */
static int
prepare(AVFrame *frame, int width, int height)
{
	if (frame->buf[0] != NULL && frame->width == width && frame->height == height)
		return av_frame_make_writable(frame);
	av_frame_unref(frame);
	frame->format = AV_PIX_FMT_YUV420P;
	frame->width = width;
	frame->height = height;
	return av_frame_get_buffer(frame, 0);
}

/* Resize and convert; the colours' meaning stays, their range becomes video's. */
static int
convert(VideoPicture *picture, const AVFrame *from)
{
	AVFrame *to = picture->frame;
	const int *colours = sws_getCoefficients(SWS_CS_DEFAULT);

	picture->scaler =
		sws_getCachedContext(picture->scaler, from->width, from->height, from->format, to->width,
							 to->height, to->format, SWS_BILINEAR, NULL, NULL, NULL);
	if (picture->scaler == NULL)
		return -1;
	sws_setColorspaceDetails(picture->scaler, colours, picture_full_range(from), colours, 0, 0,
							 1 << 16, 1 << 16);
	return sws_scale(picture->scaler, (const uint8_t *const *) from->data, from->linesize, 0,
					 from->height, to->data, to->linesize) > 0
			   ? 0
			   : -1;
}

static int
fill(VideoPicture *picture, const AVFrame *from)
{
	AVFrame *to = picture->frame;

	if (from->format != to->format || from->width != to->width || from->height != to->height ||
		picture_full_range(from))
		return convert(picture, from);
	av_image_copy(to->data, to->linesize, (const uint8_t **) from->data, from->linesize, to->format,
				  to->width, to->height);
	return 0;
}

AVFrame *
video_picture_draw(VideoPicture *picture, const AVFrame *frame, Canvas *canvas)
{
	AVFrame *drawn = picture->frame;
	int width;
	int height;

	picture_display_size(frame, picture->max_width, &width, &height);
	/* Two by two pixels share their colour. */
	width = width < 2 ? 2 : width / 2 * 2;
	height = height < 2 ? 2 : height / 2 * 2;
	if (prepare(drawn, width, height) < 0 || fill(picture, frame) != 0)
		return NULL;
	drawn->color_range = AVCOL_RANGE_MPEG;
	drawn->colorspace = frame->colorspace;
	drawn->color_primaries = frame->color_primaries;
	drawn->color_trc = frame->color_trc;
	*canvas = (Canvas){.data = drawn->data[0],
					   .stride = drawn->linesize[0],
					   .width = width,
					   .height = height,
					   .chroma = {drawn->data[1], drawn->data[2]},
					   .chroma_stride = drawn->linesize[1]};
	return picture_black_out(frame, canvas) == 0 ? drawn : NULL;
}
