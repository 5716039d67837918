/*
 * test_recorder.c
 *		Recordings of real streams: every packet of the stream lies in exactly one
 *		file, at its own time.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#define SECONDS(n) ((int64_t) ((n) *CLOCK_SECOND))

/* Stamps pass through 1/90000 s. */
#define TICK_US 12

/* Where a walk over the recorded files stands in the stream they came from. */
typedef struct Walk
{
	const StreamFile *file;
	int next[PACKET_KINDS]; /* the packet of the stream expected next */
	int64_t audio_end_us;	/* for sound that was encoded anew */
	int audio_packets;
} Walk;

/* The next packet of the stream of this kind, moving on. */
static const StreamPacket *
expect_packet(Walk *walk, PacketKind kind)
{
	while (walk->next[kind] < walk->file->count &&
		   walk->file->packets[walk->next[kind]].kind != kind)
		walk->next[kind]++;
	if (walk->next[kind] >= walk->file->count)
		return NULL;
	return &walk->file->packets[walk->next[kind]++];
}

static bool
sound_is_copied(const StreamFile *file)
{
	const AVCodecParameters *audio = file->streams->parameters[PACKET_AUDIO];

	return audio != NULL && (audio->codec_id == AV_CODEC_ID_AAC);
}

static void
check_video(Walk *walk, const AVPacket *packet, int64_t at_us)
{
	enum AVCodecID codec = walk->file->streams->parameters[PACKET_VIDEO]->codec_id;
	bool nal_units = codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC;
	const StreamPacket *source = expect_packet(walk, PACKET_VIDEO);

	assert_non_null(source);
	assert_int_equal(payload_crc(packet, false, nal_units),
					 payload_crc(source->packet, walk->file->annex_b, nal_units));
	assert_int_equal(packet->flags & AV_PKT_FLAG_KEY, source->packet->flags & AV_PKT_FLAG_KEY);
	assert_in_range(at_us - source->at_us + TICK_US, 0, 2 * TICK_US);
}

static void
check_audio(Walk *walk, const AVPacket *packet, int64_t at_us, int64_t duration_us)
{
	const StreamPacket *source;

	walk->audio_packets++;
	if (sound_is_copied(walk->file))
	{
		source = expect_packet(walk, PACKET_AUDIO);
		/* Sound from before the first picture is not recorded. */
		while (walk->audio_packets == 1 && source != NULL && source->at_us < at_us - TICK_US * 4)
			source = expect_packet(walk, PACKET_AUDIO);
		assert_non_null(source);
		assert_true(packet->size <= source->packet->size);
		assert_memory_equal(
			packet->data, source->packet->data + source->packet->size - packet->size, packet->size);
		assert_in_range(at_us - source->at_us + 70, 0, 140);
	}
	else if (walk->audio_packets > 1)
		assert_in_range(at_us - walk->audio_end_us + 130, 0, 260); /* one sample of 8 kHz */
	walk->audio_end_us = at_us + duration_us;
}

