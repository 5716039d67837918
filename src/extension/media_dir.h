/*
 * media_dir.h
 *		Files below the media directory, reached without following a link.
 *
 * Each database has a directory of its own in cctv.media_dir, and paths are
 * relative to that.
 *
 * Engines write there, and what an engine does is taken for hostile: paths come
 * from rows, but rows come from engines.  Every step of a path is opened
 * relative to the one before with O_NOFOLLOW, and only regular files count.
 */
#ifndef CCTV_MEDIA_DIR_H
#define CCTV_MEDIA_DIR_H

#include <sys/stat.h>

/* The database's directory, absolute, palloc'd.  Not during an abort unless called before. */
extern char *cctv_database_media_dir(void);

/* Make it.  Returns 0, or -1 with errno set and *path, palloc'd, what could not be made. */
extern int cctv_make_media_dir(char **path);

/*
 * Before databases had directories of their own, those of cameras lay in
 * cctv.media_dir itself.  Move a file from there to its place, unless something
 * has that.  Returns whether it was.
 */
extern bool cctv_media_claim(const char *path);

/*
 * Open the regular file at path below the media directory for reading, with
 * its status.  Returns a descriptor, for close(), or -1 with errno set: EINVAL
 * when the path is absolute or has an empty or dotted step, ELOOP for a
 * symbolic link, ENOTSUP for what is no regular file.
 */
extern int cctv_media_open(const char *path, struct stat *status);

/*
 * Open a directory below the media directory, or that itself when path is
 * empty.  Returns a descriptor or -1 with errno set, as above.
 */
extern int cctv_media_open_dir(const char *path);

/*
 * Remove the file at path, and its directory when that is then empty and of a
 * day gone by.  Returns 0, or -1 with errno set.
 */
extern int cctv_media_unlink(const char *path);

#endif /* CCTV_MEDIA_DIR_H */
