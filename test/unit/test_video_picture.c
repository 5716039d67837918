/* Pictures on their way to an encoder, what is drawn on them, and what comes out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libavcodec/avcodec.h>

#include "clock.h"
#include "encoder.h"
#include "picture.h"
#include "video_picture.h"

static AVFrame *
make_frame(int format, int width, int height, int y, int u, int v)
{
	AVFrame *frame = av_frame_alloc();

	frame->format = format;
	frame->width = width;
	frame->height = height;
	assert_true(av_frame_get_buffer(frame, 0) >= 0);
	for (int row = 0; row < height; row++)
		memset(frame->data[0] + row * frame->linesize[0], y, width);
	for (int row = 0; row < (height + 1) / 2; row++)
	{
		memset(frame->data[1] + row * frame->linesize[1], u, (width + 1) / 2);
		memset(frame->data[2] + row * frame->linesize[2], v, (width + 1) / 2);
	}
	return frame;
}

static void
assert_pixel(const AVFrame *frame, int x, int y, int luma, int u, int v)
{
	assert_in_range(frame->data[0][y * frame->linesize[0] + x] + 3, luma, luma + 6);
	assert_in_range(frame->data[1][y / 2 * frame->linesize[1] + x / 2] + 3, u, u + 6);
	assert_in_range(frame->data[2][y / 2 * frame->linesize[2] + x / 2] + 3, v, v + 6);
}

static void
colours_stay_what_they_are(void **state)
{
	VideoPicture *picture = video_picture_create(1920);
	AVFrame *plain = make_frame(AV_PIX_FMT_YUV420P, 64, 48, 120, 90, 180);
	AVFrame *full = make_frame(AV_PIX_FMT_YUVJ420P, 64, 48, 255, 128, 128);
	AVFrame *odd = make_frame(AV_PIX_FMT_YUV420P, 65, 49, 120, 90, 180);
	AVFrame *drawn;
	Canvas canvas;

	drawn = video_picture_draw(picture, plain, &canvas);
	assert_int_equal(canvas.width, 64);
	assert_pixel(drawn, 10, 10, 120, 90, 180);
	/* Drawing on it leaves the camera's own frame alone. */
	draw_object(&canvas, &(Box){0, 0, 1, 1}, "all");
	assert_pixel(plain, 0, 0, 120, 90, 180);

	/* White of the full range is white of video's. */
	drawn = video_picture_draw(picture, full, &canvas);
	assert_pixel(drawn, 10, 10, 235, 128, 128);
	assert_int_equal(drawn->color_range, AVCOL_RANGE_MPEG);

	drawn = video_picture_draw(picture, odd, &canvas);
	assert_int_equal(drawn->width, 64);
	assert_int_equal(drawn->height, 48);
	assert_pixel(drawn, 60, 44, 120, 90, 180);
	video_picture_free(picture);
	av_frame_free(&plain);
	av_frame_free(&full);
	av_frame_free(&odd);
}

static void
pixels_become_square(void **state)
{
	VideoPicture *picture = video_picture_create(640);
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 352, 576, 120, 128, 128);
	AVFrame *large = make_frame(AV_PIX_FMT_YUV420P, 1280, 720, 120, 128, 128);
	Canvas canvas;

	frame->sample_aspect_ratio = (AVRational){24, 11};
	video_picture_draw(picture, frame, &canvas);
	assert_int_equal(canvas.width, 640);
	assert_int_equal(canvas.height, 480);
	video_picture_draw(picture, large, &canvas);
	assert_int_equal(canvas.width, 640);
	assert_int_equal(canvas.height, 360);
	video_picture_free(picture);
	av_frame_free(&frame);
	av_frame_free(&large);
}

