/*
 * snapshot.h
 *		A JPEG of a track, from the best of its frames so far.
 */
#ifndef CCTV_SNAPSHOT_H
#define CCTV_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavutil/frame.h>

#include "caption.h"
#include "draw.h"
#include "geometry.h"
#include "media_file.h"
#include "media_path.h"

typedef struct Snapshot
{
	const AVFrame *frame;
	int camera_id;
	char camera[CAPTION_NAME]; /* as its pictures call it, see caption_camera */
	int64_t at_us;
	int track;
	Box box;
	const char *label;
	float confidence;
	float score;
	bool annotated;		   /* with box, label and time */
	char path[MEDIA_PATH]; /* below the media directory */
} Snapshot;

/* What was written. */
typedef struct SnapshotFile
{
	int64_t bytes;
	int width;
	int height;
	char sha256[MEDIA_SHA256];
} SnapshotFile;

/*
 * How good a picture of an object a frame is: the product of how sure, how large
 * and how sharp it is, less where the frame's edge cuts it off.  Above 0; only
 * good for comparing frames of one object.
 */
extern float snapshot_score(const AVFrame *frame, const Box *box, float confidence);

/*
 * Compress a picture and write it to a path, over what is there.  Returns 0, or
 * -1 with a reason.
 */
extern int snapshot_store(const char *media_dir, const char *path, const Canvas *canvas,
						  SnapshotFile *file, char *reason, size_t reason_size);

/*
 * Write a snapshot to its path, over what is there.  Returns 0, or -1 with a
 * reason.
 */
extern int snapshot_write(const char *media_dir, const Snapshot *snapshot, SnapshotFile *file,
						  char *reason, size_t reason_size);

#endif /* CCTV_SNAPSHOT_H */
