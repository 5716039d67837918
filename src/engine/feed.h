/*
 * feed.h
 *		What of a camera is published: a source of packets for a sink.
 *
 * There are two: feed_pictures.c draws what was found on the camera's pictures
 * and encodes them, feed_packets.c passes on the packets that the camera sends.
 * A feed belongs to the publisher's thread.
 */
#ifndef CCTV_FEED_H
#define CCTV_FEED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>

#include "live.h"
#include "packet_ring.h"

#define FEED_REASON 256

typedef enum FeedResult
{
	FEED_OK,
	FEED_NOTHING, /* nothing came by the deadline */
	FEED_CHANGED, /* what comes now is something else: begin again */
	FEED_STOPPED, /* *stop was set */
	FEED_FAILED	  /* with the reason in feed->reason */
} FeedResult;

typedef struct Feed Feed;

/* How one kind of feed does what feed_begin() and the others say. */
typedef struct FeedKind
{
	FeedResult (*begin)(Feed *feed, int64_t deadline_us, const atomic_bool *stop);
	FeedResult (*next)(Feed *feed, int64_t deadline_us, const atomic_bool *stop, AVPacket *packet,
					   PacketKind *kind);
	void (*give_up)(Feed *feed);
	void (*free)(Feed *feed);
} FeedKind;

/* The beginning of every feed. */
struct Feed
{
	const FeedKind *kind;
	const AVCodecParameters *parameters[PACKET_KINDS]; /* after feed_begin; sound may be NULL */
	uint64_t frames;								   /* of video, handed out */
	uint64_t dropped;								   /* that were not */
	char reason[FEED_REASON];
};

/* Each is NULL when out of memory; what it reads from outlives it. */
extern Feed *feed_pictures_create(Live *live);
extern Feed *feed_packets_create(PacketRing *ring);
extern void feed_free(Feed *feed);

/* Wait until it is known what will come. */
extern FeedResult feed_begin(Feed *feed, int64_t deadline_us, const atomic_bool *stop);

/*
 * The next packet, the first a keyframe: its times are in microseconds and only
 * rise.  The caller unrefs it.  What nobody fetches in time is dropped and counted.
 */
extern FeedResult feed_next(Feed *feed, int64_t deadline_us, const atomic_bool *stop,
							AVPacket *packet, PacketKind *kind);

/* The sink is lost: what has come and will not be fetched is dropped, too. */
extern void feed_give_up(Feed *feed);

#endif /* CCTV_FEED_H */
