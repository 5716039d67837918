/*
 * test_recording.c
 *		What of a stream is recorded: the policy, on the packets of a real file.
 *
 * vtest.mp4 has ten frames a second and a keyframe every second.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#include <jansson.h>

#include "log.h"
#include "recording.h"

#define SECONDS(n) ((int64_t) ((n) *CLOCK_SECOND))
#define MAX_FILES 16

static const atomic_bool running = false;
static const atomic_llong segment_us = SECONDS(60);

typedef struct Told
{
	char path[MEDIA_PATH];
	char reason[16];
	double from; /* seconds since NOON */
	double to;
	int frames;
} Told;

typedef struct Scene
{
	char media_dir[32];
	EventQueue *queue;
	EventStream *events;
	Source *source;
	AVPacket *packet;
	Recording *recording;
	RecordSettings settings;
	int64_t now_us; /* time of the newest packet */
	bool writer_sleeps;
	int files;
	Told told[MAX_FILES]; /* closed files */
} Scene;

static void
scene_set(Scene *scene)
{
	recording_configure(scene->recording, &scene->settings, scene->now_us);
}

static Scene *
scene_create(const RecordSettings *settings)
{
	Scene *scene = calloc(1, sizeof(*scene));
	char url[] = "build/media/vtest.mp4";
	char *real = realpath(url, NULL);
	CameraConfig config = {.url = real, .sound = true};
	Timeline frames;
	char reason[256];

	assert_non_null(scene);
	strcpy(scene->media_dir, "/tmp/cctv-unit-XXXXXX");
	assert_non_null(mkdtemp(scene->media_dir));
	scene->queue = event_queue_create(1000, 1 << 20);
	scene->events = event_stream_create(scene->queue, 7, false, &running);
	scene->packet = av_packet_alloc();
	if (real == NULL || source_open(&scene->source, &config, NULL, SECONDS(5), &running, reason,
									sizeof(reason)) != SOURCE_OK)
		fail_msg("%s is missing; run test/media/make_media", url);
	free(real);
	scene->recording = recording_create(7, scene->media_dir, &segment_us, scene->events);
	assert_non_null(scene->recording);
	scene->now_us = NOON;
	scene->settings = *settings;
	scene_set(scene);
	timeline_file(&frames, NOON);
	assert_int_equal(recording_connect(scene->recording, scene->source, &frames), 0);
	return scene;
}

/* Bring packets up to this many seconds after NOON. */
static void
scene_play(Scene *scene, double seconds)
{
	char reason[256];
	int count = 0;

	while (scene->now_us < NOON + SECONDS(seconds))
	{
		assert_int_equal(source_read(scene->source, scene->packet, INT64_MAX, reason, 256),
						 SOURCE_OK);
		scene->now_us = NOON + stamp_us(scene->packet->pts, source_video(scene->source)->time_base);
		recording_packet(scene->recording, scene->source, scene->packet);
		av_packet_unref(scene->packet);
		if (++count % 5 == 0 && !scene->writer_sleeps)
			recording_run(scene->recording);
	}
	if (!scene->writer_sleeps)
		recording_run(scene->recording);
}

static double
seconds_of(json_t *event, const char *key)
{
	int64_t us = 0;

	assert_true(clock_parse(json_string_value(json_object_get(event, key)), &us));
	return (double) (us - NOON) / CLOCK_SECOND;
}

/* End the recording and gather what was told of files. */
static void
scene_end(Scene *scene)
{
	char *line;

	recording_free(scene->recording);
	scene->recording = NULL;
	while ((line = event_queue_pop(scene->queue, clock_monotonic_us())) != NULL)
	{
		json_t *event = json_loads(line, 0, NULL);
		Told *told = &scene->told[scene->files];

		free(line);
		assert_string_equal(json_string_value(json_object_get(event, "type")), "recording");
		assert_string_not_equal(json_string_value(json_object_get(event, "action")), "failed");
		if (strcmp(json_string_value(json_object_get(event, "action")), "closed") == 0)
		{
			assert_true(scene->files < MAX_FILES);
			snprintf(told->path, sizeof(told->path), "%s",
					 json_string_value(json_object_get(event, "path")));
			snprintf(told->reason, sizeof(told->reason), "%s",
					 json_string_value(json_object_get(event, "reason")));
			told->from = seconds_of(event, "started_at");
			told->to = seconds_of(event, "ended_at");
			told->frames = (int) json_integer_value(json_object_get(event, "frames"));
			scene->files++;
		}
		json_decref(event);
	}
}

