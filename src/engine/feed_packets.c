/*
 * feed_packets.c
 *		The camera's packets as it sends them, from a ring.
 *
 * The ring bounds what waits: a reader that is too slow is overtaken, and goes on
 * at the next keyframe.
 */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "audio_track.h"
#include "clock.h"
#include "log.h"
#include "mux_time.h"
#include "video_header.h"

/* A keyframe this old is of a stream that is gone. */
#define STALE_US (10 * CLOCK_SECOND)

#define STOP_US (CLOCK_SECOND / 10)

typedef struct FeedPackets
{
	Feed feed;
	PacketRing *ring;
	RingReader reader;
	RingPacket packet;		/* the one being handled */
	PacketStreams *streams; /* that they are of; NULL: not known yet */
	VideoHeader *header;
	AudioTrack *sound; /* NULL: there is none, or it goes as it comes */
	MuxTime time;
} FeedPackets;

static FeedResult
fail(FeedPackets *packets, const char *reason)
{
	snprintf(packets->feed.reason, sizeof(packets->feed.reason), "%s", reason);
	return FEED_FAILED;
}

/* As long as it may be until somebody asks whether it is to stop. */
static int64_t
wait_until(int64_t deadline_us)
{
	int64_t soon_us = clock_monotonic_us() + STOP_US;

	return soon_us < deadline_us ? soon_us : deadline_us;
}

/* Fetch the next packet from the ring. */
static FeedResult
fetch(FeedPackets *packets, int64_t deadline_us, const atomic_bool *stop)
{
	for (;;)
	{
		int code;

		if (*stop)
			return FEED_STOPPED;
		code = ring_reader_next(&packets->reader, &packets->packet);
		if (code < 0)
			return fail(packets, "out of memory");
		if (code > 0)
			return FEED_OK;
		if (clock_monotonic_us() >= deadline_us)
			return FEED_NOTHING;
		ring_reader_wait(&packets->reader, wait_until(deadline_us));
	}
}

/* Every server takes G.711 from a camera; other sound needs a description of its own. */
static void
open_sound(FeedPackets *packets)
{
	const AVCodecParameters *sound = packets->streams->parameters[PACKET_AUDIO];
	const char *reason;

	packets->feed.parameters[PACKET_AUDIO] = sound;
	if (sound == NULL || sound->codec_id == AV_CODEC_ID_PCM_MULAW ||
		sound->codec_id == AV_CODEC_ID_PCM_ALAW)
		return;
	packets->sound = audio_track_create(sound, &reason);
	packets->feed.parameters[PACKET_AUDIO] =
		packets->sound != NULL ? audio_track_parameters(packets->sound) : NULL;
	if (packets->sound == NULL)
		log_warning("publishing without sound of codec %s: %s", avcodec_get_name(sound->codec_id),
					reason);
}

/* These packets are the ones to describe. */
static FeedResult
open_streams(FeedPackets *packets)
{
	packet_streams_unref(&packets->streams);
	packets->streams = packet_streams_ref(packets->packet.streams);
	video_header_free(packets->header);
	packets->header = video_header_create(packets->streams->parameters[PACKET_VIDEO]);
	audio_track_free(packets->sound);
	packets->sound = NULL;
	open_sound(packets);
	mux_time_init(&packets->time, packets->streams);
	return packets->header != NULL ? FEED_OK : fail(packets, "out of memory");
}

static bool
same_parameters(const AVCodecParameters *a, const AVCodecParameters *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->codec_id == b->codec_id && a->sample_rate == b->sample_rate &&
		   a->extradata_size == b->extradata_size &&
		   (a->extradata_size == 0 || memcmp(a->extradata, b->extradata, a->extradata_size) == 0);
}

/* The camera was connected anew, or a file began again: is it the same to a server? */
static bool
follow_streams(FeedPackets *packets)
{
	PacketStreams *now = packets->packet.streams;

	for (int kind = 0; kind < PACKET_KINDS; kind++)
		if (!same_parameters(now->parameters[kind], packets->streams->parameters[kind]))
			return false;
	packet_streams_unref(&packets->streams);
	packets->streams = packet_streams_ref(now);
	return true;
}

