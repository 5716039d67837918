/*
 * test_recording_faults.c
 *		Recording that is killed, and recording onto a disk that fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "media_fixture.h"

#define SECONDS(n) ((int64_t) ((n) *CLOCK_SECOND))
#define KILLS 40

/* vtest.mp4 and sound-g711.mkv have ten frames a second. */
#define FRAMES_PER_SECOND 10

/* What a file holds in fragments that are complete, read from its boxes alone. */
typedef struct Boxes
{
	bool moov;
	int fragments;
} Boxes;

static uint32_t
read_be32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static Boxes
read_boxes(const char *path)
{
	Boxes boxes = {0};
	FILE *file = fopen(path, "rb");
	uint8_t head[8];
	long size;
	long at = 0;
	bool moof = false;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	while (fseek(file, at, SEEK_SET) == 0 && fread(head, 1, 8, file) == 8)
	{
		long length = read_be32(head);

		if (length < 8 || at + length > size)
			break;
		boxes.moov |= memcmp(head + 4, "moov", 4) == 0;
		if (moof && memcmp(head + 4, "mdat", 4) == 0)
			boxes.fragments++;
		moof = memcmp(head + 4, "moof", 4) == 0;
		at += length;
	}
	fclose(file);
	return boxes;
}

/*
 * Decode every frame of a file's video, failing on damage.  A file whose end is
 * missing may only lack frames there.
 */
static int
decode_all(const char *path)
{
	AVFormatContext *input = NULL;
	AVCodecContext *decoder;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	int frames = 0;

	assert_int_equal(avformat_open_input(&input, path, NULL, NULL), 0);
	assert_true(avformat_find_stream_info(input, NULL) >= 0);
	decoder = avcodec_alloc_context3(avcodec_find_decoder(input->streams[0]->codecpar->codec_id));
	avcodec_parameters_to_context(decoder, input->streams[0]->codecpar);
	decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
	assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
	while (av_read_frame(input, packet) == 0)
	{
		/* A packet of a fragment that was cut off is marked by the demuxer. */
		if (packet->stream_index == 0 && (packet->flags & AV_PKT_FLAG_CORRUPT) == 0)
		{
			assert_int_equal(avcodec_send_packet(decoder, packet), 0);
			while (avcodec_receive_frame(decoder, frame) == 0)
			{
				assert_int_equal(frame->decode_error_flags, 0);
				frames++;
			}
		}
		av_packet_unref(packet);
	}
	avcodec_send_packet(decoder, NULL);
	while (avcodec_receive_frame(decoder, frame) == 0)
		frames++;
	av_packet_free(&packet);
	av_frame_free(&frame);
	avcodec_free_context(&decoder);
	avformat_close_input(&input);
	return frames;
}

/* What a child that records tells its parent through shared memory. */
typedef struct Progress
{
	atomic_int pushed; /* frames that the recorder was given */
} Progress;

/* Record the file over and over, as fast as can be, until killed. */
static void
record_forever(const char *media_dir, const StreamFile *file, Progress *progress)
{
	Camera *camera = camera_create(media_dir, SECONDS(7), 0);

	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	packet_ring_set_streams(camera->ring, file->streams);
	for (int round = 0;; round++)
	{
		for (int i = 0; i < file->count; i++)
		{
			StreamPacket packet = file->packets[i];

			packet.at_us += round * (file->packets[file->count - 1].at_us - NOON + SECONDS(0.1));
			camera_push(camera, &packet);
			recorder_run(camera->recorder);
			if (packet.kind == PACKET_VIDEO)
				atomic_fetch_add(&progress->pushed, 1);
			camera->nevents = 0;
		}
	}
}

static char *found_paths[4096];
static int nfound;

static int
note_file(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void) status;
	(void) ftw;
	if (type == FTW_F && nfound < 4096)
		found_paths[nfound++] = strdup(path);
	return 0;
}

/*
 * Every file with a complete part plays, and at most one, the newest, has none.
 * Returns the frames that are left.
 */
static int
check_survivors(const char *media_dir)
{
	int frames = 0;
	int without = 0;

	nfound = 0;
	nftw(media_dir, note_file, 16, FTW_PHYS);
	assert_true(nfound > 0);
	for (int i = 0; i < nfound; i++)
	{
		Boxes boxes = read_boxes(found_paths[i]);

		if (boxes.fragments > 0)
		{
			int decoded = decode_all(found_paths[i]);

			assert_true(boxes.moov);
			assert_true(decoded > 0);
			frames += decoded;
		}
		else
			without++;
		free(found_paths[i]);
	}
	assert_true(without <= 1);
	return frames;
}

/* Kill a recording child once it has been given so many frames. */
static void
kill_after(const StreamFile *file, int frames)
{
	Progress *progress =
		mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char media_dir[] = "/tmp/cctv-unit-XXXXXX";
	int status;
	pid_t child;
	int given;
	int left;

	assert_non_null(mkdtemp(media_dir));
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
	{
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		record_forever(media_dir, file, progress);
		_exit(1);
	}
	while (atomic_load(&progress->pushed) < frames && waitpid(child, &status, WNOHANG) == 0)
		sched_yield();
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));

	given = atomic_load(&progress->pushed);
	left = check_survivors(media_dir);
	assert_true(left >= given - FRAMES_PER_SECOND);
	assert_true(left <= given + 1);
	remove_tree(media_dir);
	munmap(progress, sizeof(*progress));
}

