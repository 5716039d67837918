/*
 * segment_reader.h
 *		Reads a recording, also one that is still being written or whose writer was
 *		killed: as far as its parts are complete.
 */
#ifndef CCTV_SEGMENT_READER_H
#define CCTV_SEGMENT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include <libavformat/avformat.h>

#include "decode.h"
#include "packet_ring.h"

typedef struct SegmentReader SegmentReader;

/*
 * Where the last complete part of an MP4 ends, a header with its mdat; 0: there
 * is none.  fd stays the caller's.
 */
extern int64_t segment_complete_bytes(int fd, int64_t size);

/*
 * Open the file at path below media_dir.  Returns 0, -EBADMSG when nothing in
 * it plays, or another negative errno value.
 */
extern int segment_reader_open(const char *media_dir, const char *path, SegmentReader **reader);

/* The same of an open file, of which the first size bytes count; fd stays the caller's. */
extern int segment_reader_attach(int fd, int64_t size, SegmentReader **reader);
extern void segment_reader_close(SegmentReader *reader);

/* The stream of this kind, NULL when there is none; there is always one of video. */
extern const AVStream *segment_reader_stream(const SegmentReader *reader, PacketKind kind);

/* A decoder of its video, which takes its packets; NULL with a one-line reason. */
extern Decoder *segment_reader_decoder(const SegmentReader *reader, char *reason,
									   size_t reason_size);

/* From here on return nothing but keyframes, which are all that is read then. */
extern void segment_reader_only_keys(SegmentReader *reader);

/*
 * Take the next packet, its times in microseconds from the file's zero.
 * Returns 1, or 0 at the end or where the file is damaged.
 */
extern int segment_reader_next(SegmentReader *reader, AVPacket *packet, PacketKind *kind);

#endif /* CCTV_SEGMENT_READER_H */
