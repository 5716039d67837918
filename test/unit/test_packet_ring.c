/*
 * test_packet_ring.c
 *		Bounds of the packet ring, and readers that keep up or do not.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#define GOP 10

/* Add packets [from, to) of 1000 bytes at 10 a second, a keyframe every GOP. */
static void
push_frames(PacketRing *ring, int from, int to)
{
	for (int i = from; i < to; i++)
	{
		AVPacket *packet = av_packet_alloc();

		assert_int_equal(av_new_packet(packet, 1000), 0);
		memset(packet->data, 0, packet->size);
		packet->pts = i;
		packet->flags = i % GOP == 0 ? AV_PKT_FLAG_KEY : 0;
		assert_int_equal(packet_ring_push(ring, PACKET_VIDEO, packet, NOON + i * CLOCK_SECOND / 10),
						 0);
		av_packet_free(&packet);
	}
}

static PacketRing *
new_ring(size_t max_bytes, int64_t max_us)
{
	PacketRing *ring = packet_ring_create(max_bytes, max_us);
	AVCodecParameters *parameters = avcodec_parameters_alloc();
	PacketStreams *streams =
		packet_streams_create(parameters, (AVRational){1, 10}, NULL, (AVRational){0, 1});

	packet_ring_set_streams(ring, streams);
	packet_streams_unref(&streams);
	avcodec_parameters_free(&parameters);
	return ring;
}

static void
test_needs_streams(void **state)
{
	PacketRing *ring = packet_ring_create(1 << 20, CLOCK_SECOND);
	AVPacket *packet = av_packet_alloc();

	assert_int_equal(packet_ring_push(ring, PACKET_VIDEO, packet, NOON), AVERROR(EINVAL));
	av_packet_free(&packet);
	packet_ring_free(ring);
}

static void
test_covers_its_time_in_whole_groups(void **state)
{
	PacketRing *ring = new_ring(64 << 20, 3 * CLOCK_SECOND);
	RingPacket packet;
	RingReader reader;
	PacketRingStats stats;

	assert_int_equal(ring_packet_init(&packet), 0);
	for (int i = 0; i < 2000; i++)
	{
		push_frames(ring, i, i + 1);
		packet_ring_stats(ring, &stats);
		assert_int_equal(stats.newest_us, NOON + i * CLOCK_SECOND / 10);
		if (i >= 50)
			assert_true(stats.span_us >= 3 * CLOCK_SECOND);
		assert_true(stats.span_us < 4 * CLOCK_SECOND);

		ring_reader_init(&reader, ring);
		assert_int_equal(ring_reader_next(&reader, &packet), 1);
		assert_true(ring_packet_is_key(&packet));
		assert_int_equal(stats.newest_us - packet.at_us, stats.span_us);
	}
	assert_int_equal(stats.pushed, 2000);
	ring_packet_free(&packet);
	packet_ring_free(ring);
}

static void
test_never_exceeds_its_bytes(void **state)
{
	PacketRing *ring = new_ring(25 * 1400, 1000 * CLOCK_SECOND);
	PacketRingStats stats;

	for (int i = 0; i < 500; i++)
	{
		push_frames(ring, i, i + 1);
		packet_ring_stats(ring, &stats);
		assert_true(stats.bytes <= 25 * 1400);
	}
	assert_true(stats.packets >= GOP);

	/* One endless group: no reader can begin in it, and it keeps its bound. */
	for (int i = 1; i < 300; i++)
	{
		AVPacket *packet = av_packet_alloc();

		assert_int_equal(av_new_packet(packet, 1000), 0);
		packet_ring_push(ring, PACKET_VIDEO, packet, NOON + i);
		av_packet_free(&packet);
		packet_ring_stats(ring, &stats);
		assert_true(stats.bytes <= 25 * 1400);
	}
	RingReader reader;

	ring_reader_init(&reader, ring);
	assert_false(ring_reader_seek(&reader, NOON, 0));
	packet_ring_free(ring);
}

static void
test_nothing_before_the_first_keyframe(void **state)
{
	PacketRing *ring = new_ring(1 << 20, CLOCK_SECOND);
	PacketRingStats stats;

	push_frames(ring, 3, 9);
	packet_ring_stats(ring, &stats);
	assert_int_equal(stats.packets, 0);
	assert_true(stats.newest_us == INT64_MIN);
	packet_ring_free(ring);
}

