/*
 * media_path.c
 *		Names of media files, and the only way to open, make or remove one.
 */
#define _GNU_SOURCE
#include "media_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* "<camera_id>/2026-11-20/061502.250" */
static void
path_of_time(char path[MEDIA_PATH], int camera_id, int64_t at_us)
{
	time_t seconds = at_us / CLOCK_SECOND;
	int millis = at_us % CLOCK_SECOND / 1000;
	struct tm tm;
	char text[MEDIA_PATH / 2];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d/%H%M%S", &tm);
	snprintf(path, MEDIA_PATH, "%d/%s.%03d", camera_id, text, millis);
}

void
media_path_recording(char path[MEDIA_PATH], int camera_id, int64_t at_us, const char *reason)
{
	size_t used;

	path_of_time(path, camera_id, at_us);
	used = strlen(path);
	snprintf(path + used, MEDIA_PATH - used, "Z-%s.mp4", reason);
}

void
media_path_snapshot(char path[MEDIA_PATH], int camera_id, int64_t at_us, int track)
{
	size_t used;

	path_of_time(path, camera_id, at_us);
	used = strlen(path);
	snprintf(path + used, MEDIA_PATH - used, "-%d.jpg", track);
}

/* Is the path made of plain names only?  "." and ".." begin with a dot, too. */
static bool
path_is_plain(const char *path)
{
	if (strlen(path) >= MEDIA_PATH)
		return false;
	for (const char *step = path;; step++)
	{
		if (*step == '\0' || *step == '/' || *step == '.')
			return false;
		if ((step = strchr(step, '/')) == NULL)
			return true;
	}
}

/*
 * Open the directory that holds path, making what is missing if asked to.
 * *name is then the path's last step.  Returns a descriptor or -errno.
 */
static int
open_parent(const char *media_dir, const char *path, bool make, const char **name)
{
	int dir;

	if (!path_is_plain(path))
		return -EINVAL;
	/* The media directory itself is the administrator's word: it may be a link. */
	dir = open(media_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;

	for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1)
	{
		char step[MEDIA_PATH];
		int next;

		snprintf(step, sizeof(step), "%.*s", (int) (slash - path), path);
		if (make && mkdirat(dir, step, 0700) != 0 && errno != EEXIST)
			next = -1;
		else
			next = openat(dir, step, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
		{
			int error = errno;

			close(dir);
			return -error;
		}
		close(dir);
		dir = next;
	}
	*name = path;
	return dir;
}

static int
open_file(const char *media_dir, const char *path, bool make, int flags)
{
	const char *name = NULL;
	int dir = open_parent(media_dir, path, make, &name);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		fd = -errno;
	close(dir);
	return fd;
}

int
media_create(const char *media_dir, const char *path)
{
	return open_file(media_dir, path, true, O_RDWR | O_CREAT | O_EXCL);
}

/* Open a file that is there; a fifo or a device in its place is no media file. */
static int
open_regular(const char *media_dir, const char *path, int flags)
{
	int fd = open_file(media_dir, path, false, flags);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)))
	{
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int
media_open(const char *media_dir, const char *path)
{
	return open_regular(media_dir, path, O_RDONLY);
}

int
media_reopen(const char *media_dir, const char *path)
{
	return open_regular(media_dir, path, O_RDWR);
}

int
media_directory(const char *media_dir, const char *path)
{
	return open_file(media_dir, path, false, O_RDONLY | O_DIRECTORY);
}

int
media_rename(const char *media_dir, const char *from, const char *to)
{
	const char *from_name;
	const char *to_name = strrchr(to, '/');
	int dir;
	int result = 0;

	to_name = to_name == NULL ? to : to_name + 1;
	dir = open_parent(media_dir, from, false, &from_name);
	if (dir < 0)
		return dir;
	if (!path_is_plain(to) || to_name - to != from_name - from ||
		strncmp(from, to, to_name - to) != 0)
		result = -EINVAL;
	else if (renameat(dir, from_name, dir, to_name) != 0)
		result = -errno;
	close(dir);
	return result;
}

bool
media_shut_out(const char *media_dir)
{
	bool shut_out;
	int fd;

	/* Landlock has no say in access(). */
	if (access(media_dir, R_OK | W_OK | X_OK) != 0)
		return false;
	fd = open(media_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	shut_out = fd < 0 && errno == EACCES;
	if (fd >= 0)
		close(fd);
	return shut_out;
}

int
media_sync(const char *media_dir, const char *path)
{
	char directory[MEDIA_PATH];
	const char *slash = strrchr(path, '/');
	int fd;
	int result;

	if (slash == NULL)
		return -EINVAL;
	snprintf(directory, sizeof(directory), "%.*s", (int) (slash - path), path);
	fd = media_directory(media_dir, directory);
	if (fd < 0)
		return fd;
	result = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return result;
}

int
media_remove(const char *media_dir, const char *path)
{
	const char *name;
	int dir = open_parent(media_dir, path, false, &name);
	int result;

	if (dir < 0)
		return dir;
	result = unlinkat(dir, name, 0) == 0 ? 0 : -errno;
	close(dir);
	return result;
}
