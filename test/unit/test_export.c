/*
 * test_export.c
 *		Clips and time-lapses of real recordings: every packet asked for, once, at its
 *		own time; and what becomes of them when files are damaged, disks full, and
 *		nobody waits any more.
 */
#define _GNU_SOURCE
#include "media_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <signal.h>

#include "footage.h"
#include "segment_reader.h"

#define SECONDS(n) ((int64_t) ((n) *CLOCK_SECOND))
#define MOST 64

/* What a camera recorded, as an export is told of it. */
typedef struct Recorded
{
	StreamFile file;
	Camera *camera;
	FootageSegment segments[MOST];
	Footage footage;
	ExportProgress progress;
	ExportResult result;
	atomic_bool cancelled;
} Recorded;

static void
record(Recorded *recorded, const char *path, int64_t max_us)
{
	int count;

	*recorded = (Recorded){.file = stream_file_read(path, max_us)};
	recorded->camera = camera_create(NULL, SECONDS(3), 0);
	recorder_want(recorded->camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(recorded->camera, &recorded->file, 0, recorded->file.count);
	camera_stop(recorded->camera);
	count = camera_count(recorded->camera, RECORDING_CLOSED);
	assert_in_range(count, 3, MOST);
	for (int i = 0; i < count; i++)
	{
		const RecordingEvent *event = camera_event(recorded->camera, RECORDING_CLOSED, i);

		recorded->segments[i] =
			(FootageSegment){.started_us = event->started_us, .ended_us = event->ended_us};
		strcpy(recorded->segments[i].path, event->path);
	}
	recorded->footage = (Footage){.media_dir = recorded->camera->media_dir,
								  .camera_id = 7,
								  .camera = "lobby",
								  .from_us = recorded->segments[0].started_us,
								  .upto_us = recorded->segments[count - 1].ended_us,
								  .segments = recorded->segments,
								  .count = count};
}

static void
forget(Recorded *recorded)
{
	export_result_free(&recorded->result);
	camera_free(recorded->camera);
	stream_file_free(&recorded->file);
}

static int
clip(Recorded *recorded)
{
	export_result_free(&recorded->result);
	recorded->result = (ExportResult){0};
	return clip_make(&recorded->footage, &recorded->cancelled, &recorded->progress,
					 &recorded->result);
}

static int
time_lapse(Recorded *recorded, double interval)
{
	PolygonList none = {0};
	TimeLapse settings = {.interval_us = SECONDS(interval),
						  .fps = 10,
						  .max_width = 320,
						  .annotated = true,
						  .privacy = &none};

	export_result_free(&recorded->result);
	recorded->result = (ExportResult){0};
	return time_lapse_make(&recorded->footage, &settings, &recorded->cancelled, &recorded->progress,
						   &recorded->result);
}

/* Checksums of the video packets of a file, and their number. */
static int
read_video(const Recorded *recorded, const char *path, uint32_t *crcs, int most)
{
	SegmentReader *reader;
	AVPacket *packet = av_packet_alloc();
	PacketKind kind;
	int64_t last = INT64_MIN;
	int n = 0;

	assert_int_equal(segment_reader_open(recorded->footage.media_dir, path, &reader), 0);
	while (segment_reader_next(reader, packet, &kind) > 0)
	{
		if (kind != PACKET_VIDEO)
			continue;
		assert_true(packet->dts > last);
		last = packet->dts;
		assert_true(n < most);
		crcs[n++] = payload_crc(packet, false, false);
	}
	segment_reader_close(reader);
	av_packet_free(&packet);
	return n;
}

/* No file of an export is left but those of the result. */
static void
assert_nothing_is_left(const Recorded *recorded, int expected)
{
	char command[512];
	FILE *list;
	int n = -1;

	snprintf(command, sizeof(command),
			 "find '%s' -name '*.tmp' -o -name '*clip*' -o -name '*timelapse*' | wc -l",
			 recorded->footage.media_dir);
	list = popen(command, "r");
	assert_int_equal(fscanf(list, "%d", &n), 1);
	pclose(list);
	assert_int_equal(n, expected);
}

static void
check_all_is_copied(const char *path)
{
	enum
	{
		ALL = 1000
	};
	static uint32_t recorded_crcs[ALL];
	static uint32_t copied[ALL];
	Recorded recorded;
	int n = 0;

	record(&recorded, path, SECONDS(15));
	for (int i = 0; i < recorded.footage.count; i++)
		n += read_video(&recorded, recorded.segments[i].path, recorded_crcs + n, ALL - n);
	assert_int_equal(clip(&recorded), 0);
	assert_int_equal(recorded.result.nparts, 1);
	assert_int_equal(recorded.result.ngaps, 0);
	assert_int_equal(recorded.result.parts[0].file.frames, n);
	assert_int_equal(read_video(&recorded, recorded.result.parts[0].file.path, copied, ALL), n);
	assert_memory_equal(copied, recorded_crcs, n * sizeof(*copied));
	assert_int_equal(recorded.progress.segments, recorded.footage.count);
	assert_int_equal(recorded.progress.frames, n);
	assert_in_range(recorded.result.parts[0].ended_us - recorded.footage.upto_us + SECONDS(0.3), 0,
					SECONDS(0.6));
	assert_nothing_is_left(&recorded, 1);
	forget(&recorded);
}

static void
all_is_copied(void **state)
{
	check_all_is_copied("build/media/vtest.mp4");
	check_all_is_copied("build/media/bframes-aac.mp4");
	check_all_is_copied("build/media/vtest-hevc.mp4");
}

static void
gaps_are_told(void **state)
{
	Recorded recorded;
	const ExportGap *gaps;

	record(&recorded, "build/media/vtest.mp4", SECONDS(15));
	recorded.footage.from_us -= SECONDS(5);
	assert_int_equal(media_remove(recorded.footage.media_dir, recorded.segments[1].path), 0);
	recorded.footage.upto_us += SECONDS(60);
	assert_int_equal(clip(&recorded), 0);
	gaps = recorded.result.gaps;
	assert_int_equal(recorded.result.ngaps, 3);
	assert_string_equal(gaps[0].why, "not recorded");
	assert_int_equal(gaps[0].position_us, 0);
	assert_string_equal(gaps[1].why, "file is missing");
	assert_int_equal(gaps[1].from_us, recorded.segments[0].ended_us);
	assert_int_equal(gaps[1].upto_us, recorded.segments[2].started_us);
	assert_int_equal(gaps[1].position_us,
					 recorded.segments[0].ended_us - recorded.segments[0].started_us);
	assert_string_equal(gaps[2].why, "not recorded");
	assert_int_equal(gaps[2].upto_us, recorded.footage.upto_us);
	forget(&recorded);
}

/* Rubbish in the place of every file, and at the end of one. */
static void
damaged_files_are_left_out(void **state)
{
	Recorded recorded;

	record(&recorded, "build/media/vtest.mp4", SECONDS(15));
	for (int i = 0; i < recorded.footage.count; i++)
	{
		int fd = media_reopen(recorded.footage.media_dir, recorded.segments[i].path);
		char rubbish[5000];

		for (size_t b = 0; b < sizeof(rubbish); b++)
			rubbish[b] = (char) (b * 7919 + i);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), i == 0 ? 60000 : 0), sizeof(rubbish));
		close(fd);
	}
	assert_int_equal(clip(&recorded), 0);
	assert_true(recorded.result.ngaps > 0);
	assert_true(recorded.result.parts[0].file.frames > 0);
	recorded.footage.segments++;
	recorded.footage.count--;
	assert_int_equal(clip(&recorded), -ENODATA);
	assert_string_equal(recorded.result.reason, "file cannot be read: No data available");
	assert_int_equal(time_lapse(&recorded, 1), -ENODATA);
	forget(&recorded);
}