static void
boxes_are_drawn_in_every_plane(void **state)
{
	VideoPicture *picture = video_picture_create(1920);
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 640, 480, 120, 128, 128);
	Canvas canvas;
	AVFrame *drawn = video_picture_draw(picture, frame, &canvas);

	draw_object(&canvas, &(Box){0.25f, 0.5f, 0.25f, 0.25f}, "person 90%");
	draw_footer(&canvas, "lobby");
	/* The accent on the left edge, nothing in the middle, black in the corner. */
	assert_pixel(drawn, 160, 300, 177, 68, 171);
	assert_pixel(drawn, 240, 300, 120, 128, 128);
	assert_pixel(drawn, 1, 478, 16, 128, 128);
	/* Beyond the edges nothing is written. */
	draw_object(&canvas, &(Box){-0.5f, -0.5f, 3, 3}, "huge");
	draw_object(&canvas, &(Box){0.999f, 0.999f, 0.001f, 0.001f}, "tiny");
	video_picture_free(picture);
	av_frame_free(&frame);
}

static void
what_is_private_is_black(void **state)
{
	VideoPicture *picture = video_picture_create(320);
	AVBufferRef *buffer = av_buffer_allocz(sizeof(Polygon));
	PolygonList parts = {.count = 1, .items = (Polygon *) buffer->data, .buffer = buffer};
	Canvas canvas;

	*(Polygon *) buffer->data = (Polygon){4, {{0.5f, 0}, {1, 0}, {1, 0.5f}, {0.5f, 0.5f}}};
	/* Copied, resized, and of another format. */
	for (int i = 0; i < 3; i++)
	{
		static const int formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P};
		static const int widths[] = {320, 640, 320};
		AVFrame *frame = make_frame(formats[i], widths[i], 240, 180, 60, 200);
		AVFrame *drawn;

		assert_int_equal(picture_hide(frame, &parts), 0);
		drawn = video_picture_draw(picture, frame, &canvas);
		assert_non_null(drawn);
		assert_pixel(drawn, drawn->width - 2, 2, 16, 128, 128);
		assert_pixel(drawn, drawn->width / 2 + 2, drawn->height / 2 - 2, 16, 128, 128);
		assert_true(drawn->data[0][2] > 100);
		av_frame_free(&frame);
	}
	av_buffer_unref(&buffer);
	video_picture_free(picture);
}

/* Noise is the worst there is: its bits stay within the bound all the same. */
static void
bits_are_bounded_and_pictures_come_at_once(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 640, 480, 120, 128, 128);
	AVPacket *packet = av_packet_alloc();
	char reason[256];
	Encoder *encoder;
	int64_t bytes = 0;
	int keys = 0;
	unsigned seed = 1;

	frame->color_range = AVCOL_RANGE_MPEG;
	encoder = encoder_open(frame, 10, reason, sizeof(reason));
	assert_non_null(encoder);
	assert_int_equal(encoder_parameters(encoder)->codec_id, AV_CODEC_ID_H264);
	assert_true(encoder_parameters(encoder)->extradata_size > 0);
	for (int i = 0; i < 60; i++)
	{
		assert_true(av_frame_make_writable(frame) >= 0);
		for (int y = 0; y < 480; y++)
			for (int x = 0; x < 640; x++)
				frame->data[0][y * frame->linesize[0] + x] = 16 + rand_r(&seed) % 219;
		assert_int_equal(encoder_send(encoder, frame, i * CLOCK_SECOND / 10), 0);
		assert_int_equal(encoder_receive(encoder, packet), 0);
		assert_int_equal(packet->pts, i * CLOCK_SECOND / 10);
		assert_int_equal(packet->dts, packet->pts);
		assert_int_equal((packet->flags & AV_PKT_FLAG_KEY) != 0, i % 20 == 0);
		keys += (packet->flags & AV_PKT_FLAG_KEY) != 0;
		bytes += packet->size;
		av_packet_unref(packet);
	}
	assert_int_equal(keys, 3);
	/* 0.15 bits a pixel for six seconds, and one second's worth at once. */
	assert_true(bytes * 8 < 640 * 480 * 10 * 0.15 * 7 * 1.1);

	/* Another size is another stream. */
	assert_true(encoder_takes(encoder, frame));
	frame->height = 240;
	assert_false(encoder_takes(encoder, frame));
	encoder_free(encoder);
	av_frame_free(&frame);
	av_packet_free(&packet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_stay_what_they_are),
		cmocka_unit_test(pixels_become_square),
		cmocka_unit_test(boxes_are_drawn_in_every_plane),
		cmocka_unit_test(what_is_private_is_black),
		cmocka_unit_test(bits_are_bounded_and_pictures_come_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
