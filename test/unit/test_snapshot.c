/* Annotated pictures: where they go, and what is on them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <turbojpeg.h>

#include "clock.h"
#include "event.h"
#include "picture.h"
#include "snapshot.h"
#include "snapshot_queue.h"

/* 2026-01-02 03:04:05.678 */
#define AT INT64_C(1767323045678901)

static char directory[] = "/tmp/pg_cctv_snapshot_XXXXXX";
static int directory_fd;

static int
set_up(void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	return directory_fd < 0;
}

static int
tear_down(void **state)
{
	char command[128];

	close(directory_fd);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static AVFrame *
make_frame(int format, int width, int height, int y, int u, int v)
{
	AVFrame *frame = av_frame_alloc();

	frame->format = format;
	frame->width = width;
	frame->height = height;
	assert_true(av_frame_get_buffer(frame, 0) >= 0);
	for (int row = 0; row < height; row++)
		memset(frame->data[0] + row * frame->linesize[0], y, width);
	for (int row = 0; row < height / 2; row++)
	{
		memset(frame->data[1] + row * frame->linesize[1], u, width / 2);
		memset(frame->data[2] + row * frame->linesize[2], v, width / 2);
	}
	return frame;
}

static Snapshot
snapshot_of(const AVFrame *frame, int track)
{
	Snapshot snapshot = {.frame = frame,
						 .camera_id = 7,
						 .at_us = AT,
						 .track = track,
						 .box = {0.5f, 0.5f, 0.25f, 0.25f},
						 .label = "person",
						 .confidence = 0.91f,
						 .annotated = true};

	media_path_snapshot(snapshot.path, 7, AT, track);
	return snapshot;
}

/* Write a snapshot and decode it again: *rgb is malloc'd. */
static void
write_and_read(const Snapshot *snapshot, int *width, int *height, unsigned char **rgb)
{
	char reason[256];
	unsigned char *jpeg = malloc(1 << 22);
	tjhandle decoder = tjInitDecompress();
	SnapshotFile file;
	ssize_t length;
	int fd;

	assert_int_equal(snapshot_write(directory, snapshot, &file, reason, sizeof(reason)), 0);
	fd = openat(directory_fd, snapshot->path, O_RDONLY);
	assert_true(fd >= 0);
	length = read(fd, jpeg, 1 << 22);
	close(fd);
	assert_int_equal(length, file.bytes);
	assert_int_equal(tjDecompressHeader(decoder, jpeg, length, width, height), 0);
	assert_int_equal(*width, file.width);
	assert_int_equal(*height, file.height);
	*rgb = malloc(*width * *height * 3);
	assert_int_equal(tjDecompress2(decoder, jpeg, length, *rgb, *width, 0, *height, TJPF_RGB, 0),
					 0);
	tjDestroy(decoder);
	free(jpeg);
}

static void
assert_colour(const unsigned char *rgb, int width, int x, int y, int red, int green, int blue)
{
	const unsigned char *p = rgb + (y * width + x) * 3;

	assert_in_range(p[0] + 1000, red + 1000 - 6, red + 1000 + 6);
	assert_in_range(p[1] + 1000, green + 1000 - 6, green + 1000 + 6);
	assert_in_range(p[2] + 1000, blue + 1000 - 6, blue + 1000 + 6);
}

static void
the_file_is_private(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 320, 240, 100, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 1);
	unsigned char *rgb;
	struct stat status;
	int width;
	int height;

	write_and_read(&snapshot, &width, &height, &rgb);
	assert_int_equal(fstatat(directory_fd, "7/2026-01-02/030405.678-1.jpg", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(fstatat(directory_fd, "7/2026-01-02", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(fstatat(directory_fd, "7/2026-01-02/030405.678-1.jpg.tmp", &status, 0), -1);
	free(rgb);
	/* Once more, over the first. */
	write_and_read(&snapshot, &width, &height, &rgb);
	free(rgb);
	av_frame_free(&frame);
}

static void
no_symbolic_link_is_followed(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 64, 64, 100, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 1);
	SnapshotFile file;
	char reason[256];
	struct stat status;

	media_path_snapshot(snapshot.path, 8, AT, 1);
	assert_int_equal(symlinkat("7", directory_fd, "8"), 0);
	assert_int_equal(snapshot_write(directory, &snapshot, &file, reason, sizeof(reason)), -1);
	assert_non_null(strstr(reason, "8/2026-01-02/030405.678-1.jpg"));

	/* A link in the file's own place is replaced, not written through. */
	media_path_snapshot(snapshot.path, 9, AT, 1);
	assert_int_equal(mkdirat(directory_fd, "9", 0700), 0);
	assert_int_equal(mkdirat(directory_fd, "9/2026-01-02", 0700), 0);
	assert_int_equal(symlinkat("../../victim", directory_fd, "9/2026-01-02/030405.678-1.jpg"), 0);
	assert_int_equal(symlinkat("../../victim", directory_fd, "9/2026-01-02/030405.678-1.jpg.tmp"),
					 0);
	assert_int_equal(snapshot_write(directory, &snapshot, &file, reason, sizeof(reason)), 0);
	assert_int_equal(fstatat(directory_fd, "victim", &status, 0), -1);
	assert_int_equal(
		fstatat(directory_fd, "9/2026-01-02/030405.678-1.jpg", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
	av_frame_free(&frame);
}

static void
colours_are_right_in_either_range(void **state)
{
	AVFrame *frame;
	Snapshot snapshot;
	unsigned char *rgb;
	int width;
	int height;

	/* Limited range: black, white, and BT.601 red. */
	static const int limited[][6] = {
		{16, 128, 128, 0, 0, 0}, {235, 128, 128, 255, 255, 255}, {81, 90, 240, 254, 0, 0}};
	/* Full range, as JPEG and many cameras have it. */
	static const int full[][6] = {
		{0, 128, 128, 0, 0, 0}, {255, 128, 128, 255, 255, 255}, {76, 85, 255, 254, 0, 0}};

	for (int i = 0; i < 3; i++)
	{
		const int *c = limited[i];

		frame = make_frame(AV_PIX_FMT_YUV420P, 320, 240, c[0], c[1], c[2]);
		snapshot = snapshot_of(frame, 2);
		write_and_read(&snapshot, &width, &height, &rgb);
		assert_colour(rgb, width, 20, 20, c[3], c[4], c[5]);
		free(rgb);
		av_frame_free(&frame);

		c = full[i];
		frame = make_frame(AV_PIX_FMT_YUVJ420P, 320, 240, c[0], c[1], c[2]);
		snapshot = snapshot_of(frame, 3);
		write_and_read(&snapshot, &width, &height, &rgb);
		assert_colour(rgb, width, 20, 20, c[3], c[4], c[5]);
		free(rgb);
		frame->format = AV_PIX_FMT_YUV420P;
		frame->color_range = AVCOL_RANGE_JPEG;
		write_and_read(&snapshot, &width, &height, &rgb);
		assert_colour(rgb, width, 20, 20, c[3], c[4], c[5]);
		free(rgb);
		av_frame_free(&frame);
	}
	/* High definition is BT.709 when it does not say. */
	frame = make_frame(AV_PIX_FMT_YUV420P, 1280, 720, 63, 102, 240);
	snapshot = snapshot_of(frame, 4);
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_colour(rgb, width, 20, 20, 255, 0, 0);
	free(rgb);
	av_frame_free(&frame);
}

static void
pixels_become_square(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 352, 288, 100, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 5);
	unsigned char *rgb;
	int width;
	int height;

	frame->sample_aspect_ratio = (AVRational){16, 11};
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_int_equal(width, 512);
	assert_int_equal(height, 288);
	free(rgb);
	frame->sample_aspect_ratio = (AVRational){1, 2};
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_int_equal(width, 352);
	assert_int_equal(height, 576);
	free(rgb);
	/* An absurd aspect ratio is ignored. */
	frame->sample_aspect_ratio = (AVRational){1000000, 1};
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_int_equal(width, 352);
	free(rgb);
	av_frame_free(&frame);
}

/* Pixels in a rectangle that differ clearly from grey. */
static int
coloured(const unsigned char *rgb, int width, int x0, int y0, int x1, int y1)
{
	int count = 0;

	for (int y = y0; y < y1; y++)
		for (int x = x0; x < x1; x++)
			count += abs(rgb[(y * width + x) * 3] - rgb[(y * width + x) * 3 + 2]) > 60;
	return count;
}

static void
the_box_is_drawn_where_it_is(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 640, 480, 120, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 6);
	unsigned char *rgb;
	int width;
	int height;

	write_and_read(&snapshot, &width, &height, &rgb);
	/* The box spans 320..480, 240..360: its edges are coloured, its inside is not. */
	assert_true(coloured(rgb, width, 316, 260, 326, 340) > 100);
	assert_true(coloured(rgb, width, 474, 260, 484, 340) > 100);
	assert_int_equal(coloured(rgb, width, 340, 260, 460, 340), 0);
	assert_int_equal(coloured(rgb, width, 0, 0, 300, 400), 0);
	free(rgb);

	/* Boxes at and beyond the edges, and any label, are drawn without harm. */
	snapshot.box = (Box){-0.5f, -0.5f, 3.0f, 3.0f};
	snapshot.label = "na\xc3\xafve \xf0\x9f\x93\xb7 label that is rather longer than the picture "
					 "is wide, by far";
	write_and_read(&snapshot, &width, &height, &rgb);
	free(rgb);
	av_frame_free(&frame);
}

static void
other_formats_are_converted(void **state)
{
	static const int formats[] = {AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_GRAY8,
								  AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ422P};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		AVFrame *frame = av_frame_alloc();
		Snapshot snapshot = snapshot_of(frame, 10 + (int) i);
		unsigned char *rgb;
		int width;
		int height;

		frame->format = formats[i];
		frame->width = 322;
		frame->height = 242;
		assert_true(av_frame_get_buffer(frame, 0) >= 0);
		for (int plane = 0; plane < 3 && frame->buf[plane] != NULL; plane++)
			memset(frame->buf[plane]->data, 1, frame->buf[plane]->size);
		write_and_read(&snapshot, &width, &height, &rgb);
		assert_int_equal(width, 322);
		free(rgb);
		av_frame_free(&frame);
	}
}

static void
a_clean_picture_has_nothing_on_it(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 640, 480, 120, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 7);
	unsigned char *rgb;
	int width;
	int height;

	snapshot.annotated = false;
	write_and_read(&snapshot, &width, &height, &rgb);
	for (int i = 0; i < width * height * 3; i++)
		assert_in_range(rgb[i], rgb[0] - 2, rgb[0] + 2);
	free(rgb);
	av_frame_free(&frame);
}

/* Of any size, with or without vector code for it: no row or column is left out. */
static void
a_picture_is_whole(void **state)
{
	for (int side = 2; side <= 66; side++)
		for (int other = 16; other <= 17; other++)
		{
			AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, side, other, 81, 90, 240);
			Canvas canvas = {0};

			/* An odd side has a last chroma sample, too. */
			memset(frame->data[1], 90, frame->linesize[1] * ((other + 1) / 2));
			memset(frame->data[2], 240, frame->linesize[2] * ((other + 1) / 2));
			assert_int_equal(picture_from_frame(frame, 0, &canvas), 0);
			assert_int_equal(canvas.width, side);
			assert_int_equal(canvas.height, other);
			for (int i = 0; i < side * other; i++)
			{
				const uint8_t *pixel = canvas.data + i / side * canvas.stride + i % side * 3;

				assert_in_range(pixel[0], 0, 3);
				assert_in_range(pixel[1], 0, 3);
				assert_in_range(pixel[2], 251, 255);
			}
			free(canvas.data);
			av_frame_free(&frame);
		}
}

