/*
 * salvage.h
 *		Files of recordings whose writer was killed: made whole again and told, or
 *		removed when nothing in them plays.
 */
#ifndef CCTV_SALVAGE_H
#define CCTV_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder.h"

typedef enum SalvageResult
{
	SALVAGE_WHOLE,	 /* it was closed in order, or salvaged before */
	SALVAGE_MENDED,	 /* it ends with its last complete part now; event describes it */
	SALVAGE_REMOVED, /* no part of it was complete, or it was half a picture */
	SALVAGE_FAILED
} SalvageResult;

/* Look at one file (path below media_dir), which nobody writes any more. */
extern SalvageResult salvage_file(const char *media_dir, const char *path, RecordingEvent *event);

/*
 * Look at a camera's files of these days (as in their paths) that have not been
 * written since before_us (Unix epoch), and call back with each one mended.
 * Bounded in what it does at a time; returns true when there is nothing left.
 */
extern bool salvage_camera(const char *media_dir, int camera_id, int64_t before_us,
						   RecordingCallback callback, void *arg);

#endif /* CCTV_SALVAGE_H */
