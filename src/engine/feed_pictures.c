/*
 * feed_pictures.c
 *		The camera's pictures with what was found in them, encoded.
 *
 * It looks at the camera as anybody does who wants live pictures: a picture that
 * it is too slow for is passed over, and the camera never waits.
 */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encoder.h"
#include "picture.h"
#include "video_picture.h"

/* Larger pictures are more than one thread can encode. */
#define MAX_WIDTH 1920

/* The rate of pictures is measured for this long before it is first told. */
#define FIRST_RATE_US CLOCK_SECOND
#define RATE_US (2 * CLOCK_SECOND)
#define MIN_FPS 1.0
#define MAX_FPS 120.0

/* Later than this, or this much back, it is another stretch of time. */
#define GAP_US (10 * CLOCK_SECOND)

typedef struct FeedPictures
{
	Feed feed;
	Live *live;
	VideoPicture *video;
	Encoder *encoder;
	double fps;			 /* 0: not known yet */
	uint64_t rate_since; /* a picture's number, and its time */
	int64_t rate_since_us;
	uint64_t number; /* of the newest picture seen, 0: none */
	int64_t origin_us;
	int64_t last_us; /* of the newest picture encoded, 0: none */
} FeedPictures;

static FeedResult
of_live(LiveResult result)
{
	switch (result)
	{
		case LIVE_OK:
			return FEED_OK;
		case LIVE_NOTHING:
			return FEED_NOTHING;
		case LIVE_CANCELLED:
			return FEED_STOPPED;
		case LIVE_NO_MEMORY:
			break;
	}
	return FEED_FAILED;
}

static FeedResult
fail(FeedPictures *pictures, const char *reason)
{
	snprintf(pictures->feed.reason, sizeof(pictures->feed.reason), "%s", reason);
	return FEED_FAILED;
}

/* How many pictures a second the camera gives, told anew every two seconds. */
static void
measure_rate(FeedPictures *pictures, const LivePicture *picture)
{
	int64_t passed_us = picture->at_us - pictures->rate_since_us;
	uint64_t count = picture->number - pictures->rate_since;

	if (pictures->rate_since != 0 && passed_us >= 0 && passed_us < GAP_US)
	{
		if (count == 0 || passed_us < (pictures->fps > 0 ? RATE_US : FIRST_RATE_US))
			return;
		pictures->fps = (double) count * CLOCK_SECOND / (double) passed_us;
	}
	pictures->rate_since = picture->number;
	pictures->rate_since_us = picture->at_us;
}

/* The picture with everything on it; NULL with the reason in the feed. */
static AVFrame *
draw(FeedPictures *pictures, const LivePicture *picture)
{
	Canvas canvas;
	char remark[32];
	AVFrame *drawn = video_picture_draw(pictures->video, picture->frame, &canvas);

	if (drawn == NULL)
	{
		fail(pictures, "a picture cannot be converted");
		return NULL;
	}
	for (int i = 0; i < picture->nobjects; i++)
		draw_object(&canvas, &picture->objects[i].box, picture->objects[i].caption);
	snprintf(remark, sizeof(remark), "%.1f fps", pictures->fps);
	picture_sign(&canvas, picture->camera, picture->at_us, remark);
	return drawn;
}

static FeedResult
open_encoder(FeedPictures *pictures, const LivePicture *picture)
{
	AVFrame *drawn = draw(pictures, picture);
	double fps = pictures->fps < MIN_FPS ? MIN_FPS : pictures->fps;

	if (drawn == NULL)
		return FEED_FAILED;
	pictures->encoder = encoder_open(drawn, fps > MAX_FPS ? MAX_FPS : fps, pictures->feed.reason,
									 sizeof(pictures->feed.reason));
	if (pictures->encoder == NULL)
		return FEED_FAILED;
	pictures->feed.parameters[PACKET_VIDEO] = encoder_parameters(pictures->encoder);
	return FEED_OK;
}

