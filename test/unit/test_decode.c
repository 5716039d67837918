/* Pictures in formats that few cameras send. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <libavformat/avformat.h>

#include "decode.h"

#define WIDTH 64
#define HEIGHT 32

/* A raw picture of bytes of one value, decoded; the caller frees it. */
static AVFrame *
decode_raw(enum AVPixelFormat format, int value, int size)
{
	AVFormatContext *container = avformat_alloc_context();
	AVStream *stream = avformat_new_stream(container, NULL);
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	Decoder *decoder;
	char reason[256];
	int64_t pts_us;

	stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
	stream->codecpar->codec_id = AV_CODEC_ID_RAWVIDEO;
	stream->codecpar->format = format;
	stream->codecpar->width = WIDTH;
	stream->codecpar->height = HEIGHT;
	stream->time_base = (AVRational){1, 25};
	decoder = decoder_open(stream, reason, sizeof(reason));
	assert_non_null(decoder);
	assert_int_equal(av_new_packet(packet, size), 0);
	memset(packet->data, value, size);
	decoder_send(decoder, packet);
	assert_int_equal(decoder_receive(decoder, frame, &pts_us), 1);
	decoder_close(decoder);
	av_packet_free(&packet);
	avformat_free_context(container);
	return frame;
}

/* Whatever comes, what is looked at is a plane of a byte for each pixel. */
static void
bitmaps_become_planes(void **state)
{
	AVFrame *frame = decode_raw(AV_PIX_FMT_MONOBLACK, 0xff, WIDTH / 8 * HEIGHT);

	assert_int_equal(frame->format, AV_PIX_FMT_YUV420P);
	assert_int_equal(frame->width, WIDTH);
	assert_true(frame->data[0][(HEIGHT - 1) * frame->linesize[0] + WIDTH - 1] > 200);
	av_frame_free(&frame);
}

static void
palettes_become_planes(void **state)
{
	AVFrame *frame = decode_raw(AV_PIX_FMT_PAL8, 0, WIDTH * HEIGHT + AVPALETTE_SIZE);

	assert_int_equal(frame->format, AV_PIX_FMT_YUV420P);
	av_frame_free(&frame);
}

static void
planes_stay_as_they_are(void **state)
{
	AVFrame *frame = decode_raw(AV_PIX_FMT_GRAY10LE, 1, 2 * WIDTH * HEIGHT);

	assert_int_equal(frame->format, AV_PIX_FMT_GRAY10LE);
	av_frame_free(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bitmaps_become_planes),
		cmocka_unit_test(palettes_become_planes),
		cmocka_unit_test(planes_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
