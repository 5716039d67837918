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

#include "clock.h"
#include "picture.h"

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

static void
annotate(const Canvas *canvas, const Snapshot *snapshot)
{
	char caption[128];
	snprintf(caption, sizeof(caption), "%s %d%%", snapshot->label,
			 (int) (snapshot->confidence * 100 + 0.5f));
	draw_object(canvas, &snapshot->box, caption);
	picture_sign(canvas, snapshot->camera_id, snapshot->at_us);
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
	unsigned char *jpeg = NULL;
	size_t length = 0;
	char path[SNAPSHOT_PATH];
	int result = -1;

	if (picture_from_frame(snapshot->frame, 0, &canvas) != 0)
	{
		snprintf(reason, reason_size, "the picture cannot be converted");
		goto done;
	}
	annotate(&canvas, snapshot);
	if (picture_compress(&canvas, &jpeg, &length) != 0)
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
	free(jpeg);
	free(canvas.data);
	return result;
}
