/*
 * test_mux_time.c
 *		Timestamps as cameras send them become timestamps that a muxer takes.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#include "mux_time.h"

#define TB ((AVRational){1, 90000})
#define FRAME 3600 /* of 1/90000 s: 25 frames a second */
#define FRAME_US 40000
#define NONE AV_NOPTS_VALUE

static MuxTime
new_time(int delay)
{
	AVCodecParameters *parameters = avcodec_parameters_alloc();
	PacketStreams *streams;
	MuxTime time;

	parameters->video_delay = delay;
	streams = packet_streams_create(parameters, TB, parameters, TB);
	mux_time_init(&time, streams);
	packet_streams_unref(&streams);
	avcodec_parameters_free(&parameters);
	return time;
}

/* The packet that comes out for these stamps; *broken may be NULL. */
static AVPacket
apply(MuxTime *time, PacketKind kind, int64_t pts, int64_t dts, int64_t at_us, bool *broken)
{
	AVPacket *packet = av_packet_alloc();
	AVPacket result;
	bool answer;

	packet->pts = pts;
	packet->dts = dts;
	answer = mux_time_apply(time, kind, packet, TB, at_us);
	if (broken != NULL)
		*broken = answer;
	else
		assert_false(answer);
	result = *packet;
	av_packet_free(&packet);
	assert_true(result.pts >= result.dts);
	assert_true(result.duration > 0);
	return result;
}

static void
test_good_stamps_stay(void **state)
{
	MuxTime time = new_time(0);

	for (int i = 0; i < 100; i++)
	{
		int64_t stamp = 7777777 + i * FRAME;
		AVPacket packet = apply(&time, PACKET_VIDEO, stamp, stamp, NOON + i * FRAME_US, NULL);

		assert_int_equal(packet.pts, i * FRAME_US);
		assert_int_equal(packet.dts, i * FRAME_US);
	}
}

static void
test_first_stamps_missing(void **state)
{
	MuxTime time = new_time(0);

	for (int i = 0; i < 50; i++)
	{
		int64_t stamp = i < 5 ? NONE : 900000 + i * FRAME;
		AVPacket packet = apply(&time, PACKET_VIDEO, stamp, stamp, NOON + i * FRAME_US, NULL);

		assert_int_equal(packet.pts, i * FRAME_US);
		assert_int_equal(packet.dts, packet.pts);
	}
}

/* They come in bursts, so their times say little: the usual distance serves. */
static void
test_missing_stamps_in_a_burst(void **state)
{
	MuxTime time = new_time(0);
	int64_t last = -1;

	for (int i = 0; i < 50; i++)
	{
		int64_t stamp = i % 10 >= 7 ? NONE : 900000 + i * FRAME;
		AVPacket packet = apply(&time, PACKET_VIDEO, stamp, stamp, NOON + i / 10 * 400000, NULL);

		assert_true(packet.dts > last);
		assert_true(llabs(packet.pts - i * FRAME_US) <= 10 * FRAME_US);
		last = packet.dts;
	}
}

static int64_t
ticks(int64_t us)
{
	return av_rescale_q(us, AV_TIME_BASE_Q, TB);
}

/* Feed real B-frames with their dts spoilt, which gets their pts, too. */
static void
check_b_frames(int delay, int64_t (*spoil)(int i, int64_t dts, int64_t pts), int may_move)
{
	StreamFile file = stream_file_read("build/media/bframes-aac.mp4", 20 * CLOCK_SECOND);
	AVRational time_base = file.streams->time_base[PACKET_VIDEO];
	int64_t first_pts = NONE;
	int64_t last = INT64_MIN;
	int moved = 0;
	int i = 0;
	MuxTime time;

	file.streams->parameters[PACKET_VIDEO]->video_delay = delay;
	mux_time_init(&time, file.streams);
	for (int n = 0; n < file.count; n++)
	{
		AVPacket *packet = file.packets[n].packet;
		int64_t pts = stamp_us(packet->pts, time_base);

		if (file.packets[n].kind != PACKET_VIDEO)
			continue;
		packet->dts = spoil(i++, packet->dts, packet->pts);
		assert_false(mux_time_apply(&time, PACKET_VIDEO, packet, time_base, file.packets[n].at_us));
		if (first_pts == NONE)
			first_pts = pts - packet->pts;
		/* Also as MP4 counts: it drops what does not follow. */
		assert_true(last == INT64_MIN || ticks(packet->dts) > ticks(last));
		assert_true(packet->pts >= packet->dts);
		assert_true(packet->pts - packet->dts < CLOCK_SECOND);
		moved += llabs(packet->pts - (pts - first_pts)) > 1;
		last = packet->dts;
	}
	assert_int_equal(i, 200);
	assert_true(moved <= may_move);
	stream_file_free(&file);
}

static int64_t
as_it_is(int i, int64_t dts, int64_t pts)
{
	return dts;
}

static int64_t
missing(int i, int64_t dts, int64_t pts)
{
	return NONE;
}

static int64_t
missing_at_first(int i, int64_t dts, int64_t pts)
{
	return i < 7 ? NONE : dts;
}

static int64_t
too_late(int i, int64_t dts, int64_t pts)
{
	return i % 3 == 0 ? dts + 10 * 9000 : dts;
}

static int64_t
standing_still(int i, int64_t dts, int64_t pts)
{
	return i % 4 == 3 ? dts - 9000 : dts;
}

