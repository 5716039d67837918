/*
 * export_file.h
 *		An MP4 that is exported: it gets its name once it is complete.
 *
 * Up to EXPORT_INDEXED_US of footage it is an ordinary MP4 with its index in
 * front, which plays everywhere and while it is still being loaded.  The index
 * is kept in memory until the end, so what is longer is fragmented instead.
 */
#ifndef CCTV_EXPORT_FILE_H
#define CCTV_EXPORT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <libavcodec/avcodec.h>

#include "clock.h"
#include "media_file.h"
#include "media_path.h"
#include "packet_ring.h"

#define EXPORT_INDEXED_US (2 * 3600 * CLOCK_SECOND)

typedef struct ExportFileSpec
{
	const char *media_dir;
	int camera_id;
	const char *kind;  /* "clip" or "timelapse", in its name */
	int64_t at_us;	   /* the moment it is named after, since the Unix epoch */
	int64_t length_us; /* about how long it will be */
	const AVCodecParameters *parameters[PACKET_KINDS]; /* audio may be NULL */
	AVRational frame_rate;							   /* 0: varying */
} ExportFileSpec;

typedef struct ExportFileSummary
{
	char path[MEDIA_PATH];
	int64_t bytes;
	int64_t frames;
	int64_t duration_us; /* of the video */
	bool has_audio;
	char sha256[MEDIA_SHA256];
} ExportFileSummary;

typedef struct ExportFile ExportFile;

/* Is a file of this length an ordinary one, which may hold times before its zero? */
extern bool export_file_is_indexed(int64_t length_us);

/* Begin a file.  Returns 0 or a negative errno value. */
extern int export_file_open(const ExportFileSpec *spec, ExportFile **file);

/* Has it this sort of streams?  Otherwise their packets need another file. */
extern bool export_file_takes(const ExportFile *file,
							  const AVCodecParameters *const parameters[PACKET_KINDS]);

/*
 * Write a packet whose times are in microseconds from the file's zero, in
 * decoding order within its kind; one that does not follow its predecessor is
 * left out.  The packet is consumed.  Returns 0 or a negative errno value.
 */
extern int export_file_write(ExportFile *file, PacketKind kind, AVPacket *packet);

/* Where the video written so far ends, in microseconds from the file's zero. */
extern int64_t export_file_end(const ExportFile *file);

/*
 * Complete the file, have it reach the disk, give it its name, and free it.
 * Returns 0, or a negative errno value when there is no file.
 */
extern int export_file_close(ExportFile *file, ExportFileSummary *summary);

/* Remove what was written. */
extern void export_file_discard(ExportFile *file);

#endif /* CCTV_EXPORT_FILE_H */
