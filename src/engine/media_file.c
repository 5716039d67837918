/*
 * media_file.c
 *		A media file being written: append-only, hashed as it grows.
 */
#define _GNU_SOURCE
#include "media_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "media_path.h"
#include "sha256.h"

/*
 * So much is written before the disk is told to begin with it, so that little is
 * left to wait for when the file is closed.
 */
#define WRITEBACK_BYTES (1024 * 1024)

#define READ_SIZE 65536

struct MediaFile
{
	int fd;
	int error; /* 0, or the first failure as -errno */
	int64_t bytes;
	int64_t marked;
	int64_t begun;	   /* bytes whose way to the disk has begun */
	Sha256 sha;		   /* of all bytes written */
	Sha256 marked_sha; /* of the bytes up to the mark */
	char *media_dir;
	char path[MEDIA_PATH + sizeof(MEDIA_TEMPORARY)];
};

static void
media_file_free(MediaFile *file)
{
	if (file == NULL)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file->media_dir);
	free(file);
}

int
media_file_create(const char *media_dir, const char *path, MediaFile **result)
{
	MediaFile *file = calloc(1, sizeof(*file));
	int fd;

	if (file == NULL)
		return -ENOMEM;
	file->fd = -1;
	file->media_dir = strdup(media_dir);
	if (file->media_dir == NULL)
	{
		media_file_free(file);
		return -ENOMEM;
	}
	snprintf(file->path, sizeof(file->path), "%s", path);
	sha256_init(&file->sha);
	sha256_init(&file->marked_sha);

	fd = media_create(media_dir, path);
	if (fd < 0)
	{
		media_file_free(file);
		return fd;
	}
	file->fd = fd;
	*result = file;
	return 0;
}

int
media_file_append(MediaFile *file, const uint8_t *data, size_t size)
{
	size_t done = 0;

	while (file->error == 0 && done < size)
	{
		ssize_t n = write(file->fd, data + done, size - done);

		if (n > 0)
			done += n;
		else if (n == 0)
			file->error = -EIO;
		else if (errno != EINTR)
			file->error = -errno;
	}
	if (file->error != 0)
		return file->error;
	sha256_update(&file->sha, data, size);
	file->bytes += size;
	if (file->bytes - file->begun >= WRITEBACK_BYTES)
	{
		(void) sync_file_range(file->fd, file->begun, file->bytes - file->begun,
							   SYNC_FILE_RANGE_WRITE);
		file->begun = file->bytes;
	}
	return 0;
}

int
media_file_error(const MediaFile *file)
{
	return file->error;
}

int64_t
media_file_bytes(const MediaFile *file)
{
	return file->bytes;
}

void
media_file_mark(MediaFile *file)
{
	if (file->error != 0)
		return;
	file->marked = file->bytes;
	file->marked_sha = file->sha;
}

void
media_hex(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int
media_hash(int fd, char sha256[MEDIA_SHA256])
{
	Sha256 sha;
	uint8_t *buffer = malloc(READ_SIZE);
	uint8_t digest[SHA256_BYTES];
	int64_t at = 0;
	ssize_t got;
	int error = 0;

	if (buffer == NULL)
		return -ENOMEM;
	sha256_init(&sha);
	while ((got = pread(fd, buffer, READ_SIZE, at)) > 0)
	{
		sha256_update(&sha, buffer, (size_t) got);
		at += got;
	}
	if (got < 0)
		error = -errno;
	sha256_final(&sha, digest);
	media_hex(digest, sizeof(digest), sha256);
	free(buffer);
	return error;
}

/* Cut the file to what is whole, and have it reach the disk. */
static int
complete(MediaFile *file, int64_t *bytes, char sha256[MEDIA_SHA256])
{
	uint8_t digest[SHA256_BYTES];

	if (file->error == 0)
		media_file_mark(file);
	else if (ftruncate(file->fd, file->marked) != 0)
		log_warning("could not cut %s to its complete part: %s", file->path, strerror(errno));
	*bytes = file->marked;
	sha256_final(&file->marked_sha, digest);
	media_hex(digest, sizeof(digest), sha256);
	return fdatasync(file->fd) == 0 ? 0 : -errno;
}

int
media_file_close(MediaFile *file, int64_t *bytes, char sha256[MEDIA_SHA256])
{
	int error = complete(file, bytes, sha256);

	if (error == 0)
		error = media_sync(file->media_dir, file->path);
	media_file_free(file);
	return error;
}

void
media_file_discard(MediaFile *file)
{
	int error = media_remove(file->media_dir, file->path);

	if (error < 0)
		log_warning("could not remove %s: %s", file->path, strerror(-error));
	media_file_free(file);
}

int
media_file_store(const char *media_dir, const char *path, const uint8_t *data, size_t size,
				 char sha256[MEDIA_SHA256])
{
	char temporary[MEDIA_PATH + sizeof(MEDIA_TEMPORARY)];
	MediaFile *file;
	int64_t bytes;
	int result;

	snprintf(temporary, sizeof(temporary), "%s" MEDIA_TEMPORARY, path);
	media_remove(media_dir, temporary);
	result = media_file_create(media_dir, temporary, &file);
	if (result < 0)
		return result;
	result = media_file_append(file, data, size);
	if (result < 0)
	{
		media_file_discard(file);
		return result;
	}
	/* Its name may be lost with the power, as may the row that follows; half of it may not. */
	result = complete(file, &bytes, sha256);
	media_file_free(file);
	if (result == 0)
		result = media_rename(media_dir, temporary, path);
	if (result < 0)
		media_remove(media_dir, temporary);
	return result;
}