static void
check_sha256(const char *path, const RecordingEvent *event)
{
	struct AVSHA *sha = av_sha_alloc();
	uint8_t digest[32];
	char text[MEDIA_SHA256];
	uint8_t buffer[65536];
	int64_t bytes = 0;
	FILE *stream = fopen(path, "rb");
	size_t n;

	assert_non_null(stream);
	av_sha_init(sha, 256);
	while ((n = fread(buffer, 1, sizeof(buffer), stream)) > 0)
	{
		av_sha_update(sha, buffer, n);
		bytes += n;
	}
	fclose(stream);
	av_sha_final(sha, digest);
	av_free(sha);
	for (int i = 0; i < 32; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	assert_string_equal(event->sha256, text);
	assert_int_equal(event->bytes, bytes);
}

/* Walk over one recorded file and check what was reported of it. */
static void
check_file(Walk *walk, const Camera *camera, const RecordingEvent *event)
{
	AVFormatContext *input = NULL;
	AVPacket *packet = av_packet_alloc();
	char path[256];
	int64_t frames = 0;

	camera_path(camera, event, path, sizeof(path));
	check_sha256(path, event);
	assert_int_equal(avformat_open_input(&input, path, NULL, NULL), 0);
	assert_true(avformat_find_stream_info(input, NULL) >= 0);
	assert_int_equal(input->streams[0]->codecpar->width, event->width);
	assert_int_equal(input->streams[0]->codecpar->height, event->height);
	assert_string_equal(avcodec_get_name(input->streams[0]->codecpar->codec_id), event->codec);
	while (av_read_frame(input, packet) == 0)
	{
		AVRational time_base = input->streams[packet->stream_index]->time_base;
		int64_t at_us = event->started_us + stamp_us(packet->pts, time_base);

		if (packet->stream_index == 0)
		{
			if (frames++ == 0)
				assert_true(packet->flags & AV_PKT_FLAG_KEY);
			check_video(walk, packet, at_us);
		}
		else
			check_audio(walk, packet, at_us, stamp_us(packet->duration, time_base));
		av_packet_unref(packet);
	}
	assert_int_equal(event->frames, frames);
	assert_int_equal(event->has_audio, input->nb_streams > 1);
	av_packet_free(&packet);
	avformat_close_input(&input);
}

/* Record a whole stream in segments and compare. */
static void
check_continuity(const char *path, int64_t max_us)
{
	StreamFile file = stream_file_read(path, max_us);
	Camera *camera = camera_create(NULL, SECONDS(3), 0);
	Walk walk = {.file = &file};
	int64_t frames = 0;
	int segments;

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, file.count);
	camera_stop(camera);
	segments = camera_count(camera, RECORDING_CLOSED);
	assert_true(segments >= 3);
	assert_int_equal(camera_count(camera, RECORDING_OPENED), segments);
	assert_int_equal(camera_count(camera, RECORDING_FAILED), 0);
	for (int i = 0; i < segments; i++)
	{
		const RecordingEvent *event = camera_event(camera, RECORDING_CLOSED, i);

		check_file(&walk, camera, event);
		frames += event->frames;
		if (i + 1 < segments)
		{
			assert_int_equal(event->ended_us,
							 camera_event(camera, RECORDING_CLOSED, i + 1)->started_us);
			assert_true(event->ended_us - event->started_us >= SECONDS(3));
		}
	}
	assert_int_equal(frames, file.video_count);
	if (file.streams->parameters[PACKET_AUDIO] != NULL)
	{
		assert_true(walk.audio_packets > 100);
		assert_true(walk.audio_end_us >= file.packets[file.count - 1].at_us - SECONDS(0.4));
	}
	if (sound_is_copied(&file))
		assert_null(expect_packet(&walk, PACKET_AUDIO));
	camera_free(camera);
	stream_file_free(&file);
}

static void
test_h264(void **state)
{
	check_continuity("build/media/vtest.mp4", SECONDS(20));
}

static void
test_hevc(void **state)
{
	check_continuity("build/media/vtest-hevc.mp4", SECONDS(20));
}

static void
test_mjpeg(void **state)
{
	check_continuity("build/media/vtest.mjpeg.avi", SECONDS(12));
}

static void
test_b_frames_and_aac(void **state)
{
	check_continuity("build/media/bframes-aac.mp4", SECONDS(20));
}

/*
 * A slow camera that says all kinds of things about how long a frame lasts:
 * sound ends most fragments, in the middle of a frame.
 */
static void
test_wrong_durations(void **state)
{
	StreamFile file = stream_file_read("build/media/bframes-aac.mp4", SECONDS(10));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);
	Walk walk = {.file = &file};
	int frames = 0;
	int kept = 0;

	for (int i = 0; i < file.count; i++)
	{
		if (file.packets[i].kind == PACKET_VIDEO && frames++ % 7 > 0)
		{
			av_packet_free(&file.packets[i].packet);
			continue;
		}
		if (file.packets[i].kind == PACKET_VIDEO)
			file.packets[i].packet->duration = i % 3;
		file.packets[kept++] = file.packets[i];
	}
	file.count = kept;
	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, file.count);
	camera_stop(camera);
	check_file(&walk, camera, camera_event(camera, RECORDING_CLOSED, 0));
	assert_null(expect_packet(&walk, PACKET_VIDEO));
	camera_free(camera);
	stream_file_free(&file);
}

