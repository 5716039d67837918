/*
 * segment.h
 *		One recording: a fragmented MP4 that plays however its writing ended.
 *
 * Fragments of at most half a second are appended whole, and nothing written is
 * touched again, so a crash costs what the last fragment would have held.
 */
#ifndef CCTV_SEGMENT_H
#define CCTV_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "media_file.h"
#include "media_path.h"
#include "packet_ring.h"

typedef struct SegmentSpec
{
	const char *media_dir;
	const char *path;
	const AVCodecParameters *parameters[PACKET_KINDS]; /* audio may be NULL */
	int64_t origin; /* the file's zero on the packets' line, microseconds */
} SegmentSpec;

/* What a closed segment holds. */
typedef struct SegmentSummary
{
	int64_t bytes;	/* 0: nothing in it played, the file is gone */
	int64_t frames; /* of video */
	bool has_audio;
	int64_t duration_us; /* of the frames it holds, from the file's zero */
	char sha256[MEDIA_SHA256];
} SegmentSummary;

typedef struct Segment Segment;

/* Make the file and write its header.  Returns 0 or a negative errno value. */
extern int segment_open(const SegmentSpec *spec, Segment **segment);

/*
 * Write a packet whose times are in microseconds on the line of spec->origin,
 * in decoding order within its kind.  The packet is consumed.  Returns 0, or a
 * negative errno value when the file could not be written; a packet that the
 * container cannot take is dropped and logged.
 */
extern int segment_write(Segment *segment, PacketKind kind, AVPacket *packet);

/* Has anything been written that plays? */
extern bool segment_is_playable(const Segment *segment);

/*
 * There is no more video: write out what there is of it.  end is when the
 * packet that follows elsewhere is decoded, or AV_NOPTS_VALUE.  Sound may still
 * come.  Returns 0 or a negative errno value.
 */
extern int segment_end_video(Segment *segment, int64_t end);

/*
 * Complete the file and free the segment.  Returns 0, or a negative errno value
 * when the file could not be completed: it is then cut back to what plays.
 */
extern int segment_close(Segment *segment, SegmentSummary *summary);

#endif /* CCTV_SEGMENT_H */