/* The file's checksum is told as sha256sum would. */
static void
the_checksum_is_the_files(void **state)
{
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 64, 64, 100, 128, 128);
	Snapshot snapshot = snapshot_of(frame, 8);
	SnapshotFile file;
	char reason[256];
	char command[256];
	char text[MEDIA_SHA256] = "";
	FILE *sum;

	assert_int_equal(snapshot_write(directory, &snapshot, &file, reason, sizeof(reason)), 0);
	snprintf(command, sizeof(command), "sha256sum %s/%s", directory, snapshot.path);
	sum = popen(command, "r");
	assert_non_null(sum);
	assert_non_null(fgets(text, sizeof(text), sum));
	pclose(sum);
	assert_string_equal(text, file.sha256);
	av_frame_free(&frame);
}

/* Vertical stripes of the given width, blurred or not, all over the frame. */
static void
draw_stripes(AVFrame *frame, bool sharp)
{
	for (int row = 0; row < frame->height; row++)
	{
		for (int x = 0; x < frame->width; x++)
		{
			int phase = x % 16;
			int ramp = phase < 8 ? phase : 15 - phase;

			frame->data[0][row * frame->linesize[0] + x] =
				sharp ? (phase < 8 ? 60 : 180) : 60 + ramp * 120 / 7;
		}
	}
}