static void
scene_free(Scene *scene)
{
	source_close(scene->source);
	av_packet_free(&scene->packet);
	event_stream_free(scene->events);
	event_queue_free(scene->queue);
	remove_tree(scene->media_dir);
	free(scene);
}

static void
assert_file(const Scene *scene, int n, const char *reason, double from, double to)
{
	const Told *told = &scene->told[n];

	assert_true(n < scene->files);
	assert_string_equal(told->reason, reason);
	if (told->from < from - 0.05 || told->from > from + 0.05 || told->to < to - 0.05 ||
		told->to > to + 0.05)
		fail_msg("file %d is from %.2f to %.2f, not from %.2f to %.2f", n, told->from, told->to,
				 from, to);
	assert_int_equal(told->frames, (int) ((to - from) * 10 + 0.5));
}

static void
off_records_nothing(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){.mode = RECORD_MODE_OFF});

	assert_false(recording_wanted(scene->recording));
	scene_play(scene, 5);
	assert_false(recording_listens(scene->recording));
	scene_end(scene);
	assert_int_equal(scene->files, 0);
	scene_free(scene);
}

static void
continuous_records_all(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){.mode = RECORD_MODE_CONTINUOUS});

	scene_play(scene, 8.9);
	scene_end(scene);
	assert_int_equal(scene->files, 1);
	assert_file(scene, 0, "continuous", 0, 9);
	scene_free(scene);
}

/* From the keyframe before the pre-roll to the one after the post-roll. */
static void
motion_is_recorded_with_its_rolls(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){
		.mode = RECORD_MODE_MOTION, .pre_roll_us = SECONDS(2), .post_roll_us = SECONDS(3)});

	scene_play(scene, 6.5);
	recording_motion(scene->recording, true, NOON + SECONDS(6.5));
	scene_play(scene, 8.5);
	recording_motion(scene->recording, false, NOON + SECONDS(8.5));
	scene_play(scene, 20);
	/* Again, and again before the post-roll has passed: one file. */
	recording_motion(scene->recording, true, NOON + SECONDS(20));
	scene_play(scene, 21);
	recording_motion(scene->recording, false, NOON + SECONDS(21));
	scene_play(scene, 22);
	recording_motion(scene->recording, true, NOON + SECONDS(22));
	scene_play(scene, 23);
	recording_motion(scene->recording, false, NOON + SECONDS(23));
	scene_play(scene, 30);
	scene_end(scene);
	assert_int_equal(scene->files, 2);
	assert_file(scene, 0, "motion", 4, 12);
	assert_file(scene, 1, "motion", 18, 26);
	scene_free(scene);
}

/* Motion means nothing to a camera in another mode. */
static void
motion_matters_in_its_mode_only(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){.mode = RECORD_MODE_ALERTS});

	scene_play(scene, 2);
	recording_motion(scene->recording, true, scene->now_us);
	scene_play(scene, 6);
	scene_end(scene);
	assert_int_equal(scene->files, 0);
	scene_free(scene);
}

/* What is asked for by hand ends with a whole group, and never brings back the past. */
static void
by_hand_again_and_again(void **state)
{
	Scene *scene =
		scene_create(&(RecordSettings){.mode = RECORD_MODE_OFF, .pre_roll_us = SECONDS(5)});

	for (int i = 0; i < 2; i++)
	{
		scene_play(scene, 3.5 + 15 * i);
		scene->settings.manual = true;
		scene_set(scene);
		assert_true(recording_wanted(scene->recording));
		scene_play(scene, 6.5 + 15 * i);
		scene->settings.manual = false;
		scene_set(scene);
		assert_false(recording_wanted(scene->recording));
		assert_true(recording_listens(scene->recording));
		scene_play(scene, 8 + 15 * i);
		assert_false(recording_listens(scene->recording));
	}
	scene_end(scene);
	assert_int_equal(scene->files, 2);
	assert_file(scene, 0, "manual", 4, 7);
	assert_file(scene, 1, "manual", 19, 22);
	scene_free(scene);
}