static void
test_g711_becomes_aac(void **state)
{
	check_continuity("build/media/sound-g711.mkv", SECONDS(20));
}

static void
test_everything_in_band(void **state)
{
	check_continuity("build/media/sound-aac.ts", SECONDS(20));
}

/* The stream's second half has another size: its own file, with its own header. */
static void
test_new_parameter_sets_begin_a_file(void **state)
{
	StreamFile file = stream_file_read("build/media/resolution-change.ts", SECONDS(60));
	Camera *camera = camera_create(NULL, SECONDS(600), 0);
	Walk walk = {.file = &file};

	/* As from a camera that announces nothing beforehand. */
	av_freep(&file.streams->parameters[PACKET_VIDEO]->extradata);
	file.streams->parameters[PACKET_VIDEO]->extradata_size = 0;
	file.streams->parameters[PACKET_VIDEO]->width = 0;
	file.streams->parameters[PACKET_VIDEO]->height = 0;

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, file.count);
	camera_stop(camera);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 2);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->width, 768);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 1)->width, 640);
	for (int i = 0; i < 2; i++)
		check_file(&walk, camera, camera_event(camera, RECORDING_CLOSED, i));
	assert_null(expect_packet(&walk, PACKET_VIDEO));
	camera_free(camera);
	stream_file_free(&file);
}

/* vtest.mp4 has ten frames and one keyframe a second. */
static void
test_pre_roll_and_post_roll(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(60));
	Camera *camera = camera_create(NULL, SECONDS(60), SECONDS(3));
	const RecordingEvent *event;

	camera_play(camera, &file, 0, 125);
	assert_int_equal(camera->nevents, 0);
	recorder_want(camera->recorder, RECORD_MOTION, NOON + SECONDS(12.2), RECORD_FOREVER);
	camera_play(camera, &file, 125, 150);
	assert_int_equal(camera_count(camera, RECORDING_OPENED), 1);
	recorder_want(camera->recorder, RECORD_MOTION, NOON + SECONDS(12.2), NOON + SECONDS(17.5));
	camera_play(camera, &file, 150, 200);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 1);
	event = camera_event(camera, RECORDING_CLOSED, 0);
	assert_int_equal(event->started_us, NOON + SECONDS(9));
	assert_int_equal(event->ended_us, NOON + SECONDS(18));
	assert_int_equal(event->frames, 90);
	assert_int_equal(event->reason, RECORD_MOTION);
	assert_string_equal(event->path, "3/2025-12-31/120009.000Z-motion.mp4");

	/* The next pre-roll reaches into what is recorded: it begins where that ended. */
	recorder_want(camera->recorder, RECORD_ALERT, NOON + SECONDS(19), NOON + SECONDS(20.1));
	camera_play(camera, &file, 200, 250);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 2);
	event = camera_event(camera, RECORDING_CLOSED, 1);
	assert_int_equal(event->started_us, NOON + SECONDS(18));
	assert_int_equal(event->ended_us, NOON + SECONDS(21));
	assert_string_equal(record_reason_name(event->reason), "alert");
	camera_stop(camera);
	assert_int_equal(camera->nevents, 4);
	camera_free(camera);
	stream_file_free(&file);
}

/* A wish that is over before the recorder looks is still fulfilled from the ring. */
static void
test_late_wishes(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(60));
	Camera *camera = camera_create(NULL, SECONDS(60), SECONDS(1));
	const RecordingEvent *event;

	camera_play(camera, &file, 0, 200);
	recorder_want(camera->recorder, RECORD_MANUAL, NOON + SECONDS(13), NOON + SECONDS(15));
	recorder_run(camera->recorder);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 1);
	event = camera_event(camera, RECORDING_CLOSED, 0);
	assert_int_equal(event->started_us, NOON + SECONDS(12));
	assert_int_equal(event->ended_us, NOON + SECONDS(15));

	/* One whose time has left the ring records nothing, and one to come waits. */
	recorder_want(camera->recorder, RECORD_MOTION, NOON + SECONDS(1), NOON + SECONDS(2));
	recorder_want(camera->recorder, RECORD_ALERT, NOON + SECONDS(25), NOON + SECONDS(26));
	recorder_run(camera->recorder);
	assert_int_equal(camera->nevents, 2);
	camera_play(camera, &file, 200, 280);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 2);
	event = camera_event(camera, RECORDING_CLOSED, 1);
	assert_int_equal(event->started_us, NOON + SECONDS(24));
	assert_int_equal(event->ended_us, NOON + SECONDS(26));
	camera_free(camera);
	stream_file_free(&file);
}

