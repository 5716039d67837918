/* From a region of a frame to a tensor: geometry, colours, bars. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libavutil/pixdesc.h>

#include "preprocess.h"

/* Luma 60 of 16..235 is (60 - 16) * 255 / 219 = 51; swscale's fast path rounds down. */
#define assert_dark(level) assert_in_range(level, 49, 52)

static const InputStyle STYLE = {.fit = FIT_TOP_LEFT, .pad = 127, STYLE_CHANNELS(127, 1 / 128.0f)};

static AVFrame *
make_frame(enum AVPixelFormat format, int width, int height)
{
	AVFrame *frame = av_frame_alloc();

	assert_non_null(frame);
	frame->format = format;
	frame->width = width;
	frame->height = height;
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	return frame;
}

static void
fill_plane(AVFrame *frame, int plane, int x, int y, int w, int h, int value)
{
	for (int row = y; row < y + h; row++)
		memset(frame->data[plane] + row * frame->linesize[plane] + x, value, w);
}

/* Grey everywhere, white in a rectangle of even pixels. */
static AVFrame *
make_yuv(int width, int height, int x, int y, int w, int h)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, width, height);

	fill_plane(frame, 0, 0, 0, width, height, 60);
	fill_plane(frame, 0, x, y, w, h, 235);
	fill_plane(frame, 1, 0, 0, (width + 1) / 2, (height + 1) / 2, 128);
	fill_plane(frame, 2, 0, 0, (width + 1) / 2, (height + 1) / 2, 128);
	return frame;
}

static void
letterbox_by_hand(void **state)
{
	Letterbox wide = letterbox_fit(1280, 720, 384, 384, FIT_TOP_LEFT);
	Letterbox tall = letterbox_fit(300, 600, 384, 384, FIT_CENTRED);
	Letterbox stretched = letterbox_fit(1280, 720, 320, 240, FIT_STRETCH);
	Letterbox sliver = letterbox_fit(4000, 2, 384, 384, FIT_TOP_LEFT);

	assert_int_equal(wide.x, 0);
	assert_int_equal(wide.y, 0);
	assert_int_equal(wide.w, 384);
	assert_int_equal(wide.h, 216);
	assert_int_equal(tall.x, 96);
	assert_int_equal(tall.y, 0);
	assert_int_equal(tall.w, 192);
	assert_int_equal(tall.h, 384);
	assert_int_equal(stretched.w, 320);
	assert_int_equal(stretched.h, 240);
	assert_int_equal(sliver.h, 1);
}

static void
box_back_to_the_frame(void **state)
{
	InputShape shape = {TENSOR_FLOAT_NCHW, 384, 384};
	PixelRect whole = {0, 0, 1280, 720};
	PixelRect part = {640, 360, 320, 320};
	Letterbox letterbox = letterbox_fit(1280, 720, 384, 384, FIT_TOP_LEFT);
	Box box = {0.25f, 0.28125f, 0.5f, 0.140625f}; /* 96, 108, 192, 54 pixels of the input */
	Box out = letterbox_to_frame(&letterbox, &shape, &box, &whole, 1280, 720);

	assert_float_equal(out.x, 0.25f, 1e-5f);
	assert_float_equal(out.y, 0.5f, 1e-5f);
	assert_float_equal(out.w, 0.5f, 1e-5f);
	assert_float_equal(out.h, 0.25f, 1e-5f);

	letterbox = letterbox_fit(320, 320, 384, 384, FIT_TOP_LEFT);
	box = (Box){0.5f, 0, 0.5f, 1};
	out = letterbox_to_frame(&letterbox, &shape, &box, &part, 1280, 720);
	assert_float_equal(out.x, 800.0f / 1280, 1e-5f);
	assert_float_equal(out.y, 0.5f, 1e-5f);
	assert_float_equal(out.w, 160.0f / 1280, 1e-5f);
	assert_float_equal(out.h, 320.0f / 720, 1e-5f);
}

static void
box_in_the_bars_is_clipped(void **state)
{
	InputShape shape = {TENSOR_FLOAT_NCHW, 384, 384};
	PixelRect whole = {0, 0, 1280, 720};
	Letterbox letterbox = letterbox_fit(1280, 720, 384, 384, FIT_TOP_LEFT);
	Box over = {-0.1f, 0.5f, 0.3f, 0.3f}; /* below 0.5625 there is no picture */
	Box under = {0.1f, 0.7f, 0.3f, 0.2f};
	Box out = letterbox_to_frame(&letterbox, &shape, &over, &whole, 1280, 720);

	assert_float_equal(out.x, 0, 0);
	assert_float_equal(out.w, 0.2f, 1e-5f);
	assert_float_equal(out.y + out.h, 1, 1e-5f);
	out = letterbox_to_frame(&letterbox, &shape, &under, &whole, 1280, 720);
	assert_float_equal(box_area(&out), 0, 0);
}