/* What passed while nothing was wanted makes no hole in a file, however short it was. */
static void
by_hand_soon_again(void **state)
{
	Scene *scene = scene_create(
		&(RecordSettings){.mode = RECORD_MODE_OFF, .pre_roll_us = SECONDS(5), .manual = true});

	for (int i = 0; i < 2; i++)
	{
		scene_play(scene, 3.5 + 6 * i);
		scene->settings.manual = false;
		scene_set(scene);
		scene_play(scene, 6.5 + 6 * i);
		scene->settings.manual = true;
		scene_set(scene);
		/* Nothing of what is wanted has come yet. */
		recording_run(scene->recording);
	}
	scene_play(scene, 15.5);
	scene_end(scene);
	assert_int_equal(scene->files, 3);
	assert_file(scene, 0, "manual", 0, 4);
	assert_file(scene, 1, "manual", 7, 10);
	assert_file(scene, 2, "manual", 13, 15.6);
	scene_free(scene);
}

/* Nor does it when the writer has not even noticed that nothing was wanted. */
static void
by_hand_before_the_writer_noticed(void **state)
{
	Scene *scene = scene_create(
		&(RecordSettings){.mode = RECORD_MODE_OFF, .pre_roll_us = SECONDS(5), .manual = true});

	scene_play(scene, 3.5);
	scene->writer_sleeps = true;
	scene->settings.manual = false;
	scene_set(scene);
	scene_play(scene, 5.5);
	scene->settings.manual = true;
	scene_set(scene);
	scene->writer_sleeps = false;
	scene_play(scene, 8.5);
	scene_end(scene);
	assert_int_equal(scene->files, 2);
	assert_file(scene, 0, "manual", 0, 4.1);
	assert_file(scene, 1, "manual", 6, 8.6);
	scene_free(scene);
}

/* An alert is known of some time after it was; a later one extends the wish. */
static void
alerts_are_recorded_from_before_they_are_known(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){
		.mode = RECORD_MODE_ALERTS, .pre_roll_us = SECONDS(3), .post_roll_us = SECONDS(4)});

	scene_play(scene, 12);
	/* It was at 10. */
	scene->settings.alert_from_us = NOON + SECONDS(7);
	scene->settings.alert_until_us = NOON + SECONDS(14);
	scene_set(scene);
	scene_play(scene, 13);
	scene->settings.alert_until_us = NOON + SECONDS(16.5);
	scene_set(scene);
	scene_play(scene, 25);
	/* The wish stays in the document; nothing follows from that. */
	scene_set(scene);
	scene_play(scene, 30);
	scene_end(scene);
	assert_int_equal(scene->files, 1);
	assert_file(scene, 0, "alert", 7, 17);
	scene_free(scene);
}

/* The strongest reason is told, and a weaker one goes on after it. */
static void
reasons_add_up(void **state)
{
	Scene *scene = scene_create(&(RecordSettings){.mode = RECORD_MODE_CONTINUOUS});

	scene_play(scene, 3);
	scene->settings.manual = true;
	scene_set(scene);
	scene_play(scene, 5);
	scene->settings.mode = RECORD_MODE_OFF;
	scene_set(scene);
	scene_play(scene, 7.5);
	scene->settings.manual = false;
	scene_set(scene);
	scene_play(scene, 12);
	scene_end(scene);
	assert_int_equal(scene->files, 1);
	assert_file(scene, 0, "manual", 0, 8);
	scene_free(scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_records_nothing),
		cmocka_unit_test(continuous_records_all),
		cmocka_unit_test(motion_is_recorded_with_its_rolls),
		cmocka_unit_test(motion_matters_in_its_mode_only),
		cmocka_unit_test(by_hand_again_and_again),
		cmocka_unit_test(by_hand_soon_again),
		cmocka_unit_test(by_hand_before_the_writer_noticed),
		cmocka_unit_test(alerts_are_recorded_from_before_they_are_known),
		cmocka_unit_test(reasons_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