/* Go on until a keyframe tells what a server must know, and stay in front of it. */
static FeedResult
begin(Feed *feed, int64_t deadline_us, const atomic_bool *stop)
{
	FeedPackets *packets = (FeedPackets *) feed;
	FeedResult result = FEED_OK;

	ring_reader_seek(&packets->reader, INT64_MAX, 0);
	while (result == FEED_OK)
	{
		result = fetch(packets, deadline_us, stop);
		if (result == FEED_OK && packets->packet.streams != packets->streams)
			result = open_streams(packets);
		if (result != FEED_OK || !ring_packet_is_key(&packets->packet) ||
			clock_wall_us() - packets->packet.at_us > STALE_US)
			continue;
		if (video_header_update(packets->header, packets->packet.packet) < 0)
			result = fail(packets, "out of memory");
		else if (video_header_complete(packets->header))
			break;
	}
	if (result == FEED_OK)
	{
		feed->parameters[PACKET_VIDEO] = video_header_parameters(packets->header);
		ring_reader_seek_before(&packets->reader, packets->packet.number + 1);
	}
	return result;
}

/* The next packet, with its sound as it came. */
static FeedResult
take(FeedPackets *packets, int64_t deadline_us, const atomic_bool *stop, AVPacket *packet,
	 PacketKind *kind)
{
	RingPacket *fetched = &packets->packet;
	FeedResult result = fetch(packets, deadline_us, stop);

	if (result != FEED_OK)
		return result;
	if (fetched->streams != packets->streams && !follow_streams(packets))
		return FEED_CHANGED;
	packets->feed.dropped += fetched->lost;
	/* New parameter sets: a server was told of the old ones. */
	if (ring_packet_is_key(fetched) && video_header_update(packets->header, fetched->packet) != 0)
		return FEED_CHANGED;
	*kind = fetched->kind;
	av_packet_move_ref(packet, fetched->packet);
	mux_time_apply(&packets->time, *kind, packet, packets->streams->time_base[*kind],
				   fetched->at_us);
	return FEED_OK;
}

static FeedResult
next(Feed *feed, int64_t deadline_us, const atomic_bool *stop, AVPacket *packet, PacketKind *kind)
{
	FeedPackets *packets = (FeedPackets *) feed;
	FeedResult result = FEED_OK;

	for (;;)
	{
		if (packets->sound != NULL && audio_track_receive(packets->sound, packet) == 0)
		{
			*kind = PACKET_AUDIO;
			return FEED_OK;
		}
		result = take(packets, deadline_us, stop, packet, kind);
		if (result != FEED_OK || *kind == PACKET_VIDEO || packets->sound == NULL)
			return result;
		audio_track_send(packets->sound, packet);
		av_packet_unref(packet);
	}
}

static void
give_up(Feed *feed)
{
	FeedPackets *packets = (FeedPackets *) feed;

	while (ring_reader_next(&packets->reader, &packets->packet) > 0)
		feed->dropped += packets->packet.lost + (packets->packet.kind == PACKET_VIDEO);
}

static void
free_packets(Feed *feed)
{
	FeedPackets *packets = (FeedPackets *) feed;

	ring_packet_free(&packets->packet);
	packet_streams_unref(&packets->streams);
	video_header_free(packets->header);
	audio_track_free(packets->sound);
	free(packets);
}

Feed *
feed_packets_create(PacketRing *ring)
{
	static const FeedKind kind = {begin, next, give_up, free_packets};
	FeedPackets *packets = calloc(1, sizeof(*packets));

	if (packets == NULL)
		return NULL;
	packets->feed.kind = &kind;
	packets->ring = ring;
	ring_reader_init(&packets->reader, ring);
	if (ring_packet_init(&packets->packet) < 0)
	{
		free(packets);
		return NULL;
	}
	return &packets->feed;
}