static void
test_killed_at_any_moment(void **state)
{
	StreamFile video = stream_file_read("build/media/vtest.mp4", SECONDS(19.9));
	StreamFile sound = stream_file_read("build/media/sound-g711.mkv", SECONDS(19.9));

	srand(1);
	for (int i = 0; i < KILLS; i++)
		kill_after(i % 2 == 0 ? &video : &sound, 8 + rand() % 200);
	stream_file_free(&video);
	stream_file_free(&sound);
}

/* What was recorded before and after a failure plays, and the failure was reported once. */
static void
check_failure(const Camera *camera, int error)
{
	char message[128];
	bool failed = false;

	snprintf(message, sizeof(message), "could not write recording: %s", strerror(error));
	assert_int_equal(camera_count(camera, RECORDING_FAILED), 1);
	assert_string_equal(camera_event(camera, RECORDING_FAILED, 0)->message, message);
	assert_int_equal(camera_count(camera, RECORDING_OPENED),
					 camera_count(camera, RECORDING_CLOSED));
	for (int i = 0; i < camera->nevents; i++)
	{
		const RecordingEvent *event = &camera->events[i];
		char path[256];
		struct stat status;

		failed |= event->action == RECORDING_FAILED;
		if (event->action != RECORDING_CLOSED)
			continue;
		camera_path(camera, event, path, sizeof(path));
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_size, event->bytes);
		assert_int_equal(decode_all(path), event->frames);
	}
	assert_true(failed);
	/* Resumed by itself. */
	assert_int_equal(camera->events[camera->nevents - 1].action, RECORDING_CLOSED);
}

/* Fill what is left of a file system, leaving `room` bytes.  Returns the file. */
static void
fill(const char *path, size_t room)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	static const char block[4096];
	size_t bytes = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = write(fd, block, sizeof(block))) > 0)
		bytes += n;
	assert_int_equal(errno, ENOSPC);
	assert_true(bytes > room);
	assert_int_equal(ftruncate(fd, bytes - room), 0);
	close(fd);
}

static void
test_full_disk(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(40));
	char mount_point[] = "/tmp/cctv-tmpfs-XXXXXX";
	char ballast[64];
	Camera *camera;

	assert_non_null(mkdtemp(mount_point));
	if (mount("tmpfs", mount_point, "tmpfs", 0, "size=8m") != 0)
	{
		fprintf(stderr, "*** not tested, a tmpfs cannot be mounted: %s\n", strerror(errno));
		rmdir(mount_point);
		stream_file_free(&file);
		skip();
	}
	camera = camera_create(mount_point, SECONDS(60), 0);
	snprintf(ballast, sizeof(ballast), "%s/ballast", mount_point);
	fill(ballast, 1000 * 1000);
	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, 200);
	assert_int_equal(camera_count(camera, RECORDING_FAILED), 1);
	/* The first megabyte was recorded, and is whole. */
	assert_true(camera_event(camera, RECORDING_CLOSED, 0)->bytes > 500 * 1000);
	assert_int_equal(unlink(ballast), 0);
	camera_play(camera, &file, 200, file.count);
	camera_stop(camera);
	check_failure(camera, ENOSPC);
	camera_free(camera);
	umount(mount_point);
	rmdir(mount_point);
	stream_file_free(&file);
}

/* The same without privileges: no file may grow beyond a limit. */
static void
test_file_size_limit(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(20));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);
	struct rlimit before;
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 700 * 1000;
	setrlimit(RLIMIT_FSIZE, &limit);
	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, 60);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(camera_count(camera, RECORDING_FAILED), 1);
	camera_play(camera, &file, 60, file.count);
	camera_stop(camera);
	check_failure(camera, EFBIG);
	camera_free(camera);
	stream_file_free(&file);
}

/* The directory is gone, and comes back: what the ring still holds is recorded. */
static void
test_missing_directory(void **state)
{
	StreamFile file = stream_file_read("build/media/vtest.mp4", SECONDS(20));
	Camera *camera = camera_create(NULL, SECONDS(60), 0);

	assert_int_equal(rmdir(camera->media_dir), 0);
	recorder_want(camera->recorder, RECORD_CONTINUOUS, NOON, RECORD_FOREVER);
	camera_play(camera, &file, 0, 75);
	assert_int_equal(camera_count(camera, RECORDING_FAILED), 1);
	assert_int_equal(camera->nevents, 1);
	assert_int_equal(mkdir(camera->media_dir, 0700), 0);
	camera_play(camera, &file, 75, file.count);
	camera_stop(camera);
	check_failure(camera, ENOENT);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->started_us, NOON);
	assert_int_equal(camera_event(camera, RECORDING_CLOSED, 0)->frames, file.count);
	camera_free(camera);
	stream_file_free(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_any_moment),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_file_size_limit),
		cmocka_unit_test(test_missing_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