/* The level at a place, from a tensor of either layout. */
static int
level_at(const void *tensor, const InputShape *shape, int x, int y, int channel)
{
	size_t pixels = (size_t) shape->width * shape->height;

	if (shape->layout == TENSOR_UINT8_NHWC)
		return ((const uint8_t *) tensor)[(y * shape->width + x) * 3 + channel];
	if (shape->layout == TENSOR_FLOAT_NHWC)
		return (int) (((const float *) tensor)[(y * shape->width + x) * 3 + channel] * 128 +
					  127.5f);
	return (int) (((const float *) tensor)[channel * pixels + y * shape->width + x] * 128 + 127.5f);
}

static void
picture_and_bars(TensorLayout layout)
{
	AVFrame *frame = make_yuv(1280, 720, 640, 0, 640, 720); /* right half white */
	InputShape shape = {layout, 384, 384};
	PixelRect whole = {0, 0, 1280, 720};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";
	const void *tensor =
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error));

	assert_non_null(tensor);
	assert_int_equal(letterbox.h, 216);
	for (int channel = 0; channel < 3; channel++)
	{
		assert_in_range(level_at(tensor, &shape, 380, 100, channel), 253, 255);
		/* Luma 60 of 16..235: (60 - 16) * 255 / 219 = 51. */
		assert_dark(level_at(tensor, &shape, 10, 100, channel));
		for (int x = 0; x < 384; x++)
		{
			assert_int_equal(level_at(tensor, &shape, x, 216, channel), 127);
			assert_int_equal(level_at(tensor, &shape, x, 383, channel), 127);
		}
	}
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

static void
picture_and_bars_in_floats(void **state)
{
	picture_and_bars(TENSOR_FLOAT_NCHW);
}

static void
picture_and_bars_in_packed_floats(void **state)
{
	picture_and_bars(TENSOR_FLOAT_NHWC);
}

static void
picture_and_bars_in_bytes(void **state)
{
	picture_and_bars(TENSOR_UINT8_NHWC);
}

/* Blue first, and each channel with a mean and a scale of its own. */
static void
channels_as_the_style_says(void **state)
{
	const InputStyle style = {
		.fit = FIT_STRETCH, .bgr = 1, .mean = {30, 90, 180}, .scale = {0.5f, 0.1f, 0.01f}};
	AVFrame *frame = make_frame(AV_PIX_FMT_RGB24, 64, 64);
	PixelRect whole = {0, 0, 64, 64};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	for (int y = 0; y < 64; y++)
		for (int x = 0; x < 64; x++)
			memcpy(frame->data[0] + y * frame->linesize[0] + 3 * x, "\xc8\x64\x20", 3);
	for (int layout = TENSOR_FLOAT_NCHW; layout <= TENSOR_FLOAT_NHWC; layout++)
	{
		InputShape shape = {layout, 64, 64};
		const float *tensor = preprocess(preprocessor, frame, &whole, &shape, &style, &letterbox,
										 error, sizeof(error));
		int step = layout == TENSOR_FLOAT_NCHW ? 64 * 64 : 1;

		assert_non_null(tensor);
		/* Blue 32, green 100, red 200. */
		assert_float_equal(tensor[0], 1, 0.51f);
		assert_float_equal(tensor[step], 1, 0.11f);
		assert_float_equal(tensor[2 * step], 0.2f, 0.011f);
	}
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* The stream's black is 16 and its white 235; a grey picture says 0 and 255. */
static void
grey_spans_black_to_white(void **state)
{
	AVFrame *frame = make_yuv(320, 240, 160, 0, 160, 240);
	InputShape shape = {TENSOR_UINT8_GREY, 160, 128};
	PixelRect whole = {0, 0, 320, 240};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";
	const uint8_t *grey;

	fill_plane(frame, 0, 0, 0, 80, 240, 16);
	grey =
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error));
	assert_non_null(grey);
	assert_int_equal(letterbox.w, 160);
	assert_int_equal(letterbox.h, 120);
	assert_in_range(grey[50 * 160 + 10], 0, 1);
	assert_dark(grey[50 * 160 + 60]);
	assert_in_range(grey[50 * 160 + 120], 254, 255);
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* A tall picture leaves bars of every width at the right; none may bleed. */
static void
bars_at_the_right_are_clean(void **state)
{
	for (int width = 340; width <= 384; width += 2)
		for (int layout = TENSOR_FLOAT_NCHW; layout <= TENSOR_UINT8_NHWC; layout++)
		{
			AVFrame *frame = make_yuv(width, 384, 0, 0, width, 384);
			InputShape shape = {layout, 384, 384};
			PixelRect whole = {0, 0, width, 384};
			Preprocessor *preprocessor = preprocessor_create();
			Letterbox letterbox;
			char error[200] = "";
			const void *tensor = preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox,
											error, sizeof(error));

			assert_non_null(tensor);
			for (int channel = 0; channel < 3; channel++)
				for (int y = 0; y < 384; y++)
				{
					assert_in_range(level_at(tensor, &shape, 0, y, channel), 253, 255);
					for (int x = width; x < 384; x++)
						assert_int_equal(level_at(tensor, &shape, x, y, channel), 127);
				}
			preprocessor_free(preprocessor);
			av_frame_free(&frame);
		}
}

