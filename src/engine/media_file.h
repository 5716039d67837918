/*
 * media_file.h
 *		A media file being written: append-only, hashed as it grows.
 *
 * A mark says "up to here the file is whole".  When a write fails, everything
 * behind the last mark is cut off, so a full disk leaves a playable file.
 */
#ifndef CCTV_MEDIA_FILE_H
#define CCTV_MEDIA_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Room for a SHA-256 in hexadecimal, its NUL included. */
#define MEDIA_SHA256 65

typedef struct MediaFile MediaFile;

/*
 * Make the file at path below media_dir (see media_path.h).  Returns 0 or a
 * negative errno value.
 */
extern int media_file_create(const char *media_dir, const char *path, MediaFile **file);

/*
 * Append.  Returns 0 or a negative errno value; the first error sticks, and
 * nothing is written after it.
 */
extern int media_file_append(MediaFile *file, const uint8_t *data, size_t size);
extern int media_file_error(const MediaFile *file);

extern int64_t media_file_bytes(const MediaFile *file);
extern void media_file_mark(MediaFile *file);

/*
 * Close the file, after an error cut back to its last mark, and wait until it
 * has reached the disk: a row that says so must hold after a power failure.
 * Stores its bytes, and sha256 of what it holds.  Returns 0, or a negative errno
 * value when the disk may hold less.
 */
extern int media_file_close(MediaFile *file, int64_t *bytes, char sha256[MEDIA_SHA256]);

/*
 * Write a whole file, through a temporary name, in the place of what was there:
 * there is never half of it.  Returns 0 or a negative errno value.
 */
extern int media_file_store(const char *media_dir, const char *path, const uint8_t *data,
							size_t size, char sha256[MEDIA_SHA256]);

/* What a temporary name ends with: a crash may leave such files. */
#define MEDIA_TEMPORARY ".tmp"

/* n bytes in hexadecimal, with a NUL. */
extern void media_hex(const uint8_t *bytes, size_t n, char *text);

/* The SHA-256 of an open file.  Returns 0 or a negative errno value. */
extern int media_hash(int fd, char sha256[MEDIA_SHA256]);

/* Close and remove the file. */
extern void media_file_discard(MediaFile *file);

#endif /* CCTV_MEDIA_FILE_H */
