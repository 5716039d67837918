/*
 * snapshot.h
 *		An annotated JPEG of the frame that confirmed a track.
 */
#ifndef CCTV_SNAPSHOT_H
#define CCTV_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "geometry.h"

/* Room for a path below the media directory, its NUL included. */
#define SNAPSHOT_PATH 64

typedef struct Snapshot
{
	const AVFrame *frame;
	int camera_id;
	int64_t at_us;
	int track;
	Box box;
	const char *label;
	float confidence;
} Snapshot;

/* What was written. */
typedef struct SnapshotFile
{
	int64_t bytes;
	int width;
	int height;
} SnapshotFile;

/* <camera_id>/<YYYY-MM-DD>/<HHMMSS.mmm>-<track>.jpg, in UTC. */
extern void snapshot_path(int camera_id, int64_t at_us, int track, char path[SNAPSHOT_PATH]);

/*
 * Write a snapshot to its path below the directory media_fd: directories 0700,
 * the file 0600, no symbolic link followed, and never half a file.  Returns 0,
 * or -1 with a reason.
 */
extern int snapshot_write(int media_fd, const Snapshot *snapshot, SnapshotFile *file, char *reason,
						  size_t reason_size);

#endif /* CCTV_SNAPSHOT_H */
