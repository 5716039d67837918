/*
 * picture.c
 *		From a frame to a JPEG that a person looks at.
 */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <turbojpeg.h>

#include "caption.h"
#include "clock.h"

#define JPEG_QUALITY 80
#define MAX_SIDE 16384

/* Pixels in a block of swscale's vector code. */
#define VECTOR 16

void
picture_display_size(const AVFrame *frame, int max_width, int *width, int *height)
{
	AVRational aspect = frame->sample_aspect_ratio;

	*width = frame->width;
	*height = frame->height;
	/* Widen or heighten, so that no line of the picture is lost. */
	if (aspect.num > 0 && aspect.den > 0 && aspect.num > aspect.den)
		*width = (int) av_rescale(frame->width, aspect.num, aspect.den);
	else if (aspect.num > 0 && aspect.den > 0)
		*height = (int) av_rescale(frame->height, aspect.den, aspect.num);
	if (*width > MAX_SIDE || *height > MAX_SIDE)
	{
		*width = frame->width;
		*height = frame->height;
	}
	if (max_width > 0 && *width > max_width)
	{
		*height = (int) av_rescale(*height, max_width, *width);
		*width = max_width;
		if (*height < 1)
			*height = 1;
	}
}

/* "yuvj" formats have the full range whatever the frame says. */
bool
picture_full_range(const AVFrame *frame)
{
	switch (frame->format)
	{
		case AV_PIX_FMT_YUVJ420P:
		case AV_PIX_FMT_YUVJ422P:
		case AV_PIX_FMT_YUVJ444P:
		case AV_PIX_FMT_YUVJ440P:
		case AV_PIX_FMT_YUVJ411P:
			return true;
		default:
			return frame->color_range == AVCOL_RANGE_JPEG;
	}
}

/* What a stream that does not say is taken to be, as every player does. */
static int
colour_space(const AVFrame *frame)
{
	if (frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB)
		return frame->colorspace;
	return frame->height > 576 && !picture_full_range(frame) ? SWS_CS_ITU709 : SWS_CS_ITU601;
}

/*
 * The polygons travel with the frame (opaque_ref, which every reference to it
 * shares), so no way from a decoder to a picture can forget them, and a frame
 * keeps those that held when it came.
 */
int
picture_hide(AVFrame *frame, const PolygonList *parts)
{
	av_buffer_unref(&frame->opaque_ref);
	if (parts->count == 0)
		return 0;
	frame->opaque_ref = av_buffer_ref(parts->buffer);
	return frame->opaque_ref != NULL ? 0 : -1;
}

int
picture_black_out(const AVFrame *frame, const Canvas *canvas)
{
	const AVBufferRef *hidden = frame->opaque_ref;

	if (hidden == NULL)
		return 0;
	return draw_black(canvas, (const Polygon *) hidden->data,
					  (int) (hidden->size / sizeof(Polygon)));
}

/*
 * Unscaled, swscale has vector code for planes of 8 bits, thirty times as fast,
 * that gives each pixel the chroma sample it shares with its neighbours: just what a JPEG with half the
 * chroma makes of it again.  It takes whole blocks of columns, and leaves out what
 * is more than those.
 */
static int
scaler_flags(const AVFrame *frame, const Canvas *canvas)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);

	if (format != NULL && format->log2_chroma_w == 1 && canvas->width == frame->width &&
		canvas->height == frame->height && frame->width % VECTOR == 0 && frame->height % 2 == 0)
		return SWS_BILINEAR;
	return SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;
}

int
picture_from_frame(const AVFrame *frame, int max_width, Canvas *canvas)
{
	struct SwsContext *scaler;
	int done = -1;

	picture_display_size(frame, max_width, &canvas->width, &canvas->height);
	canvas->stride = (canvas->width * 3 + 31) / 32 * 32;
	canvas->data = malloc((size_t) canvas->stride * canvas->height + 64);
	scaler =
		sws_getContext(frame->width, frame->height, frame->format, canvas->width, canvas->height,
					   AV_PIX_FMT_BGR24, scaler_flags(frame, canvas), NULL, NULL, NULL);
	if (canvas->data != NULL && scaler != NULL)
	{
		sws_setColorspaceDetails(scaler, sws_getCoefficients(colour_space(frame)),
								 picture_full_range(frame), sws_getCoefficients(SWS_CS_DEFAULT), 1,
								 0, 1 << 16, 1 << 16);
		done = sws_scale(scaler, (const uint8_t *const *) frame->data, frame->linesize, 0,
						 frame->height, &canvas->data, &canvas->stride);
	}
	sws_freeContext(scaler);
	return done > 0 ? picture_black_out(frame, canvas) : -1;
}

void
picture_sign(const Canvas *canvas, const char *camera, int64_t at_us, const char *remark)
{
	char when[CLOCK_TEXT];
	char text[CAPTION_NAME + 64];

	clock_format(at_us, when);
	snprintf(text, sizeof(text), "%s  %.10s %.12s UTC%s%s", camera, when, when + 11,
			 remark != NULL ? "  " : "", remark != NULL ? remark : "");
	draw_footer(canvas, text);
}

int
picture_compress(const Canvas *canvas, unsigned char **jpeg, size_t *length)
{
	tjhandle compressor = tjInitCompress();
	unsigned long size = tjBufSize(canvas->width, canvas->height, TJSAMP_420);
	unsigned char *shrunk;
	int code = -1;

	*jpeg = malloc(size);
	if (compressor != NULL && *jpeg != NULL)
		code = tjCompress2(compressor, canvas->data, canvas->width, canvas->stride, canvas->height,
						   TJPF_BGR, jpeg, &size, TJSAMP_420, JPEG_QUALITY, TJFLAG_NOREALLOC);
	if (compressor != NULL)
		tjDestroy(compressor);
	if (code != 0)
	{
		free(*jpeg);
		*jpeg = NULL;
		return -1;
	}
	/* The buffer is for the worst case, twenty times what is usual. */
	if ((shrunk = realloc(*jpeg, size)) != NULL)
		*jpeg = shrunk;
	*length = size;
	return 0;
}
