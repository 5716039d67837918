/*
 * preprocess.c
 *		Crop, letterbox and colour conversion with swscale.
 */
#include "preprocess.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/*
 * Cameras of different sizes and regions of different sides take turns in one
 * thread, and making a scaler costs as much as using it.
 */
#define SCALERS 8
/* swscale's vector code may write up to this much behind a row. */
#define SLACK 64
/* And takes this many pixels at once when it converts colours without scaling. */
#define VECTOR 16
#define ROUND_UP(n, to) (((n) + (to) -1) / (to) * (to))
/*
 * Source rows read for one row of the input.  Of a frame many times the size
 * of the input the others are skipped: each costs as much as one that counts.
 */
#define ROWS_READ 2.5

typedef struct Scaler
{
	struct SwsContext *context;
	struct SwsContext *colours; /* of what the context has scaled; NULL: it does both */
	int width;
	int height;
	enum AVPixelFormat format;
	enum AVColorSpace space;
	enum AVColorRange range;
	int out_width;
	int out_height;
	enum AVPixelFormat out_format;
	bool apart;	   /* colours are converted after the scaling */
	uint64_t used; /* turn of the last use */
} Scaler;

struct Preprocessor
{
	Scaler scalers[SCALERS];
	uint64_t turn;
	AVFrame *view;	 /* the region, sharing the frame's planes */
	uint8_t *scaled; /* planes of it, scaled, where colours come after */
	size_t scaled_size;
	uint8_t *levels; /* packed RGB */
	size_t levels_size;
	float *tensor;
	size_t tensor_size;
};

Preprocessor *
preprocessor_create(void)
{
	Preprocessor *preprocessor = calloc(1, sizeof(*preprocessor));

	if (preprocessor == NULL)
		return NULL;
	preprocessor->view = av_frame_alloc();
	if (preprocessor->view == NULL)
	{
		free(preprocessor);
		return NULL;
	}
	return preprocessor;
}

static void
scaler_free(Scaler *scaler)
{
	sws_freeContext(scaler->context);
	sws_freeContext(scaler->colours);
	scaler->context = scaler->colours = NULL;
}

void
preprocessor_free(Preprocessor *preprocessor)
{
	if (preprocessor == NULL)
		return;
	for (int i = 0; i < SCALERS; i++)
		scaler_free(&preprocessor->scalers[i]);
	av_frame_free(&preprocessor->view);
	av_free(preprocessor->scaled);
	av_free(preprocessor->levels);
	av_free(preprocessor->tensor);
	free(preprocessor);
}

static int
at_least_one(double value)
{
	long rounded = lround(value);

	return rounded < 1 ? 1 : (int) rounded;
}

Letterbox
letterbox_fit(int width, int height, int input_width, int input_height, Fit fit)
{
	Letterbox letterbox = {0, 0, input_width, input_height};
	double scale;

	if (fit == FIT_STRETCH)
		return letterbox;
	scale = fmin((double) input_width / width, (double) input_height / height);
	letterbox.w = at_least_one(width * scale);
	letterbox.h = at_least_one(height * scale);
	if (fit == FIT_CENTRED)
	{
		letterbox.x = (input_width - letterbox.w) / 2;
		letterbox.y = (input_height - letterbox.h) / 2;
	}
	return letterbox;
}

/* One side of letterbox_to_frame: from the input's span to the frame's. */
static void
span_to_frame(float start, float length, int input, int offset, int picture, int origin, int region,
			  int frame, float *out_start, float *out_length)
{
	float low = (start * input - offset) / picture;
	float high = ((start + length) * input - offset) / picture;

	low = fminf(fmaxf(low, 0), 1);
	high = fminf(fmaxf(high, low), 1);
	*out_start = (origin + low * region) / frame;
	*out_length = (high - low) * region / frame;
}

Box
letterbox_to_frame(const Letterbox *letterbox, const InputShape *shape, const Box *box,
				   const PixelRect *region, int frame_width, int frame_height)
{
	Box out;

	span_to_frame(box->x, box->w, shape->width, letterbox->x, letterbox->w, region->x, region->w,
				  frame_width, &out.x, &out.w);
	span_to_frame(box->y, box->h, shape->height, letterbox->y, letterbox->h, region->y, region->h,
				  frame_height, &out.y, &out.h);
	return box_clip(&out);
}

