/*
 * test_video_header.c
 *		Parameter sets found in the stream, and told apart when they change.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#include "video_header.h"

static StreamPacket *
keyframe(StreamFile *file, int n)
{
	for (int i = 0; i < file->count; i++)
		if (file->packets[i].kind == PACKET_VIDEO &&
			(file->packets[i].packet->flags & AV_PKT_FLAG_KEY) && n-- == 0)
			return &file->packets[i];
	fail_msg("no such keyframe");
	return NULL;
}

static void
forget_extradata(AVCodecParameters *parameters)
{
	av_freep(&parameters->extradata);
	parameters->extradata_size = 0;
	parameters->width = 0;
	parameters->height = 0;
}

static void
test_found_in_band(void **state)
{
	StreamFile file = stream_file_read("build/media/resolution-change.ts", 20 * CLOCK_SECOND);
	AVCodecParameters *parameters = file.streams->parameters[PACKET_VIDEO];
	AVPacket *not_key = file.packets[1].packet;
	VideoHeader *header;
	int changes = 0;
	int keys = 0;

	forget_extradata(parameters);
	header = video_header_create(parameters);
	assert_non_null(header);
	assert_int_equal(video_header_update(header, not_key), 0);
	assert_false(video_header_complete(header));
	for (int i = 0; i < file.count; i++)
	{
		const AVCodecParameters *now;

		if (!(file.packets[i].packet->flags & AV_PKT_FLAG_KEY))
			continue;
		changes += video_header_update(header, file.packets[i].packet);
		assert_true(video_header_complete(header));
		now = video_header_parameters(header);
		assert_int_equal(now->width, keys < 10 ? 768 : 640);
		assert_int_equal(now->height, keys < 10 ? 576 : 480);
		keys++;
	}
	assert_int_equal(keys, 20);
	assert_int_equal(changes, 1);
	video_header_free(header);
	stream_file_free(&file);
}

/* What an SDP says and what the stream says differ in bytes, not in meaning. */
static void
test_same_sets_in_another_shape(void **state)
{
	StreamFile file = stream_file_read("build/media/sound-aac.ts", 3 * CLOCK_SECOND);
	AVCodecParameters *parameters = file.streams->parameters[PACKET_VIDEO];
	uint8_t *longer = av_mallocz(parameters->extradata_size + 64 + AV_INPUT_BUFFER_PADDING_SIZE);
	static const uint8_t other_pps[] = {0, 0, 1, 0x68, 0xee, 0x3c, 0x80};
	VideoHeader *header;

	/* One set more, in front, and zero bytes at the end. */
	memcpy(longer, other_pps, sizeof(other_pps));
	memcpy(longer + sizeof(other_pps), parameters->extradata, parameters->extradata_size);
	av_free(parameters->extradata);
	parameters->extradata = longer;
	parameters->extradata_size += sizeof(other_pps) + 2;
	header = video_header_create(parameters);
	for (int i = 0; i < 3; i++)
		assert_int_equal(video_header_update(header, keyframe(&file, i)->packet), 0);
	assert_int_equal(video_header_parameters(header)->extradata_size, parameters->extradata_size);
	video_header_free(header);
	stream_file_free(&file);
}

/* Containers announce new sets beside the packet. */
static void
test_announced_as_side_data(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", 3 * CLOCK_SECOND);
	StreamFile other = stream_file_read("build/media/idle-720p15.mp4", CLOCK_SECOND);
	const AVCodecParameters *fresh = other.streams->parameters[PACKET_VIDEO];
	VideoHeader *header = video_header_create(file.streams->parameters[PACKET_VIDEO]);
	AVPacket *packet = keyframe(&other, 0)->packet;
	uint8_t *data;

	assert_int_equal(video_header_update(header, keyframe(&file, 0)->packet), 0);
	assert_int_equal(video_header_parameters(header)->width, 768);
	data = av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, fresh->extradata_size);
	memcpy(data, fresh->extradata, fresh->extradata_size);
	assert_int_equal(video_header_update(header, packet), 1);
	assert_int_equal(video_header_parameters(header)->width, 1280);
	assert_int_equal(video_header_parameters(header)->height, 720);
	assert_int_equal(video_header_update(header, packet), 0);
	video_header_free(header);
	stream_file_free(&file);
	stream_file_free(&other);
}

static void
test_jpeg_dimensions(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mjpeg.avi", CLOCK_SECOND);
	AVCodecParameters *parameters = file.streams->parameters[PACKET_VIDEO];
	AVPacket *cut = av_packet_clone(file.packets[0].packet);
	VideoHeader *header;

	parameters->width = 320;
	parameters->height = 240;
	/* As RTSP leaves it: RTP's packets of JPEG are made for one format or the other. */
	parameters->format = AV_PIX_FMT_NONE;
	header = video_header_create(parameters);
	assert_int_equal(video_header_update(header, file.packets[0].packet), 1);
	assert_int_equal(video_header_parameters(header)->width, 768);
	assert_int_equal(video_header_parameters(header)->height, 576);
	assert_int_equal(video_header_parameters(header)->format, AV_PIX_FMT_YUVJ420P);
	assert_int_equal(video_header_update(header, file.packets[1].packet), 0);

	/* A picture that ends anywhere tells nothing, and nothing is read beyond it. */
	for (int size = 0; size < 700; size++)
	{
		uint8_t *exact = malloc(size + 1);
		uint8_t *whole = cut->data;

		memcpy(exact, whole, size);
		cut->data = exact;
		cut->size = size;
		assert_int_equal(video_header_update(header, cut), 0);
		cut->data = whole;
		free(exact);
	}
	av_packet_free(&cut);
	video_header_free(header);
	stream_file_free(&file);
}

/* Bytes of no meaning in a keyframe's place. */
static void
test_garbage(void **state)
{
	StreamFile file = stream_file_read("build/media/resolution-change.ts", CLOCK_SECOND);
	VideoHeader *header = video_header_create(file.streams->parameters[PACKET_VIDEO]);

	srand(3);
	for (int round = 0; round < 2000; round++)
	{
		AVPacket *packet = av_packet_alloc();

		assert_int_equal(av_new_packet(packet, 1 + rand() % 200), 0);
		for (int i = 0; i < packet->size; i++)
			packet->data[i] = rand() % 3 == 0 ? 0 : rand() % 8 == 0 ? 1 : rand();
		assert_true(video_header_update(header, packet) >= 0);
		av_packet_free(&packet);
	}
	video_header_free(header);
	stream_file_free(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_in_band),
		cmocka_unit_test(test_same_sets_in_another_shape),
		cmocka_unit_test(test_announced_as_side_data),
		cmocka_unit_test(test_jpeg_dimensions),
		cmocka_unit_test(test_garbage),
	};

	av_log_set_level(AV_LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