static void
the_better_picture_scores_higher(void **state)
{
	static const Box box = {0.4f, 0.4f, 0.2f, 0.4f};
	static const Box larger = {0.3f, 0.3f, 0.3f, 0.6f};
	static const Box at_the_edge = {0.0f, 0.4f, 0.2f, 0.4f};
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 640, 480, 120, 128, 128);
	AVFrame *deep = make_frame(AV_PIX_FMT_YUV420P10LE, 320, 480, 0, 0, 0);
	float flat = snapshot_score(frame, &box, 0.9f);
	float blurred;
	float sharp;

	draw_stripes(frame, false);
	blurred = snapshot_score(frame, &box, 0.9f);
	draw_stripes(frame, true);
	sharp = snapshot_score(frame, &box, 0.9f);
	assert_true(flat > 0);
	assert_true(blurred > flat);
	assert_true(sharp > blurred * 1.15f);
	assert_true(snapshot_score(frame, &box, 0.5f) < sharp);
	assert_true(snapshot_score(frame, &larger, 0.9f) > sharp * 1.15f);
	assert_true(snapshot_score(frame, &at_the_edge, 0.9f) < sharp * 0.7f);

	/* Boxes beyond the frame, boxes of nothing, and other depths do no harm. */
	assert_true(snapshot_score(frame, &(Box){-1, -1, 3, 3}, 0.9f) > 0);
	assert_true(snapshot_score(frame, &(Box){2, 2, 1, 1}, 0.9f) >= 0);
	assert_true(snapshot_score(frame, &(Box){0.5f, 0.5f, 0, 0}, 0.9f) == 0);
	assert_true(snapshot_score(deep, &box, 0.9f) > 0);
	av_frame_free(&deep);
	av_frame_free(&frame);
}

