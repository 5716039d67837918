/*
 * packet_ring.h
 *		The newest packets of one camera's stream, for the recorder's pre-roll and
 *		for whoever must decode the recent past.
 *
 * The ring holds references to packets, never copies.  It covers at least the
 * time it was asked for, in whole groups of pictures, as long as that fits in
 * its bytes; it never exceeds its bytes, whatever the stream does.  It begins at
 * a keyframe, except when one group alone is too large for it.  One thread
 * pushes; any number of readers follow at their own pace.  A reader begins at a
 * keyframe, and one that is overtaken counts what it lost and goes on at the
 * next keyframe.
 */
#ifndef CCTV_PACKET_RING_H
#define CCTV_PACKET_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>
#include <libavutil/rational.h>

typedef enum PacketKind
{
	PACKET_VIDEO,
	PACKET_AUDIO,
	PACKET_KINDS
} PacketKind;

/*
 * What the packets of one connection are: immutable and counted by references,
 * so that packets from before a reconnect still know their own.
 */
typedef struct PacketStreams
{
	AVCodecParameters *parameters[PACKET_KINDS]; /* audio may be NULL */
	AVRational time_base[PACKET_KINDS];
} PacketStreams;

/* Copies the parameters; audio may be NULL.  Returns NULL when out of memory. */
extern PacketStreams *packet_streams_create(const AVCodecParameters *video,
											AVRational video_time_base,
											const AVCodecParameters *audio,
											AVRational audio_time_base);
extern PacketStreams *packet_streams_ref(PacketStreams *streams);
extern void packet_streams_unref(PacketStreams **streams);

typedef struct PacketRing PacketRing;

typedef struct PacketRingStats
{
	size_t packets;
	size_t bytes;	   /* memory held, not just payload */
	int64_t span_us;   /* from the oldest packet to the newest */
	int64_t newest_us; /* INT64_MIN: empty */
	uint64_t pushed;   /* since creation */
} PacketRingStats;

/* Returns NULL when out of memory. */
extern PacketRing *packet_ring_create(size_t max_bytes, int64_t max_us);
extern void packet_ring_free(PacketRing *ring);
extern void packet_ring_set_bounds(PacketRing *ring, size_t max_bytes, int64_t max_us);

/* The packets pushed from here on are of these streams; takes a reference. */
extern void packet_ring_set_streams(PacketRing *ring, PacketStreams *streams);

/*
 * Packets are left out here: those pushed from here on are of other streams than
 * the ones before, with the same parameters, and no new reader begins before them.
 * Returns 0, or AVERROR(ENOMEM) when they remain of the same.  For the pushing
 * thread.
 */
extern int packet_ring_break(PacketRing *ring);

/*
 * Add a packet that happened at at_us (microseconds since the Unix epoch).  The
 * packet stays the caller's.  What comes before the first keyframe of all is not
 * kept.  Returns 0, AVERROR(EINVAL) before any streams were set, or
 * AVERROR(ENOMEM).
 */
extern int packet_ring_push(PacketRing *ring, PacketKind kind, const AVPacket *packet,
							int64_t at_us);

/* Number of the newest packet pushed; 0: none yet. */
extern uint64_t packet_ring_newest(PacketRing *ring);
extern void packet_ring_stats(PacketRing *ring, PacketRingStats *stats);

/* One packet taken from a ring; `packet` and `streams` are references. */
typedef struct RingPacket
{
	AVPacket *packet;
	PacketStreams *streams;
	PacketKind kind;
	int64_t at_us;
	uint64_t number; /* counts pushes, from 1 */
	uint64_t lost;	 /* packets that should have come before this one */
} RingPacket;

/* Returns 0 or AVERROR(ENOMEM). */
extern int ring_packet_init(RingPacket *packet);
extern void ring_packet_clear(RingPacket *packet); /* drops the references */
extern void ring_packet_free(RingPacket *packet);

/* Is it a keyframe of the video? */
extern bool ring_packet_is_key(const RingPacket *packet);

typedef struct RingReader
{
	PacketRing *ring;
	uint64_t next;	/* number of the next packet; 0: not placed yet */
	uint64_t gap;	/* packets missed since the last one taken */
	uint64_t lost;	/* packets missed so far */
	bool needs_key; /* overtaken, and no keyframe has come since */
} RingReader;

extern void ring_reader_init(RingReader *reader, PacketRing *ring);

/*
 * Go to the newest keyframe that happened at or before at_us, else to the
 * oldest there is, but never to one numbered below `first` or before a break.
 * Returns false, and stays, when the ring holds none.
 */
extern bool ring_reader_seek(RingReader *reader, int64_t at_us, uint64_t first);

/* Go back to the keyframe before the packet `number`; false when it is gone. */
extern bool ring_reader_seek_before(RingReader *reader, uint64_t number);

/* Take the next packet.  Returns 1, 0 when there is none yet, or AVERROR(ENOMEM). */
extern int ring_reader_next(RingReader *reader, RingPacket *packet);

/* Wait until there may be a next packet, or clock_monotonic_us() is deadline_us. */
extern void ring_reader_wait(RingReader *reader, int64_t deadline_us);

#endif /* CCTV_PACKET_RING_H */
