/* A camera whose keyframes are watched, on videos the test makes, without a model. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <libavutil/opt.h>

#include "clock.h"
#include "fleet.h"
#include "log.h"
#include "video_fixture.h"

#define WIDTH 320
#define HEIGHT 180
#define FPS 10
#define SECONDS 60
#define PATIENCE_US (60 * CLOCK_SECOND)

/* Somebody is in the picture from here to there, in seconds; between two keyframes it begins. */
#define FIRST_BEGIN 20.4
#define FIRST_END 24.0
#define SECOND_BEGIN 40.7
#define SECOND_END 43.0

/* What the encoder of the test's videos leaves behind is not ours. */
extern const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libx265\n";
}

static char root[] = "/tmp/pg_cctv_idle_XXXXXX";

/* What a run of a camera said. */
typedef struct Run
{
	char *lines; /* all, without what may differ */
	int nmotion;
	double motion[16]; /* edges, seconds from the file's start */
	double last_motion_area;
	json_t *stats; /* the last */
} Run;

static void
discard(void *arg, LogLevel level, int camera_id, const char *message)
{
}

static int
set_up(void **state)
{
	log_capture_ffmpeg();
	log_set_sink(discard, NULL);
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static bool
somebody_is_there(double t)
{
	return (t >= FIRST_BEGIN && t < FIRST_END) || (t >= SECOND_BEGIN && t < SECOND_END);
}

/* A view with some noise, through which somebody walks. */
static void
paint(AVFrame *frame, int n)
{
	double t = (double) n / FPS;
	uint32_t seed = (uint32_t) n * 2654435761u;
	int x = 50 + (int) (t * 30) % 200;

	for (int y = 0; y < HEIGHT; y++)
		for (int column = 0; column < WIDTH; column++)
		{
			seed = seed * 1664525u + 1013904223u;
			frame->data[0][y * frame->linesize[0] + column] =
				(uint8_t) (80 + (column / 20 + y / 20) % 3 * 30 + (seed >> 29));
		}
	for (int y = 75; somebody_is_there(t) && y < 115; y++)
		memset(frame->data[0] + y * frame->linesize[0] + x, 220, 15);
	for (int plane = 1; plane < 3; plane++)
		for (int y = 0; y < HEIGHT / 2; y++)
			memset(frame->data[plane] + y * frame->linesize[plane], 128, WIDTH / 2);
}

/* Write the video with this encoder; false when FFmpeg has none such. */
static bool
write_video(char path[128], const char *name, const char *codec, int gop, int bframes,
			const char *options)
{
	const AVCodec *found = avcodec_find_encoder_by_name(codec);
	AVFormatContext *output = NULL;
	AVCodecContext *encoder = avcodec_alloc_context3(found);
	AVFrame *frame = av_frame_alloc();
	AVPacket *packet = av_packet_alloc();
	AVDictionary *dictionary = NULL;
	AVStream *stream;

	snprintf(path, 128, "%s/%s", root, name);
	if (found == NULL)
		return false;
	assert_true(avformat_alloc_output_context2(&output, NULL, NULL, path) >= 0);
	stream = avformat_new_stream(output, NULL);
	encoder->width = frame->width = WIDTH;
	encoder->height = frame->height = HEIGHT;
	encoder->pix_fmt = frame->format = AV_PIX_FMT_YUV420P;
	if (found->id == AV_CODEC_ID_MJPEG)
		encoder->color_range = AVCOL_RANGE_JPEG;
	encoder->time_base = stream->time_base = (AVRational){1, FPS};
	encoder->gop_size = gop;
	encoder->max_b_frames = bframes;
	encoder->bit_rate = 1000000;
	if (output->oformat->flags & AVFMT_GLOBALHEADER)
		encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	av_dict_parse_string(&dictionary, options, "=", ",", 0);
	assert_int_equal(avcodec_open2(encoder, found, &dictionary), 0);
	av_dict_free(&dictionary);
	assert_true(avcodec_parameters_from_context(stream->codecpar, encoder) >= 0);
	assert_true(avio_open(&output->pb, path, AVIO_FLAG_WRITE) >= 0);
	assert_true(avformat_write_header(output, NULL) >= 0);
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	for (int n = 0; n < SECONDS * FPS; n++)
	{
		assert_int_equal(av_frame_make_writable(frame), 0);
		paint(frame, n);
		frame->pts = n;
		assert_int_equal(avcodec_send_frame(encoder, frame), 0);
		video_drain(encoder, output, packet);
	}
	avcodec_send_frame(encoder, NULL);
	video_drain(encoder, output, packet);
	av_write_trailer(output);
	avio_closep(&output->pb);
	avcodec_free_context(&encoder);
	avformat_free_context(output);
	av_packet_free(&packet);
	av_frame_free(&frame);
	return true;
}

static void
note_event(Run *run, json_t *event)
{
	static const char *const varying[] = {"session",	  "fps_in",		  "fps_decoded",
										  "fps_analysed", "inference_ms", "decoded_at"};
	const char *type = json_string_value(json_object_get(event, "type"));
	char *line;

	if (strcmp(type, "motion") == 0 && run->nmotion < 16)
	{
		int64_t at_us;
		int64_t begin_us;

		assert_true(clock_parse(json_string_value(json_object_get(event, "at")), &at_us));
		assert_true(clock_parse("2026-01-01T00:00:00Z", &begin_us));
		run->motion[run->nmotion++] = (double) (at_us - begin_us) / CLOCK_SECOND;
	}
	if (strcmp(type, "stats") == 0 && json_object_get(event, "camera_id") != NULL)
	{
		json_decref(run->stats);
		run->stats = json_incref(event);
	}
	for (size_t i = 0; i < sizeof(varying) / sizeof(varying[0]); i++)
		json_object_del(event, varying[i]);
	line = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(9));
	strcat(strcat(run->lines, line), "\n");
	free(line);
}