static void
region_is_cropped(void **state)
{
	AVFrame *frame = make_yuv(1280, 720, 400, 200, 200, 100);
	InputShape shape = {TENSOR_UINT8_NHWC, 128, 128};
	PixelRect inside = {404, 204, 90, 90};
	PixelRect outside = {620, 200, 100, 100};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";
	const void *tensor =
		preprocess(preprocessor, frame, &inside, &shape, &STYLE, &letterbox, error, sizeof(error));

	assert_non_null(tensor);
	assert_in_range(level_at(tensor, &shape, 2, 2, 0), 253, 255);
	assert_in_range(level_at(tensor, &shape, 125, 125, 2), 253, 255);
	tensor =
		preprocess(preprocessor, frame, &outside, &shape, &STYLE, &letterbox, error, sizeof(error));
	assert_non_null(tensor);
	assert_dark(level_at(tensor, &shape, 2, 2, 0));
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* Of a frame many times the input's size not every row is read, but they are spread over it. */
static void
large_frames_keep_their_proportions(void **state)
{
	AVFrame *frame = make_yuv(2000, 2001, 0, 1500, 2000, 250);
	InputShape shape = {TENSOR_UINT8_NHWC, 128, 128};
	PixelRect whole = {0, 0, 2000, 2001};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";
	const void *tensor =
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error));

	assert_non_null(tensor);
	assert_dark(level_at(tensor, &shape, 60, 2, 0));
	assert_dark(level_at(tensor, &shape, 60, 93, 0));
	assert_in_range(level_at(tensor, &shape, 60, 98, 0), 253, 255);
	assert_in_range(level_at(tensor, &shape, 60, 109, 0), 253, 255);
	assert_dark(level_at(tensor, &shape, 60, 114, 0));
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

static void
channels_are_red_green_blue(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_RGB24, 64, 64);
	PixelRect whole = {0, 0, 64, 64};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	for (int y = 0; y < 64; y++)
		for (int x = 0; x < 64; x++)
			memcpy(frame->data[0] + y * frame->linesize[0] + 3 * x, "\xc8\x64\x20", 3);
	for (int layout = TENSOR_FLOAT_NCHW; layout <= TENSOR_UINT8_NHWC; layout++)
	{
		InputShape shape = {layout, 64, 64};
		const void *tensor = preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox,
										error, sizeof(error));

		assert_non_null(tensor);
		assert_in_range(level_at(tensor, &shape, 30, 30, 0), 199, 201);
		assert_in_range(level_at(tensor, &shape, 30, 30, 1), 99, 101);
		assert_in_range(level_at(tensor, &shape, 30, 30, 2), 31, 33);
	}
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* Full-range video has 60 for 60, and the stream's matrix colours it. */
static void
range_of_the_stream_counts(void **state)
{
	AVFrame *frame = make_yuv(64, 64, 0, 0, 2, 2);
	InputShape shape = {TENSOR_UINT8_NHWC, 64, 64};
	PixelRect whole = {0, 0, 64, 64};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";
	const void *tensor;

	frame->color_range = AVCOL_RANGE_JPEG;
	tensor =
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error));
	assert_non_null(tensor);
	assert_in_range(level_at(tensor, &shape, 40, 40, 1), 59, 61);
	frame->color_range = AVCOL_RANGE_MPEG;
	tensor =
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error));
	assert_non_null(tensor);
	assert_dark(level_at(tensor, &shape, 40, 40, 1));
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* A red region of any proportions is red to its last pixel, wherever it lies in the input. */
static void
colours_reach_every_edge(void **state)
{
	AVFrame *frame = make_yuv(200, 200, 0, 0, 200, 200);
	InputShape shape = {TENSOR_UINT8_NHWC, 96, 97};
	InputStyle style = STYLE;
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	fill_plane(frame, 0, 0, 0, 200, 200, 81);
	fill_plane(frame, 1, 0, 0, 100, 100, 90);
	fill_plane(frame, 2, 0, 0, 100, 100, 240);
	for (int side = 40; side <= 200; side++)
	{
		PixelRect region = {0, 0, side, 240 - side > 200 ? 200 : 240 - side};
		const uint8_t *tensor;

		style.fit = side % 2 ? FIT_CENTRED : FIT_TOP_LEFT;
		tensor = preprocess(preprocessor, frame, &region, &shape, &style, &letterbox, error,
							sizeof(error));
		assert_non_null(tensor);
		for (int y = 0; y < shape.height; y++)
			for (int x = 0; x < shape.width; x++)
			{
				const uint8_t *pixel = tensor + (y * shape.width + x) * 3;
				bool inside = x >= letterbox.x && x < letterbox.x + letterbox.w &&
							  y >= letterbox.y && y < letterbox.y + letterbox.h;

				assert_in_range(pixel[0], inside ? 251 : 127, inside ? 255 : 127);
				assert_in_range(pixel[1], inside ? 0 : 127, inside ? 3 : 127);
				assert_in_range(pixel[2], inside ? 0 : 127, inside ? 3 : 127);
			}
	}
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

/* More sizes than scalers, in turn: each must still be right. */
static void
scalers_are_replaced(void **state)
{
	InputShape shape = {TENSOR_UINT8_NHWC, 96, 96};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	for (int round = 0; round < 3; round++)
		for (int size = 100; size < 140; size += 2)
		{
			AVFrame *frame = make_yuv(size, size, 0, 0, size, size / 2);
			PixelRect whole = {0, 0, size, size};
			const void *tensor = preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox,
											error, sizeof(error));

			assert_non_null(tensor);
			assert_in_range(level_at(tensor, &shape, 90, 40, 0), 253, 255);
			assert_dark(level_at(tensor, &shape, 90, 60, 0));
			av_frame_free(&frame);
		}
	preprocessor_free(preprocessor);
}