/* Who is told that a picture was not taken can try again: none is lost in silence. */
static void
a_full_queue_says_so(void **state)
{
	const atomic_bool running = false;
	EventQueue *lines = event_queue_create(1000, 1 << 20);
	EventStream *events = event_stream_create(lines, 1, false, &running);
	SnapshotQueue *queue = snapshot_queue_start(directory);
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 1920, 1080, 100, 128, 128);
	int taken = 0;
	int told = 0;
	char *line;

	for (int i = 0; i < 100; i++)
	{
		Snapshot snapshot = {.frame = frame, .camera_id = 1, .at_us = AT, .label = "person"};

		media_path_snapshot(snapshot.path, 1, AT, i);
		taken += snapshot_queue_put(queue, &snapshot, events);
	}
	snapshot_queue_stop(queue);
	while ((line = event_queue_pop(lines, 0)) != NULL)
	{
		told++;
		free(line);
	}
	assert_in_range(taken, 8, 99);
	assert_int_equal(told, taken);
	av_frame_free(&frame);
	event_stream_free(events);
	event_queue_free(lines);
}

/* The right upper quarter and a triangle at the left edge; the caller unrefs the buffer. */
static PolygonList
hidden_parts(void)
{
	AVBufferRef *buffer = av_buffer_allocz(2 * sizeof(Polygon));
	Polygon *parts = (Polygon *) buffer->data;

	parts[0] = (Polygon){4, {{0.5f, 0}, {1, 0}, {1, 0.5f}, {0.5f, 0.5f}}};
	parts[1] = (Polygon){3, {{0, 0.5f}, {0.25f, 0.75f}, {0, 1}}};
	return (PolygonList){.count = 2, .items = parts, .buffer = buffer};
}

