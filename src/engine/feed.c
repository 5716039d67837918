/*
 * feed.c
 *		What of a camera is published, whichever way.
 */
#include "feed.h"

void
feed_free(Feed *feed)
{
	if (feed != NULL)
		feed->kind->free(feed);
}

FeedResult
feed_begin(Feed *feed, int64_t deadline_us, const atomic_bool *stop)
{
	return feed->kind->begin(feed, deadline_us, stop);
}

FeedResult
feed_next(Feed *feed, int64_t deadline_us, const atomic_bool *stop, AVPacket *packet,
		  PacketKind *kind)
{
	FeedResult result = feed->kind->next(feed, deadline_us, stop, packet, kind);

	if (result == FEED_OK && *kind == PACKET_VIDEO)
		feed->frames++;
	return result;
}

void
feed_give_up(Feed *feed)
{
	feed->kind->give_up(feed);
}