/* Play the video as fast as possible. */
static Run
play(const char *path, const char *fields)
{
	Run run = {.lines = calloc(1, 1 << 20)};
	CameraWorld world = {0};
	char text[1024];
	char reason[256];
	int64_t deadline = clock_monotonic_us() + PATIENCE_US;
	bool finished = false;
	DesiredState *state;
	Fleet *fleet;

	world.queue = event_queue_create(1000, 1 << 20);
	world.pool = pool_create(1);
	world.models = model_cache_create();
	world.live = live_board_create();
	world.stall_timeout_us = CLOCK_SECOND;
	world.news_fd = eventfd(0, EFD_NONBLOCK);
	fleet = fleet_create(&world);
	snprintf(text, sizeof(text),
			 "{\"cameras\":[{\"camera_id\":1,\"url\":\"%s\",\"realtime\":false,"
			 "\"file_start\":\"2026-01-01T00:00:00Z\"%s}]}",
			 path, fields);
	state = desired_state_parse(text, strlen(text), reason, sizeof(reason));
	assert_non_null(state);
	fleet_follow(fleet, state);
	desired_state_free(state);
	while (!finished)
	{
		char *line = event_queue_pop(world.queue, clock_monotonic_us() + 10000);
		json_t *event;

		fleet_tend(fleet);
		if (clock_monotonic_us() > deadline)
			fail_msg("the file does not end");
		if (line == NULL)
			continue;
		event = json_loads(line, 0, NULL);
		assert_non_null(event);
		free(line);
		note_event(&run, event);
		finished = json_object_get(event, "state") != NULL &&
				   strcmp(json_string_value(json_object_get(event, "state")), "finished") == 0;
		json_decref(event);
	}
	fleet_stop(fleet);
	while (fleet_size(fleet) > 0)
	{
		free(event_queue_pop(world.queue, clock_monotonic_us() + 5000));
		fleet_tend(fleet);
	}
	fleet_free(fleet);
	pool_free(world.pool);
	model_cache_free(world.models);
	live_board_free(world.live);
	event_queue_free(world.queue);
	close(world.news_fd);
	return run;
}

static void
forget(Run *run)
{
	free(run->lines);
	json_decref(run->stats);
}

static double
figure(const Run *run, const char *key)
{
	return json_number_value(json_object_get(run->stats, key));
}

static const char *
note(const Run *run)
{
	return json_string_value(json_object_get(run->stats, "decoding_note"));
}

#define KEYFRAMES ",\"idle_decode\":\"keyframes\""

/* Both settings say the same of what moved, and one decodes much less. */
static void
expect_the_same(const char *path, double part)
{
	Run full = play(path, "");
	Run keyframes = play(path, KEYFRAMES);

	assert_string_equal(note(&keyframes), "");
	assert_int_equal(full.nmotion, 4);
	assert_int_equal(keyframes.nmotion, 4);
	for (int i = 0; i < 4; i++)
		assert_float_equal(full.motion[i], keyframes.motion[i], 0.21);
	assert_float_equal(full.motion[0], FIRST_BEGIN, 0.3);
	assert_float_equal(full.motion[2], SECOND_BEGIN, 0.3);
	assert_float_equal(figure(&full, "frames"), SECONDS * FPS, 0);
	assert_float_equal(figure(&keyframes, "received"), SECONDS * FPS, 0);
	assert_true(figure(&keyframes, "frames") < part * SECONDS * FPS);
	assert_float_equal(figure(&keyframes, "wakes"), 2, 0);
	assert_float_equal(figure(&full, "keyframes_s"), 0, 0);
	assert_true(figure(&keyframes, "keyframes_s") > 25);
	forget(&full);
	forget(&keyframes);
}