/* A segment is known by the strongest reason that held while it was written. */
static void
test_reasons(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(60));
	Camera *camera = camera_create(NULL, SECONDS(5), 0);

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, 70);
	recorder_want(camera->recorder, RECORD_ALERT, NOON + SECONDS(7), NOON + SECONDS(8));
	camera_play(camera, &file, 70, 160);
	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, NOON + SECONDS(15.5));
	camera_play(camera, &file, 160, 300);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 4);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->reason, RECORD_CONTINUOUS);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 1)->reason, RECORD_ALERT);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 2)->reason, RECORD_CONTINUOUS);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 3)->frames, 10);
	camera_free(camera);
	stream_file_free(&file);
}

/* A camera that comes back as another: what was in the ring is not lost. */
static void
test_reconnect(void **state)
{
	StreamFile h264 = stream_file_read("build/media/vtest.mp4", SECONDS(5));
	StreamFile hevc = stream_file_read("build/media/vtest-hevc.mp4", SECONDS(5));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	packet_ring_set_streams(camera->ring, h264.streams);
	for (int i = 0; i < 43; i++)
		camera_push(camera, &h264.packets[i]);
	packet_ring_set_streams(camera->ring, hevc.streams);
	/* It comes back in the middle of a group: that much cannot be recorded. */
	for (int i = 5; i < 40; i++)
	{
		hevc.packets[i].at_us += SECONDS(5);
		camera_push(camera, &hevc.packets[i]);
	}
	camera_stop(camera);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 2);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->frames, 43);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->ended_us, NOON + SECONDS(4.3));
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 1)->frames, 30);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 1)->started_us, NOON + SECONDS(6));
	assert_string_equal(camera_event(camera, RECORDING_CLOSED, 1)->codec, "hevc");
	camera_free(camera);
	stream_file_free(&h264);
	stream_file_free(&hevc);
}

/* A recorder that falls out of the ring goes on in a new file, and says so. */
static void
test_overtaken(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(60));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);
	const RecordingEvent *event;

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, 25);
	for (int i = 25; i < 300; i++)
		camera_push(camera, &file.packets[i]);
	camera_play(camera, &file, 300, 310);
	camera_stop(camera);
	assert_int_equal(camera_count(camera, RECORDING_CLOSED), 2);
	event = camera_event(camera, RECORDING_CLOSED, 1);
	assert_true(event->started_us >= NOON + SECONDS(18));
	assert_int_equal(event->started_us + event->frames * SECONDS(0.1), NOON + SECONDS(31));
	camera_free(camera);
	stream_file_free(&file);
}

static void
test_codec_that_cannot_be_recorded(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.avi", SECONDS(10));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, file.count);
	assert_int_equal(camera->nevents, 1);
	assert_string_equal(camera_event(camera, RECORDING_FAILED, 0)->message,
						"video of codec msmpeg4v3 cannot be recorded");
	camera_free(camera);
	stream_file_free(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h264),
		cmocka_unit_test(test_hevc),
		cmocka_unit_test(test_mjpeg),
		cmocka_unit_test(test_b_frames_and_aac),
		cmocka_unit_test(test_wrong_durations),
		cmocka_unit_test(test_g711_becomes_aac),
		cmocka_unit_test(test_everything_in_band),
		cmocka_unit_test(test_new_parameter_sets_begin_a_file),
		cmocka_unit_test(test_pre_roll_and_post_roll),
		cmocka_unit_test(test_late_wishes),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_codec_that_cannot_be_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