static void
test_reader_gets_every_packet_without_copies(void **state)
{
	PacketRing *ring = new_ring(64 << 20, 3 * CLOCK_SECOND);
	RingReader reader;
	RingPacket packet;
	AVPacket *source = av_packet_alloc();

	assert_int_equal(ring_packet_init(&packet), 0);
	ring_reader_init(&reader, ring);
	for (int i = 0; i < 500; i++)
	{
		push_frames(ring, i, i + 1);
		assert_int_equal(ring_reader_next(&reader, &packet), 1);
		assert_int_equal(packet.packet->pts, i);
		assert_int_equal(packet.number, i + 1);
		assert_int_equal(packet.lost, 0);
		assert_int_equal(ring_reader_next(&reader, &packet), 0);
	}
	assert_int_equal(av_new_packet(source, 64), 0);
	source->flags = AV_PKT_FLAG_KEY;
	packet_ring_push(ring, PACKET_VIDEO, source, NOON);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_ptr_equal(packet.packet->data, source->data);
	av_packet_free(&source);
	ring_packet_free(&packet);
	packet_ring_free(ring);
}

static void
test_overtaken_reader_counts_and_resumes_at_a_keyframe(void **state)
{
	PacketRing *ring = new_ring(64 << 20, 3 * CLOCK_SECOND);
	RingReader reader;
	RingPacket packet;

	assert_int_equal(ring_packet_init(&packet), 0);
	ring_reader_init(&reader, ring);
	push_frames(ring, 0, 5);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	push_frames(ring, 5, 205);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_true(ring_packet_is_key(&packet));
	assert_int_equal(packet.packet->pts, packet.lost + 1);
	assert_int_equal(reader.lost, packet.lost);
	assert_true(packet.lost >= 150);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.lost, 0);

	/* Overtaken when no keyframe is left: it waits for one. */
	packet_ring_set_bounds(ring, 5 * 1400, CLOCK_SECOND);
	push_frames(ring, 205, 209);
	assert_int_equal(ring_reader_next(&reader, &packet), 0);
	push_frames(ring, 209, 210);
	assert_int_equal(ring_reader_next(&reader, &packet), 0);
	push_frames(ring, 210, 212);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.packet->pts, 210);
	assert_true(packet.lost > 0);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.packet->pts, 211);
	ring_packet_free(&packet);
	packet_ring_free(ring);
}

static void
test_seek(void **state)
{
	PacketRing *ring = new_ring(64 << 20, 10 * CLOCK_SECOND);
	RingReader reader;
	RingPacket packet;

	assert_int_equal(ring_packet_init(&packet), 0);
	push_frames(ring, 0, 60);
	ring_reader_init(&reader, ring);
	assert_true(ring_reader_seek(&reader, NOON + 25 * CLOCK_SECOND / 10, 0));
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.packet->pts, 20);

	/* Never before what the reader has already had. */
	assert_true(ring_reader_seek(&reader, NOON, 32));
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.packet->pts, 40);
	assert_false(ring_reader_seek(&reader, NOON, 52));

	/* The group before the one that is under way. */
	assert_true(ring_reader_seek_before(&reader, packet.number));
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.packet->pts, 30);
	assert_false(ring_reader_seek_before(&reader, 1));
	ring_packet_free(&packet);
	packet_ring_free(ring);
}

/* What a packet belongs to stays true when the camera reconnects as another. */
static void
test_packets_keep_their_streams(void **state)
{
	PacketRing *ring = new_ring(64 << 20, 10 * CLOCK_SECOND);
	AVCodecParameters *parameters = avcodec_parameters_alloc();
	PacketStreams *other;
	RingReader reader;
	RingPacket packet;

	parameters->width = 640;
	other = packet_streams_create(parameters, (AVRational){1, 90000}, NULL, (AVRational){0, 1});
	push_frames(ring, 0, 1);
	packet_ring_set_streams(ring, other);
	packet_streams_unref(&other);
	push_frames(ring, 10, 11);
	assert_int_equal(ring_packet_init(&packet), 0);
	ring_reader_init(&reader, ring);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	assert_int_equal(packet.streams->parameters[PACKET_VIDEO]->width, 0);
	assert_int_equal(ring_reader_next(&reader, &packet), 1);
	packet_ring_free(ring);
	assert_int_equal(packet.streams->parameters[PACKET_VIDEO]->width, 640);
	ring_packet_free(&packet);
	avcodec_parameters_free(&parameters);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs_streams),
		cmocka_unit_test(test_covers_its_time_in_whole_groups),
		cmocka_unit_test(test_never_exceeds_its_bytes),
		cmocka_unit_test(test_nothing_before_the_first_keyframe),
		cmocka_unit_test(test_reader_gets_every_packet_without_copies),
		cmocka_unit_test(test_overtaken_reader_counts_and_resumes_at_a_keyframe),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_packets_keep_their_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
