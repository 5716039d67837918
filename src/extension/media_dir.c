/*
 * media_dir.c
 *		Files below the media directory, reached without following a link.
 */
#include "postgres.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "guc.h"
#include "media_dir.h"
#include "miscadmin.h"

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
 * The database's name as a directory's: what is not a letter, a digit, "_" or
 * "-" becomes "%" and its code, and so does the first character of a name of
 * digits only, as cameras' directories once lay beside those of databases.
 */
static void
make_step(const char *name, char *step)
{
	bool plain = strspn(name, "0123456789-") < strlen(name);

	for (const char *at = name; *at != '\0'; at++)
	{
		bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
					  (*at >= '0' && *at <= '9') || *at == '_' || *at == '-';

		if (letter && (plain || at > name))
			*step++ = *at;
		else
			step += sprintf(step, "%%%02X", (unsigned char) *at);
	}
	*step = '\0';
}

/* That of this process's database, whose name cannot change meanwhile. */
static const char *
database_step(void)
{
	static char step[3 * NAMEDATALEN];
	MemoryContext context = CurrentMemoryContext;
	bool alone = !IsTransactionState();
	char *name;

	if (step[0] != '\0')
		return step;
	if (alone)
		StartTransactionCommand();
	name = get_database_name(MyDatabaseId);
	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
						errmsg("database %u does not exist", MyDatabaseId)));
	make_step(name, step);
	if (alone)
		CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return step;
}

char *
cctv_database_media_dir(void)
{
	char *root = cctv_absolute_media_dir();
	char *path = psprintf("%s/%s", root, database_step());

	pfree(root);
	return path;
}

int
cctv_make_media_dir(char **path)
{
	*path = cctv_absolute_media_dir();
	if (mkdir(*path, 0700) < 0 && errno != EEXIST)
		return -1;
	pfree(*path);
	*path = cctv_database_media_dir();
	return mkdir(*path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* Does the path begin with a camera's directory? */
static bool
is_of_camera(const char *path)
{
	size_t length = strcspn(path, "/");

	return length > 0 && strspn(path, "-0123456789") == length;
}

/*
 * Open the directory that holds path below root, making it if asked to.  *name is then the path's last
 * step, and *grandparent, unless NULL, the directory that holds the directory
 * named by *step; -1 if that is root itself.  Returns a descriptor or -1.
 */
static int
open_parent_in(const char *root, const char *path, bool make, const char **name, int *grandparent,
			   char step[LONGEST_STEP + 1])
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int above = -1;

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
		if (make)
			(void) mkdirat(dir, step, 0700);
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

/* The same below the database's directory. */
static int
open_parent(const char *path, const char **name, int *grandparent, char step[LONGEST_STEP + 1])
{
	char *root = cctv_database_media_dir();
	int dir = open_parent_in(root, path, false, name, grandparent, step);
	int saved = errno;

	pfree(root);
	errno = saved;
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

bool
cctv_media_claim(const char *path)
{
	char *root = cctv_absolute_media_dir();
	char *own = cctv_database_media_dir();
	char step[LONGEST_STEP + 1];
	const char *name;
	int from = is_of_camera(path) ? open_parent_in(root, path, false, &name, NULL, step) : -1;
	int into = -1;
	bool moved = false;

	if (from >= 0 && faccessat(from, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		into = open_parent_in(own, path, true, &name, NULL, step);
	if (into >= 0 && faccessat(into, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		moved = renameat(from, name, into, name) == 0;
	if (into >= 0)
		close(into);
	if (from >= 0)
		close(from);
	pfree(root);
	pfree(own);
	return moved;
}