/* What libavformat says of HEVC over RTSP, whose reordering it does not know. */
static int64_t
like_pts(int i, int64_t dts, int64_t pts)
{
	return pts;
}

static void
test_b_frames(void **state)
{
	check_b_frames(2, as_it_is, 0);
	check_b_frames(2, missing, 0);
	check_b_frames(2, missing_at_first, 0);
	check_b_frames(2, too_late, 0);
	check_b_frames(2, standing_still, 0);
	/* Unannounced reordering is learnt at the cost of a few frames. */
	check_b_frames(0, missing, 4);
	check_b_frames(0, as_it_is, 0);
	check_b_frames(0, like_pts, 4);
	check_b_frames(1, like_pts, 3);
}

static void
test_wrap_and_jumps(void **state)
{
	static const int64_t jumps[] = {-(INT64_C(1) << 33), INT64_C(1) << 40, -90000 * 3600};

	for (size_t k = 0; k < sizeof(jumps) / sizeof(jumps[0]); k++)
	{
		MuxTime time = new_time(0);
		int64_t stamp = (INT64_C(1) << 33) - 50 * FRAME;
		int breaks = 0;

		for (int i = 0; i < 100; i++, stamp += FRAME)
		{
			AVPacket packet;
			bool broken;

			if (i == 50)
				stamp += jumps[k];
			packet = apply(&time, PACKET_VIDEO, stamp, stamp, NOON + i * FRAME_US, &broken);
			assert_int_equal(packet.pts, i * FRAME_US);
			assert_int_equal(broken, i == 50);
			breaks += broken;
		}
		assert_int_equal(breaks, 1);
	}
}

/* Where the packets' own times agree, it is no jump: time has passed. */
static void
test_gap_is_kept(void **state)
{
	MuxTime time = new_time(0);
	AVPacket packet;
	bool broken;

	apply(&time, PACKET_VIDEO, 0, 0, NOON, NULL);
	packet = apply(&time, PACKET_VIDEO, 90000 * 4, 90000 * 4, NOON + 4 * CLOCK_SECOND, &broken);
	assert_false(broken);
	assert_int_equal(packet.pts, 4 * CLOCK_SECOND);
	packet = apply(&time, PACKET_VIDEO, 90000 * 20, 90000 * 20, NOON + 20 * CLOCK_SECOND, &broken);
	assert_true(broken);
	assert_int_equal(packet.pts, 20 * CLOCK_SECOND);
}

/* Both backwards, as in a file that is damaged: the line goes on. */
static void
test_backwards(void **state)
{
	MuxTime time = new_time(0);
	AVPacket packet;
	bool broken;

	for (int i = 0; i < 10; i++)
		apply(&time, PACKET_VIDEO, 90000 * 100 + i * FRAME, NONE,
			  NOON + 100 * CLOCK_SECOND + i * FRAME_US, NULL);
	packet = apply(&time, PACKET_VIDEO, 0, NONE, NOON, &broken);
	assert_true(broken);
	assert_int_equal(packet.pts, 10 * FRAME_US);
	packet = apply(&time, PACKET_VIDEO, FRAME, NONE, NOON + FRAME_US, NULL);
	assert_int_equal(packet.pts, 11 * FRAME_US);
}

/* Sound and picture count from the same moment, whichever comes first. */
static void
test_sound_and_picture(void **state)
{
	MuxTime time = new_time(0);
	AVPacket packet;

	apply(&time, PACKET_VIDEO, 90000, 90000, NOON, NULL);
	packet = apply(&time, PACKET_AUDIO, 90000 - 4500, 90000 - 4500, NOON + 7000, NULL);
	assert_int_equal(packet.pts, -50000);

	/* Stamps that have nothing to do with each other: the packets' times decide. */
	time = new_time(0);
	apply(&time, PACKET_VIDEO, 90000, 90000, NOON, NULL);
	packet = apply(&time, PACKET_AUDIO, INT64_C(1) << 50, INT64_C(1) << 50, NOON + 7000, NULL);
	assert_int_equal(packet.pts, 7000);
}

/* Whatever comes, what goes out is increasing and in order. */
static void
test_hostile_stamps(void **state)
{
	MuxTime time = new_time(3);
	int64_t at_us = NOON;
	int64_t last = INT64_MIN;

	srand(7);
	for (int i = 0; i < 20000; i++)
	{
		int64_t stamps[2];
		AVPacket packet;
		bool broken;

		for (int k = 0; k < 2; k++)
		{
			int64_t any = (int64_t) ((uint64_t) rand() << 33 ^ (uint64_t) rand() << 11 ^ rand());

			stamps[k] = rand() % 5 == 0	   ? NONE
						: rand() % 5 == 0  ? any
						: rand() % 50 == 0 ? INT64_MAX
										   : i * FRAME + rand() % 90000;
		}
		at_us += rand() % 100000;
		packet = apply(&time, PACKET_VIDEO, stamps[0], stamps[1], at_us, &broken);
		assert_true(packet.dts > last);
		last = packet.dts;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_stamps_stay),
		cmocka_unit_test(test_first_stamps_missing),
		cmocka_unit_test(test_missing_stamps_in_a_burst),
		cmocka_unit_test(test_b_frames),
		cmocka_unit_test(test_wrap_and_jumps),
		cmocka_unit_test(test_gap_is_kept),
		cmocka_unit_test(test_backwards),
		cmocka_unit_test(test_sound_and_picture),
		cmocka_unit_test(test_hostile_stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