static void
many_formats_are_read(void **state)
{
	static const enum AVPixelFormat formats[] = {
		AV_PIX_FMT_NV12,	AV_PIX_FMT_YUYV422,	  AV_PIX_FMT_UYVY422, AV_PIX_FMT_YUVJ422P,
		AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV420P10, AV_PIX_FMT_GRAY8,	  AV_PIX_FMT_BGR24,
		AV_PIX_FMT_GBRP,	AV_PIX_FMT_P010};
	InputShape shape = {TENSOR_FLOAT_NCHW, 96, 96};
	PixelRect region = {10, 20, 100, 60};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		AVFrame *frame = make_frame(formats[i], 160, 120);

		for (int plane = 0; plane < 4 && frame->data[plane] != NULL; plane++)
			memset(frame->data[plane], 0,
				   frame->linesize[plane] * (size_t) (plane == 0 ? 120 : 60));
		assert_non_null(preprocess(preprocessor, frame, &region, &shape, &STYLE, &letterbox, error,
								   sizeof(error)));
		av_frame_free(&frame);
	}
	preprocessor_free(preprocessor);
}

static void
an_unreadable_format_is_an_error(void **state)
{
	AVFrame *frame = make_yuv(64, 64, 0, 0, 2, 2);
	InputShape shape = {TENSOR_UINT8_NHWC, 64, 64};
	PixelRect whole = {0, 0, 64, 64};
	Preprocessor *preprocessor = preprocessor_create();
	Letterbox letterbox;
	char error[200] = "";

	frame->format = AV_PIX_FMT_VAAPI;
	assert_null(
		preprocess(preprocessor, frame, &whole, &shape, &STYLE, &letterbox, error, sizeof(error)));
	assert_non_null(strstr(error, "pixel format"));
	preprocessor_free(preprocessor);
	av_frame_free(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letterbox_by_hand),
		cmocka_unit_test(box_back_to_the_frame),
		cmocka_unit_test(box_in_the_bars_is_clipped),
		cmocka_unit_test(picture_and_bars_in_floats),
		cmocka_unit_test(picture_and_bars_in_packed_floats),
		cmocka_unit_test(picture_and_bars_in_bytes),
		cmocka_unit_test(channels_as_the_style_says),
		cmocka_unit_test(grey_spans_black_to_white),
		cmocka_unit_test(bars_at_the_right_are_clean),
		cmocka_unit_test(region_is_cropped),
		cmocka_unit_test(large_frames_keep_their_proportions),
		cmocka_unit_test(channels_are_red_green_blue),
		cmocka_unit_test(range_of_the_stream_counts),
		cmocka_unit_test(colours_reach_every_edge),
		cmocka_unit_test(scalers_are_replaced),
		cmocka_unit_test(many_formats_are_read),
		cmocka_unit_test(an_unreadable_format_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
