/*
 * snapshot.c
 *		An annotated JPEG of the frame that confirmed a track.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
#include <turbojpeg.h>

#include "clock.h"
#include "draw.h"

#define JPEG_QUALITY 80
#define MAX_SIDE 16384

void
snapshot_path(int camera_id, int64_t at_us, int track, char path[SNAPSHOT_PATH])
{
	time_t seconds = at_us / CLOCK_SECOND;
	int milliseconds = (int) (at_us % CLOCK_SECOND / 1000);
	struct tm tm;
	char day[16];
	char time[16];

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	strftime(time, sizeof(time), "%H%M%S", &tm);
	snprintf(path, SNAPSHOT_PATH, "%d/%s/%s.%03d-%d.jpg", camera_id, day, time, milliseconds,
			 track);
}

/* The size at which the picture's pixels are square. */
static void
display_size(const AVFrame *frame, int *width, int *height)
{
	AVRational aspect = frame->sample_aspect_ratio;

	*width = frame->width;
	*height = frame->height;
	if (aspect.num <= 0 || aspect.den <= 0 || aspect.num == aspect.den)
		return;
	/* Widen or heighten, so that no line of the picture is lost. */
	if (aspect.num > aspect.den)
		*width = (int) av_rescale(frame->width, aspect.num, aspect.den);
	else
		*height = (int) av_rescale(frame->height, aspect.den, aspect.num);
	if (*width > MAX_SIDE || *height > MAX_SIDE)
	{
		*width = frame->width;
		*height = frame->height;
	}
}

/* "yuvj" formats have the full range whatever the frame says. */
static int
full_range(const AVFrame *frame)
{
	switch (frame->format)
	{
		case AV_PIX_FMT_YUVJ420P:
		case AV_PIX_FMT_YUVJ422P:
		case AV_PIX_FMT_YUVJ444P:
		case AV_PIX_FMT_YUVJ440P:
		case AV_PIX_FMT_YUVJ411P:
			return 1;
		default:
			return frame->color_range == AVCOL_RANGE_JPEG;
	}
}

/* What a stream that does not say is taken to be, as every player does. */
static int
colour_space(const AVFrame *frame)
{
	if (frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB)
		return frame->colorspace;
	return frame->height > 576 && !full_range(frame) ? SWS_CS_ITU709 : SWS_CS_ITU601;
}

/* Convert a frame to BGR at its display size.  canvas->data is malloc'd. */
static int
make_canvas(const AVFrame *frame, Canvas *canvas)
{
	struct SwsContext *scaler;
	int done = -1;

	display_size(frame, &canvas->width, &canvas->height);
	canvas->stride = (canvas->width * 3 + 31) / 32 * 32;
	canvas->data = malloc((size_t) canvas->stride * canvas->height + 64);
	scaler = sws_getContext(frame->width, frame->height, frame->format, canvas->width,
							canvas->height, AV_PIX_FMT_BGR24,
							SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
	if (canvas->data != NULL && scaler != NULL)
	{
		sws_setColorspaceDetails(scaler, sws_getCoefficients(colour_space(frame)),
								 full_range(frame), sws_getCoefficients(SWS_CS_DEFAULT), 1, 0,
								 1 << 16, 1 << 16);
		done = sws_scale(scaler, (const uint8_t *const *) frame->data, frame->linesize, 0,
						 frame->height, &canvas->data, &canvas->stride);
	}
	sws_freeContext(scaler);
	return done > 0 ? 0 : -1;
}

static void
annotate(const Canvas *canvas, const Snapshot *snapshot)
{
	char caption[128];
	char when[CLOCK_TEXT];
	char footer[64];

	snprintf(caption, sizeof(caption), "%s %d%%", snapshot->label,
			 (int) (snapshot->confidence * 100 + 0.5f));
	draw_object(canvas, &snapshot->box, caption);
	clock_format(snapshot->at_us, when);
	snprintf(footer, sizeof(footer), "camera %d  %.10s %.12s UTC", snapshot->camera_id, when,
			 when + 11);
	draw_footer(canvas, footer);
}

/* Open a directory below parent, making it if need be. */
static int
open_directory(int parent, const char *name)
{
	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return -1;
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int
write_all(int fd, const unsigned char *data, size_t length)
{
	while (length > 0)
	{
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno != EINTR)
			return -1;
		if (written > 0)
		{
			data += written;
			length -= written;
		}
	}
	return 0;
}

/* Write name in the directory through a temporary name, so that it is never half there. */
static int
write_file(int directory, const char *name, const unsigned char *data, size_t length)
{
	char temporary[SNAPSHOT_PATH + 8];
	int fd;
	int saved;

	snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
	unlinkat(directory, temporary, 0);
	fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, data, length) == 0 && close(fd) == 0)
	{
		if (renameat(directory, temporary, directory, name) == 0)
			return 0;
		fd = -1;
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	unlinkat(directory, temporary, 0);
	errno = saved;
	return -1;
}

/* Write data to path (two directories and a name) below the directory top. */
static int
store(int top, const char *path, const unsigned char *data, size_t length)
{
	char parts[SNAPSHOT_PATH];
	char *day;
	char *name;
	int camera_fd;
	int day_fd = -1;
	int result = -1;
	int saved;

	snprintf(parts, sizeof(parts), "%s", path);
	day = strchr(parts, '/');
	*day++ = '\0';
	name = strchr(day, '/');
	*name++ = '\0';
	camera_fd = open_directory(top, parts);
	if (camera_fd >= 0)
		day_fd = open_directory(camera_fd, day);
	if (day_fd >= 0)
		result = write_file(day_fd, name, data, length);
	saved = errno;
	if (day_fd >= 0)
		close(day_fd);
	if (camera_fd >= 0)
		close(camera_fd);
	errno = saved;
	return result;
}

int
snapshot_write(int media_fd, const Snapshot *snapshot, SnapshotFile *file, char *reason,
			   size_t reason_size)
{
	Canvas canvas = {0};
	tjhandle compressor = NULL;
	unsigned char *jpeg = NULL;
	unsigned long length = 0;
	char path[SNAPSHOT_PATH];
	int result = -1;

	if (make_canvas(snapshot->frame, &canvas) != 0)
	{
		snprintf(reason, reason_size, "the picture cannot be converted");
		goto done;
	}
	annotate(&canvas, snapshot);
	compressor = tjInitCompress();
	if (compressor == NULL ||
		tjCompress2(compressor, canvas.data, canvas.width, canvas.stride, canvas.height, TJPF_BGR,
					&jpeg, &length, TJSAMP_420, JPEG_QUALITY, 0) != 0)
	{
		snprintf(reason, reason_size, "the picture cannot be compressed");
		goto done;
	}
	snapshot_path(snapshot->camera_id, snapshot->at_us, snapshot->track, path);
	if (store(media_fd, path, jpeg, length) != 0)
	{
		snprintf(reason, reason_size, "%s cannot be written: %s", path, strerror(errno));
		goto done;
	}
	*file = (SnapshotFile){(int64_t) length, canvas.width, canvas.height};
	result = 0;

done:
	tjFree(jpeg);
	if (compressor != NULL)
		tjDestroy(compressor);
	free(canvas.data);
	return result;
}
