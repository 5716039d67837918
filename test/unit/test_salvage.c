/*
 * test_salvage.c
 *		Recordings that end anywhere: mended, told as they are, or removed.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#include <sys/time.h>

#include "salvage.h"

#define SECONDS(n) ((int64_t) ((n) *CLOCK_SECOND))

static Camera *camera;
static RecordingEvent closed; /* the recording as it was closed */
static char whole[256];		  /* its file */

static int
set_up(void **state)
{
	StreamFile file = stream_file_read("build/media/sound-g711.mkv", SECONDS(6));

	camera = camera_create(NULL, SECONDS(60), 0);
	recorder_want(camera->recorder, RECORD_MOTION, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, file.count);
	camera_stop(camera);
	stream_file_free(&file);
	closed = *camera_event(camera, RECORDING_CLOSED, 0);
	camera_path(camera, &closed, whole, sizeof(whole));
	return 0;
}

static int
tear_down(void **state)
{
	camera_free(camera);
	return 0;
}

/* The file's first bytes under another name: what a writer killed there leaves. */
static void
make_torso(const char *path, long bytes)
{
	char full[256];
	char *data = malloc(bytes + 1);
	FILE *from = fopen(whole, "rb");
	FILE *to;

	snprintf(full, sizeof(full), "%s/%s", camera->media_dir, path);
	to = fopen(full, "wb");
	assert_non_null(from);
	assert_non_null(to);
	assert_int_equal(fread(data, 1, bytes, from), bytes);
	assert_int_equal(fwrite(data, 1, bytes, to), bytes);
	fclose(from);
	fclose(to);
	free(data);
}

static bool
exists(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", camera->media_dir, path);
	return access(full, F_OK) == 0;
}

static void
assert_checksum(const RecordingEvent *event)
{
	char command[384];
	char text[MEDIA_SHA256] = "";
	FILE *sum;

	snprintf(command, sizeof(command), "sha256sum %s/%s", camera->media_dir, event->path);
	sum = popen(command, "r");
	assert_non_null(sum);
	assert_non_null(fgets(text, sizeof(text), sum));
	pclose(sum);
	assert_string_equal(text, event->sha256);
}

static void
one_closed_in_order_is_let_alone(void **state)
{
	RecordingEvent event;

	assert_int_equal(salvage_file(camera->media_dir, closed.path, &event), SALVAGE_WHOLE);
	assert_checksum(&closed);
}

static void
one_cut_anywhere_is_mended_or_removed(void **state)
{
	int64_t frames_before = 0;
	int mended = 0;
	int removed = 0;
	char path[MEDIA_PATH];

	snprintf(path, sizeof(path), "%.*s/115900.250Z-alert.mp4",
			 (int) (strrchr(closed.path, '/') - closed.path), closed.path);
	for (long bytes = 0; bytes < closed.bytes; bytes += closed.bytes / 97 + 1)
	{
		RecordingEvent event;
		SalvageResult result;

		make_torso(path, bytes);
		result = salvage_file(camera->media_dir, path, &event);
		if (result == SALVAGE_REMOVED)
		{
			assert_false(exists(path));
			assert_int_equal(frames_before, 0);
			removed++;
			continue;
		}
		assert_int_equal(result, SALVAGE_MENDED);
		mended++;
		assert_string_equal(event.path, path);
		assert_int_equal(event.action, RECORDING_FOUND);
		assert_int_equal(event.reason, RECORD_ALERT);
		assert_int_equal(event.started_us % (60 * CLOCK_SECOND), SECONDS(0.25));
		assert_string_equal(event.codec, closed.codec);
		assert_int_equal(event.width, closed.width);
		assert_int_equal(event.height, closed.height);
		assert_true(event.has_audio);
		/* Never less than before, never more than there was. */
		assert_true(event.frames >= frames_before && event.frames <= closed.frames);
		frames_before = event.frames;
		/* Ten frames a second. */
		assert_in_range(event.ended_us - event.started_us + SECONDS(1),
						event.frames * SECONDS(0.1) - 20000 + SECONDS(1),
						event.frames * SECONDS(0.1) + 20000 + SECONDS(1));
		assert_checksum(&event);
		/* Once is enough. */
		assert_int_equal(salvage_file(camera->media_dir, path, &event), SALVAGE_WHOLE);
	}
	assert_true(removed > 0);
	assert_true(mended > 50);
	assert_true(frames_before >= closed.frames - 5);
}

static void
other_files_are_not_touched(void **state)
{
	static const char *const names[] = {"notes.mp4", "120000.000Z-whim.mp4",
										"120000.000Z-alert.avi", "120000.000-7.jpg"};
	RecordingEvent event;
	char path[MEDIA_PATH];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		snprintf(path, sizeof(path), "%.*s/%s", (int) (strrchr(closed.path, '/') - closed.path),
				 closed.path, names[i]);
		make_torso(path, 100);
		assert_int_equal(salvage_file(camera->media_dir, path, &event), SALVAGE_WHOLE);
		assert_true(exists(path));
	}
	snprintf(path, sizeof(path), "%.*s/120000.000-7.jpg.tmp",
			 (int) (strrchr(closed.path, '/') - closed.path), closed.path);
	make_torso(path, 100);
	assert_int_equal(salvage_file(camera->media_dir, path, &event), SALVAGE_REMOVED);
	assert_false(exists(path));
}

static int nfound;

static void
count(void *arg, const RecordingEvent *event)
{
	nfound++;
}

/* A camera's directory: what is old enough, of the newest days, and no links. */
static void
a_camera_is_gone_through(void **state)
{
	const int64_t now = clock_wall_us();
	char path[MEDIA_PATH];
	char full[256];
	char day[32];
	struct timeval fresh[2] = {{.tv_sec = now / CLOCK_SECOND + 60},
							   {.tv_sec = now / CLOCK_SECOND + 60}};

	media_path_recording(path, 5, now, "motion");
	snprintf(day, sizeof(day), "%.*s", (int) (strrchr(path, '/') - path), path);
	snprintf(full, sizeof(full), "mkdir -p %s/%s", camera->media_dir, day);
	assert_int_equal(system(full), 0);
	make_torso(path, closed.bytes / 2);
	snprintf(path, sizeof(path), "%s/000001.000Z-motion.mp4", day);
	make_torso(path, closed.bytes / 3);
	snprintf(full, sizeof(full), "%s/%s/000002.000Z-motion.mp4", camera->media_dir, day);
	assert_int_equal(symlink(whole, full), 0);
	/* One that is being written now. */
	snprintf(path, sizeof(path), "%s/000003.000Z-motion.mp4", day);
	make_torso(path, closed.bytes / 3);
	snprintf(full, sizeof(full), "%s/%s", camera->media_dir, path);
	assert_int_equal(utimes(full, fresh), 0);

	nfound = 0;
	assert_true(salvage_camera(camera->media_dir, 5, now + SECONDS(30), count, NULL));
	assert_int_equal(nfound, 2);
	assert_true(salvage_camera(camera->media_dir, 5, now + SECONDS(30), count, NULL));
	assert_int_equal(nfound, 2);
	assert_checksum(&closed);
	/* A camera that never recorded. */
	assert_true(salvage_camera(camera->media_dir, 6, now, count, NULL));
	assert_int_equal(nfound, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_closed_in_order_is_let_alone),
		cmocka_unit_test(one_cut_anywhere_is_mended_or_removed),
		cmocka_unit_test(other_files_are_not_touched),
		cmocka_unit_test(a_camera_is_gone_through),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