static void
h264_is_watched(void **state)
{
	char path[128];

	if (!write_video(path, "h264.mp4", "libx264", FPS, 0, "preset=ultrafast,sc_threshold=0"))
		skip();
	expect_the_same(path, 0.6);
}

static void
pictures_in_another_order_are_watched(void **state)
{
	char path[128];

	if (!write_video(path, "b.mkv", "libx264", FPS, 3,
					 "preset=veryfast,sc_threshold=0,x264-params=open-gop=1"))
		skip();
	expect_the_same(path, 0.6);
}

static void
hevc_is_watched(void **state)
{
	char path[128];

	if (!write_video(path, "hevc.mp4", "libx265", FPS, 2,
					 "preset=ultrafast,x265-params=log-level=error:scenecut=0"))
		skip();
	expect_the_same(path, 0.6);
}

static void
mjpeg_is_sampled(void **state)
{
	char path[128];

	assert_true(write_video(path, "mjpeg.avi", "mjpeg", 1, 0, ""));
	expect_the_same(path, 0.6);
}

static void
the_same_file_says_the_same(void **state)
{
	char path[128];
	Run first;
	Run second;

	assert_true(write_video(path, "mpeg4.avi", "mpeg4", FPS, 0, ""));
	first = play(path, KEYFRAMES);
	second = play(path, KEYFRAMES);
	assert_string_equal(first.lines, second.lines);
	assert_true(figure(&first, "keyframes_s") > 25);
	forget(&first);
	forget(&second);
}

static void
a_mask_is_not_watched(void **state)
{
	char path[128];
	Run run;

	assert_true(write_video(path, "mask.avi", "mpeg4", FPS, 0, ""));
	run = play(path, KEYFRAMES ",\"masks\":[[[0,0.3],[1,0.3],[1,0.8],[0,0.8]]]");
	assert_int_equal(run.nmotion, 0);
	assert_float_equal(figure(&run, "wakes"), 0, 0);
	assert_true(figure(&run, "frames") < 0.3 * SECONDS * FPS);
	forget(&run);
}

static void
what_cannot_be_watched_is_decoded(void **state)
{
	char path[128];
	Run run;

	assert_true(write_video(path, "long.avi", "mpeg4", 4 * FPS, 0, "sc_threshold=1000000000"));
	run = play(path, KEYFRAMES);
	assert_float_equal(figure(&run, "frames"), SECONDS * FPS, 0);
	assert_string_equal(note(&run), "a keyframe only every 4.0 s, which must be 2 s or less");
	assert_int_equal(run.nmotion, 4);
	forget(&run);
	if (!write_video(path, "refresh.ts", "libx264", FPS, 0, "preset=ultrafast,intra-refresh=1"))
		skip();
	run = play(path, KEYFRAMES);
	assert_true(figure(&run, "frames") > 0.9 * SECONDS * FPS);
	assert_string_not_equal(note(&run), "");
	assert_int_equal(run.nmotion, 4);
	forget(&run);
}

static void
nobody_looks_at_a_camera_without_detection(void **state)
{
	char path[128];
	Run run;

	assert_true(write_video(path, "blind.avi", "mpeg4", FPS, 0, ""));
	run = play(path, KEYFRAMES ",\"detect\":false");
	assert_int_equal(run.nmotion, 0);
	assert_float_equal(figure(&run, "keyframes_s"), 0, 0);
	forget(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h264_is_watched),
		cmocka_unit_test(pictures_in_another_order_are_watched),
		cmocka_unit_test(hevc_is_watched),
		cmocka_unit_test(mjpeg_is_sampled),
		cmocka_unit_test(the_same_file_says_the_same),
		cmocka_unit_test(a_mask_is_not_watched),
		cmocka_unit_test(what_cannot_be_watched_is_decoded),
		cmocka_unit_test(nobody_looks_at_a_camera_without_detection),
	};

	return cmocka_run_group_tests_name("camera_idle", tests, set_up, tear_down);
}