static void
what_is_private_is_black(void **state)
{
	PolygonList parts = hidden_parts();
	PolygonList none = {0};
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 320, 240, 180, 128, 128);
	AVFrame *reference;
	Snapshot snapshot;
	unsigned char *rgb;
	int width;
	int height;

	assert_int_equal(picture_hide(frame, &parts), 0);
	/* Whoever holds a reference of the frame hides the same; who configures is gone. */
	reference = av_frame_clone(frame);
	av_buffer_unref(&parts.buffer);
	snapshot = snapshot_of(reference, 9);
	snapshot.annotated = false;
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_colour(rgb, width, 240, 60, 0, 0, 0);
	assert_colour(rgb, width, 319, 0, 0, 0, 0);
	assert_colour(rgb, width, 166, 112, 0, 0, 0);
	assert_colour(rgb, width, 20, 180, 0, 0, 0);
	assert_colour(rgb, width, 80, 60, 191, 191, 191);
	assert_colour(rgb, width, 150, 60, 191, 191, 191);
	assert_colour(rgb, width, 240, 130, 191, 191, 191);
	assert_colour(rgb, width, 70, 130, 191, 191, 191);
	free(rgb);

	/* Detection sees what is there. */
	assert_int_equal(reference->data[0][60 * reference->linesize[0] + 240], 180);

	/* The next frame may hide nothing. */
	assert_int_equal(picture_hide(frame, &none), 0);
	snapshot.frame = frame;
	write_and_read(&snapshot, &width, &height, &rgb);
	assert_colour(rgb, width, 240, 60, 191, 191, 191);
	free(rgb);
	av_frame_free(&reference);
	av_frame_free(&frame);
}

/* Whatever its size, and although its pixels are not square. */
static void
what_is_private_is_black_in_any_size(void **state)
{
	PolygonList parts = hidden_parts();
	AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P, 704, 576, 180, 128, 128);

	frame->sample_aspect_ratio = (AVRational){16, 11};
	assert_int_equal(picture_hide(frame, &parts), 0);
	for (int width = 64; width <= 1024; width *= 2)
	{
		Canvas canvas = {0};
		const uint8_t *row;

		assert_int_equal(picture_from_frame(frame, width, &canvas), 0);
		row = canvas.data + canvas.height / 4 * canvas.stride;
		assert_int_equal(canvas.width, width);
		assert_int_equal(row[3 * (canvas.width / 2 + 1)], 0);
		assert_int_equal(row[3 * (canvas.width - 1)], 0);
		assert_int_not_equal(row[3 * (canvas.width / 2 - 2)], 0);
		free(canvas.data);
	}
	av_buffer_unref(&parts.buffer);
	av_frame_free(&frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_is_private),
		cmocka_unit_test(no_symbolic_link_is_followed),
		cmocka_unit_test(colours_are_right_in_either_range),
		cmocka_unit_test(pixels_become_square),
		cmocka_unit_test(the_box_is_drawn_where_it_is),
		cmocka_unit_test(other_formats_are_converted),
		cmocka_unit_test(a_picture_is_whole),
		cmocka_unit_test(a_clean_picture_has_nothing_on_it),
		cmocka_unit_test(the_checksum_is_the_files),
		cmocka_unit_test(what_is_private_is_black),
		cmocka_unit_test(what_is_private_is_black_in_any_size),
		cmocka_unit_test(the_better_picture_scores_higher),
		cmocka_unit_test(a_full_queue_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