/* Look until the rate is known; a camera that is very slow has the lowest. */
static FeedResult
begin(Feed *feed, int64_t deadline_us, const atomic_bool *stop)
{
	FeedPictures *pictures = (FeedPictures *) feed;
	FeedResult result = FEED_OK;

	while (result == FEED_OK && pictures->encoder == NULL)
	{
		LivePicture picture;
		LiveResult looked =
			live_next(pictures->live, pictures->number, deadline_us, stop, &picture);

		if (looked != LIVE_OK)
			return looked == LIVE_NO_MEMORY ? fail(pictures, "out of memory") : of_live(looked);
		pictures->number = picture.number;
		measure_rate(pictures, &picture);
		if (pictures->fps > 0)
			result = open_encoder(pictures, &picture);
		av_frame_free(&picture.frame);
	}
	return result;
}

/* Draw and encode a picture.  Most encoders give its packet at once. */
static FeedResult
encode(FeedPictures *pictures, const LivePicture *picture, AVPacket *packet)
{
	AVFrame *drawn = draw(pictures, picture);
	int code;

	if (drawn == NULL)
		return FEED_FAILED;
	if (!encoder_takes(pictures->encoder, drawn))
		return FEED_CHANGED;
	if (pictures->last_us == 0)
		pictures->origin_us = picture->at_us;
	pictures->last_us = picture->at_us;
	code = encoder_send(pictures->encoder, drawn, picture->at_us - pictures->origin_us);
	if (code == 0)
		code = encoder_receive(pictures->encoder, packet);
	if (code == AVERROR(EAGAIN))
		return FEED_NOTHING;
	return code == 0 ? FEED_OK : fail(pictures, "a picture cannot be encoded");
}

/* Is the picture of this time the next one? */
static FeedResult
check_time(const FeedPictures *pictures, int64_t at_us)
{
	int64_t passed_us = at_us - pictures->last_us;

	if (pictures->last_us == 0 || (passed_us > 0 && passed_us < GAP_US))
		return FEED_OK;
	return passed_us > -CLOCK_SECOND && passed_us <= 0 ? FEED_NOTHING : FEED_CHANGED;
}

static FeedResult
next(Feed *feed, int64_t deadline_us, const atomic_bool *stop, AVPacket *packet, PacketKind *kind)
{
	FeedPictures *pictures = (FeedPictures *) feed;
	FeedResult result = FEED_NOTHING;

	*kind = PACKET_VIDEO;
	while (result == FEED_NOTHING)
	{
		LivePicture picture;
		LiveResult looked =
			live_next(pictures->live, pictures->number, deadline_us, stop, &picture);

		if (looked != LIVE_OK)
			return looked == LIVE_NO_MEMORY ? fail(pictures, "out of memory") : of_live(looked);
		/* What came while the sink was being connected is not missed. */
		if (pictures->last_us != 0)
			feed->dropped += picture.number - pictures->number - 1;
		pictures->number = picture.number;
		measure_rate(pictures, &picture);
		result = check_time(pictures, picture.at_us);
		if (result == FEED_OK)
			result = encode(pictures, &picture, packet);
		av_frame_free(&picture.frame);
	}
	return result;
}

static void
give_up(Feed *feed)
{
	FeedPictures *pictures = (FeedPictures *) feed;
	uint64_t newest = live_newest(pictures->live);

	feed->dropped += newest - pictures->number;
	pictures->number = newest;
}

static void
free_pictures(Feed *feed)
{
	FeedPictures *pictures = (FeedPictures *) feed;

	encoder_free(pictures->encoder);
	video_picture_free(pictures->video);
	free(pictures);
}

Feed *
feed_pictures_create(Live *live)
{
	static const FeedKind kind = {begin, next, give_up, free_pictures};
	FeedPictures *pictures = calloc(1, sizeof(*pictures));

	if (pictures == NULL)
		return NULL;
	pictures->feed.kind = &kind;
	pictures->live = live;
	/* The newest picture may be an old one. */
	pictures->number = live_newest(live);
	pictures->video = video_picture_create(MAX_WIDTH);
	if (pictures->video == NULL)
	{
		free(pictures);
		return NULL;
	}
	return &pictures->feed;
}
