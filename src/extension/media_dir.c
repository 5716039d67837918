/*
 * media_dir.c
 *		Files below the media directory, reached without following a link.
 */
#include "postgres.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "guc.h"
#include "media_dir.h"

#define LONGEST_STEP 255
#define DAY_S 86400

/* Close without losing errno. */
static void
close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* The length of the plain name that a path begins with; 0 when it is none. */
static size_t
plain_step(const char *path)
{
	size_t length = strcspn(path, "/");

	if (path[0] == '.' || length > LONGEST_STEP)
		return 0;
	for (size_t i = 0; i < length; i++)
	{
		if ((unsigned char) path[i] < ' ' || path[i] == 0x7f)
			return 0;
	}
	return length;
}

/*
 * Open the directory that holds path.  *name is then the path's last step, and
 * *grandparent, unless NULL, the directory that holds the directory named by
 * *step; -1 if that is the media directory itself.  Returns a descriptor or -1.
 */
static int
open_parent(const char *path, const char **name, int *grandparent, char step[LONGEST_STEP + 1])
{
	char *media_dir = cctv_absolute_media_dir();
	int dir = open(media_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int above = -1;

	pfree(media_dir);
	while (dir >= 0)
	{
		size_t length = plain_step(path);
		int next;

		if (length == 0)
		{
			close(dir);
			dir = -1;
			errno = EINVAL;
			break;
		}
		if (path[length] == '\0')
			break;
		memcpy(step, path, length);
		step[length] = '\0';
		next = openat(dir, step, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (above >= 0)
			close_keeping_errno(above);
		above = dir;
		dir = next;
		path += length + 1;
	}
	*name = path;
	if (dir >= 0 && grandparent != NULL)
		*grandparent = above;
	else if (above >= 0)
		close_keeping_errno(above);
	return dir;
}

int
cctv_media_open(const char *path, struct stat *status)
{
	char step[LONGEST_STEP + 1];
	const char *name;
	int dir = open_parent(path, &name, NULL, step);
	int fd;

	if (dir < 0)
		return -1;
	/* A FIFO would make the open wait. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close_keeping_errno(dir);
	if (fd < 0)
		return -1;
	if (fstat(fd, status) < 0)
	{
		close_keeping_errno(fd);
		return -1;
	}
	if (!S_ISREG(status->st_mode))
	{
		close(fd);
		errno = ENOTSUP;
		return -1;
	}
	return fd;
}

int
cctv_media_open_dir(const char *path)
{
	char step[LONGEST_STEP + 1];
	const char *name;
	char *child = psprintf("%s%sx", path, path[0] != '\0' ? "/" : "");
	int dir = open_parent(child, &name, NULL, step);

	pfree(child);
	return dir;
}

/* Is this the directory of a day before yesterday, to which nothing is added any more? */
static bool
is_bygone_day(const char *step)
{
	char yesterday[] = "YYYY-MM-DD";
	time_t then = time(NULL) - DAY_S;
	struct tm parts;

	return gmtime_r(&then, &parts) != NULL &&
		   strftime(yesterday, sizeof(yesterday), "%Y-%m-%d", &parts) > 0 &&
		   strlen(step) == strlen(yesterday) && strcmp(step, yesterday) < 0;
}

int
cctv_media_unlink(const char *path)
{
	char step[LONGEST_STEP + 1];
	const char *name;
	int above = -1;
	int dir = open_parent(path, &name, &above, step);
	int result;

	if (dir < 0)
		return -1;
	result = unlinkat(dir, name, 0);
	close_keeping_errno(dir);
	if (above >= 0)
	{
		if (result == 0 && is_bygone_day(step))
		{
			/* Fails unless it is empty. */
			(void) unlinkat(above, step, AT_REMOVEDIR);
		}
		close_keeping_errno(above);
	}
	return result;
}