/* Colours as the stream says, or else as is the custom for its size. */
static enum AVColorSpace
color_space(const AVFrame *frame, int frame_width, int frame_height)
{
	if (frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB)
		return frame->colorspace;
	return frame_width >= 1280 || frame_height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
}

static bool
scaler_fits(const Scaler *a, const Scaler *b)
{
	return a->width == b->width && a->height == b->height && a->format == b->format &&
		   a->space == b->space && a->range == b->range && a->out_width == b->out_width &&
		   a->out_height == b->out_height && a->out_format == b->out_format && a->apart == b->apart;
}

/* The formats that only say full range another way; swscale warns of them. */
static void
settle_range(Scaler *scaler)
{
	static const enum AVPixelFormat same[][2] = {
		{AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P}, {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
		{AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P}, {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P},
		{AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P},
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (scaler->format == same[i][0])
		{
			scaler->format = same[i][1];
			scaler->range = AVCOL_RANGE_JPEG;
		}
}

/*
 * Scaling down to RGB takes twice as long as scaling the planes, for which there
 * is more vector code, and then converting the few pixels that are left.  Of
 * colour little is lost: it had half of the width already, and now has half of
 * the height, too.  The conversion takes whole blocks, which must not reach into
 * the next row.
 */
static bool
converts_apart(const Scaler *wanted, const Letterbox *picture, const InputShape *shape)
{
	const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(wanted->format);

	return format != NULL && format->nb_components >= 3 && wanted->width >= wanted->out_width &&
		   (format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) == 0 &&
		   wanted->out_format != AV_PIX_FMT_GRAY8 &&
		   picture->x + ROUND_UP(picture->w, VECTOR) <= shape->width;
}

/* Colours are to be as the stream means them; fails for formats without, harmlessly. */
static void
set_colours(struct SwsContext *context, const Scaler *wanted)
{
	if (context != NULL)
		sws_setColorspaceDetails(context, sws_getCoefficients(wanted->space),
								 wanted->range == AVCOL_RANGE_JPEG,
								 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
}

/* A context from one size and format to another.  NULL: out of memory, or no such format. */
static struct SwsContext *
make_context(int width, int height, enum AVPixelFormat format, int out_width, int out_height,
			 enum AVPixelFormat out_format)
{
	/* Bilinear scaling down averages over all the pixels it covers. */
	return sws_getContext(width, height, format, out_width, out_height, out_format, SWS_BILINEAR,
						  NULL, NULL, NULL);
}

static void
scaler_make(Scaler *scaler)
{
	int range = scaler->range == AVCOL_RANGE_JPEG;
	const int *same = sws_getCoefficients(SWS_CS_DEFAULT);

	if (!scaler->apart)
	{
		scaler->context = make_context(scaler->width, scaler->height, scaler->format,
									   scaler->out_width, scaler->out_height, scaler->out_format);
		set_colours(scaler->context, scaler);
		return;
	}
	scaler->context = make_context(scaler->width, scaler->height, scaler->format, scaler->out_width,
								   scaler->out_height, AV_PIX_FMT_YUV420P);
	scaler->colours = make_context(
		ROUND_UP(scaler->out_width, VECTOR), ROUND_UP(scaler->out_height, 2), AV_PIX_FMT_YUV420P,
		ROUND_UP(scaler->out_width, VECTOR), ROUND_UP(scaler->out_height, 2), scaler->out_format);
	if (scaler->context != NULL)
		sws_setColorspaceDetails(scaler->context, same, range, same, range, 0, 1 << 16, 1 << 16);
	set_colours(scaler->colours, scaler);
	if (scaler->colours == NULL)
		scaler_free(scaler);
}

/*
 * The scaler for this conversion, made in place of the one unused for longest if
 * need be.  Its context is NULL when it cannot be.
 */
static const Scaler *
find_scaler(Preprocessor *preprocessor, const Scaler *wanted)
{
	Scaler *oldest = &preprocessor->scalers[0];

	preprocessor->turn++;
	for (int i = 0; i < SCALERS; i++)
	{
		Scaler *scaler = &preprocessor->scalers[i];

		if (scaler->context != NULL && scaler_fits(scaler, wanted))
		{
			scaler->used = preprocessor->turn;
			return scaler;
		}
		if (scaler->used < oldest->used)
			oldest = scaler;
	}
	scaler_free(oldest);
	*oldest = *wanted;
	oldest->used = preprocessor->turn;
	scaler_make(oldest);
	return oldest;
}

/* Grow a buffer aligned for vector code.  Returns false when out of memory. */
static bool
reserve(void **buffer, size_t *size, size_t wanted)
{
	if (*size >= wanted)
		return true;
	av_free(*buffer);
	*buffer = av_malloc(wanted);
	*size = *buffer != NULL ? wanted : 0;
	return *buffer != NULL;
}

/* Bytes of levels for each pixel. */
static int
samples_of(TensorLayout layout)
{
	return layout == TENSOR_UINT8_GREY ? 1 : 3;
}

static bool
is_float(TensorLayout layout)
{
	return layout == TENSOR_FLOAT_NCHW || layout == TENSOR_FLOAT_NHWC;
}

/* Fill what the picture leaves free. */
static void
fill_bars(uint8_t *levels, const InputShape *shape, const Letterbox *picture, uint8_t pad)
{
	size_t samples = samples_of(shape->layout);
	size_t stride = shape->width * samples;
	size_t left = picture->x * samples;
	size_t right = (picture->x + picture->w) * samples;

	memset(levels, pad, picture->y * stride);
	for (int y = picture->y; y < picture->y + picture->h; y++)
	{
		memset(levels + y * stride, pad, left);
		memset(levels + y * stride + right, pad, stride - right);
	}
	memset(levels + (picture->y + picture->h) * stride, pad,
		   (shape->height - picture->y - picture->h) * stride);
}

/* Packed levels to planes of floats. */
static void
levels_to_planes(float *restrict out, const uint8_t *restrict levels, size_t pixels,
				 const InputStyle *style)
{
	float *restrict first = out;
	float *restrict second = out + pixels;
	float *restrict third = out + 2 * pixels;
	const float mean[3] = {style->mean[0], style->mean[1], style->mean[2]};
	const float scale[3] = {style->scale[0], style->scale[1], style->scale[2]};

	for (size_t i = 0; i < pixels; i++)
	{
		first[i] = ((float) levels[3 * i] - mean[0]) * scale[0];
		second[i] = ((float) levels[3 * i + 1] - mean[1]) * scale[1];
		third[i] = ((float) levels[3 * i + 2] - mean[2]) * scale[2];
	}
}

/* Packed levels to packed floats. */
static void
levels_to_float(float *restrict out, const uint8_t *restrict levels, size_t pixels,
				const InputStyle *style)
{
	for (size_t i = 0; i < 3 * pixels; i++)
		out[i] = ((float) levels[i] - style->mean[i % 3]) * style->scale[i % 3];
}

/* Point the view at the region; its planes stay the frame's. */
static int
view_region(AVFrame *view, const AVFrame *frame, const PixelRect *region)
{
	int result = av_frame_ref(view, frame);

	if (result < 0)
		return result;
	view->crop_left = region->x;
	view->crop_top = region->y;
	view->crop_right = frame->width - region->x - region->w;
	view->crop_bottom = frame->height - region->y - region->h;
	return av_frame_apply_cropping(view, AV_FRAME_CROP_UNALIGNED);
}

/* Let the view have only every so many rows, when it has far more than the picture. */
static void
skip_rows(AVFrame *view, int picture_height)
{
	int every = (int) (view->height / (ROWS_READ * picture_height));

	if (every <= 1)
		return;
	for (int i = 0; i < AV_NUM_DATA_POINTERS; i++)
		view->linesize[i] *= every;
	view->height /= every;
}

/* Scale the view into planes, and convert those. */
static bool
scale_then_convert(Preprocessor *preprocessor, const Scaler *scaler, uint8_t *levels, int stride)
{
	const AVFrame *view = preprocessor->view;
	int width = ROUND_UP(scaler->out_width, 2 * VECTOR);
	int height = ROUND_UP(scaler->out_height, 2);
	size_t luma = (size_t) width * height;
	int strides[4] = {width, width / 2, width / 2};
	uint8_t *planes[4];

	if (!reserve((void **) &preprocessor->scaled, &preprocessor->scaled_size,
				 luma + luma / 2 + SLACK))
		return false;
	planes[0] = preprocessor->scaled;
	planes[1] = planes[0] + luma;
	planes[2] = planes[1] + luma / 4;
	planes[3] = NULL;
	return sws_scale(scaler->context, (const uint8_t *const *) view->data, view->linesize, 0,
					 view->height, planes, strides) > 0 &&
		   sws_scale(scaler->colours, (const uint8_t *const *) planes, strides, 0, height,
					 (uint8_t *[]){levels, NULL, NULL, NULL}, (int[]){stride, 0, 0, 0}) > 0;
}

/* Into its place among the levels. */
static bool
scale_view(Preprocessor *preprocessor, const Scaler *scaler, const InputShape *shape,
		   const Letterbox *picture)
{
	const AVFrame *view = preprocessor->view;
	int samples = samples_of(shape->layout);
	int stride = shape->width * samples;
	uint8_t *levels = preprocessor->levels + (ptrdiff_t) picture->y * stride + picture->x * samples;

	if (scaler->apart)
		return scale_then_convert(preprocessor, scaler, levels, stride);
	return sws_scale(scaler->context, (const uint8_t *const *) view->data, view->linesize, 0,
					 view->height, (uint8_t *[]){levels, NULL, NULL, NULL},
					 (int[]){stride, 0, 0, 0}) > 0;
}

static enum AVPixelFormat
out_format(const InputShape *shape, const InputStyle *style)
{
	if (shape->layout == TENSOR_UINT8_GREY)
		return AV_PIX_FMT_GRAY8;
	return style->bgr ? AV_PIX_FMT_BGR24 : AV_PIX_FMT_RGB24;
}

const void *
preprocess(Preprocessor *preprocessor, const AVFrame *frame, const PixelRect *region,
		   const InputShape *shape, const InputStyle *style, Letterbox *letterbox, char *error,
		   size_t error_size)
{
	AVFrame *view = preprocessor->view;
	size_t pixels = (size_t) shape->width * shape->height;
	const void *tensor = NULL;
	const Scaler *scaler;
	Scaler wanted = {0};

	*letterbox = letterbox_fit(region->w, region->h, shape->width, shape->height, style->fit);
	/* A row more, as colours are converted in pairs of them. */
	if (!reserve((void **) &preprocessor->levels, &preprocessor->levels_size,
				 3 * (pixels + shape->width) + SLACK) ||
		(is_float(shape->layout) &&
		 !reserve((void **) &preprocessor->tensor, &preprocessor->tensor_size,
				  3 * pixels * sizeof(float))) ||
		view_region(view, frame, region) < 0)
	{
		snprintf(error, error_size, "out of memory preparing a frame");
		goto done;
	}

	skip_rows(view, letterbox->h);
	wanted.width = view->width;
	wanted.height = view->height;
	wanted.format = view->format;
	wanted.space = color_space(view, frame->width, frame->height);
	wanted.range = view->color_range;
	settle_range(&wanted);
	wanted.out_width = letterbox->w;
	wanted.out_height = letterbox->h;
	wanted.out_format = out_format(shape, style);
	wanted.apart = converts_apart(&wanted, letterbox, shape);
	scaler = find_scaler(preprocessor, &wanted);
	if (scaler->context == NULL || !scale_view(preprocessor, scaler, shape, letterbox))
	{
		const char *name = av_get_pix_fmt_name(view->format);

		snprintf(error, error_size, "cannot scale frames of pixel format %s",
				 name != NULL ? name : "unknown");
		goto done;
	}
	/* After scaling, as swscale may write behind its rows. */
	fill_bars(preprocessor->levels, shape, letterbox, (uint8_t) style->pad);
	tensor = preprocessor->levels;
	if (is_float(shape->layout))
	{
		(shape->layout == TENSOR_FLOAT_NCHW ? levels_to_planes : levels_to_float)(
			preprocessor->tensor, preprocessor->levels, pixels, style);
		tensor = preprocessor->tensor;
	}

done:
	av_frame_unref(view);
	return tensor;
}