static void
nobody_waits(void **state)
{
	Recorded recorded;

	record(&recorded, "build/media/vtest.mp4", SECONDS(15));
	recorded.cancelled = true;
	assert_int_equal(clip(&recorded), -ECANCELED);
	assert_int_equal(time_lapse(&recorded, 1), -ECANCELED);
	assert_nothing_is_left(&recorded, 0);
	forget(&recorded);
}

static int complaints;

static void
count_complaint(void *context, int level, const char *format, va_list arguments)
{
	complaints += level <= AV_LOG_ERROR;
}

/*
 * A limit on the size of files stands for the disk that becomes full.  What is
 * wrong is said once, in the reason.
 */
static void
no_room(void **state)
{
	Recorded recorded;
	struct rlimit before;
	struct rlimit little = {.rlim_cur = 300000};

	record(&recorded, "build/media/vtest.mp4", SECONDS(15));
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	little.rlim_max = before.rlim_max;
	complaints = 0;
	av_log_set_callback(count_complaint);
	setrlimit(RLIMIT_FSIZE, &little);
	assert_int_equal(clip(&recorded), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	av_log_set_callback(av_log_default_callback);
	assert_int_equal(complaints, 0);
	assert_string_equal(recorded.result.reason, "the clip could not be written: File too large");
	assert_nothing_is_left(&recorded, 0);
	assert_int_equal(clip(&recorded), 0);
	forget(&recorded);
}

/* More than two hours: fragmented, and still every packet at its time. */
static void
long_clips_are_fragmented(void **state)
{
	static uint32_t crcs[1000];
	Recorded recorded;
	int64_t day = SECONDS(86400);

	record(&recorded, "build/media/bframes-aac.mp4", SECONDS(15));
	recorded.footage.upto_us += day;
	assert_int_equal(clip(&recorded), 0);
	assert_int_equal(recorded.result.ngaps, 1);
	assert_int_equal(recorded.result.parts[0].file.frames, recorded.file.video_count);
	assert_true(recorded.result.parts[0].file.has_audio);
	assert_int_equal(read_video(&recorded, recorded.result.parts[0].file.path, crcs, 1000),
					 recorded.file.video_count);
	assert_nothing_is_left(&recorded, 1);
	forget(&recorded);
}

static void
other_streams_have_other_files(void **state)
{
	Recorded recorded;
	Recorded other;

	record(&recorded, "build/media/vtest.mp4", SECONDS(15));
	record(&other, "build/media/vtest-hevc.mp4", SECONDS(15));
	/* As if the camera had changed its codec after the first segment. */
	assert_int_equal(media_remove(recorded.footage.media_dir, recorded.segments[1].path), 0);
	{
		char from[512];
		char into[512];

		snprintf(from, sizeof(from), "%s/%s", other.footage.media_dir, other.segments[1].path);
		snprintf(into, sizeof(into), "%s/%s", recorded.footage.media_dir,
				 recorded.segments[1].path);
		assert_int_equal(link(from, into), 0);
	}
	assert_int_equal(clip(&recorded), 0);
	assert_int_equal(recorded.result.nparts, 3);
	assert_string_equal(recorded.result.parts[0].codec, "h264");
	assert_string_equal(recorded.result.parts[1].codec, "hevc");
	assert_string_equal(recorded.result.parts[2].codec, "h264");
	assert_int_equal(time_lapse(&recorded, 1), 0);
	assert_int_equal(recorded.result.nparts, 1);
	forget(&other);
	forget(&recorded);
}

static void
one_frame_an_interval(void **state)
{
	static uint32_t crcs[1000];
	Recorded recorded;

	record(&recorded, "build/media/vtest.mp4", SECONDS(25));
	assert_int_equal(time_lapse(&recorded, 1), 0);
	assert_int_equal(recorded.result.nparts, 1);
	assert_in_range(recorded.result.parts[0].file.frames, 24, 26);
	assert_int_equal(recorded.result.parts[0].width, 320);
	assert_int_equal(recorded.result.parts[0].file.duration_us,
					 recorded.result.parts[0].file.frames * SECONDS(0.1));
	assert_int_equal(read_video(&recorded, recorded.result.parts[0].file.path, crcs, 1000),
					 recorded.result.parts[0].file.frames);
	/* By keyframes alone. */
	assert_int_equal(time_lapse(&recorded, 10), 0);
	assert_int_equal(recorded.result.parts[0].file.frames, 3);
	assert_int_equal(recorded.result.ngaps, 0);
	forget(&recorded);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_copied),
		cmocka_unit_test(gaps_are_told),
		cmocka_unit_test(damaged_files_are_left_out),
		cmocka_unit_test(nobody_waits),
		cmocka_unit_test(no_room),
		cmocka_unit_test(long_clips_are_fragmented),
		cmocka_unit_test(other_streams_have_other_files),
		cmocka_unit_test(one_frame_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
