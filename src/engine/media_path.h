/*
 * media_path.h
 *		Names of media files, and the only way to open, make or remove one.
 *
 * A path is relative to the media directory: <camera_id>/<day>/<file>, days and
 * times in UTC.  Each step is opened relative to the one before and symbolic
 * links are never followed, so whoever may write in the media directory cannot
 * lead the engine out of it.
 */
#ifndef CCTV_MEDIA_PATH_H
#define CCTV_MEDIA_PATH_H

#include <stdbool.h>
#include <stdint.h>

/* Room for a path, its NUL included. */
#define MEDIA_PATH 128

/* <camera_id>/<YYYY-MM-DD>/<HHMMSS.mmm>Z-<reason>.mp4 */
extern void media_path_recording(char path[MEDIA_PATH], int camera_id, int64_t at_us,
								 const char *reason);

/* <camera_id>/<YYYY-MM-DD>/<HHMMSS.mmm>-<track>.jpg */
extern void media_path_snapshot(char path[MEDIA_PATH], int camera_id, int64_t at_us, int track);

/*
 * Make a file (mode 0600) and the directories it lies in (mode 0700); it must
 * not exist yet.  Returns a descriptor for reading and writing, or a negative errno
 * value; EINVAL when the path is absolute or has an empty or dotted step.
 */
extern int media_create(const char *media_dir, const char *path);

/* Open a file for reading.  Returns a descriptor or a negative errno value. */
extern int media_open(const char *media_dir, const char *path);

/* The same for reading and writing, and a directory for listing. */
extern int media_reopen(const char *media_dir, const char *path);
extern int media_directory(const char *media_dir, const char *path);

/*
 * Give the file at `from` the name `to`, replacing what has it; both in one
 * directory.  Returns 0 or a negative errno value.
 */
extern int media_rename(const char *media_dir, const char *from, const char *to);

/*
 * Is it only the sandbox that keeps us out of the media directory?  Its right is
 * to a directory and not to a name: when a disk is mounted anew, or another
 * directory takes its place, nothing can be written until there is a new engine.
 */
extern bool media_shut_out(const char *media_dir);

/* Wait until a file's name has reached the disk.  Returns 0 or a negative errno value. */
extern int media_sync(const char *media_dir, const char *path);

/* Remove a file.  Returns 0 or a negative errno value. */
extern int media_remove(const char *media_dir, const char *path);

#endif /* CCTV_MEDIA_PATH_H */
