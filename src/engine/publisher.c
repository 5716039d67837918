/*
 * publisher.c
 *		Sends a camera's stream on to a server.
 */
#include "publisher.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "clock.h"
#include "feed.h"
#include "log.h"
#include "network_guard.h"
#include "sink.h"
#include "thread.h"

/* A stream this long without a break was good: the next retry comes soon. */
#define GOOD_STREAM_US (30 * CLOCK_SECOND)

/* An error is tried again this much later, though it will hardly mend itself. */
#define ERROR_RETRY_US (60 * CLOCK_SECOND)

/* A server is left when nothing has come from the camera for so long. */
#define IDLE_US (5 * CLOCK_SECOND)

/*
 * Packets wait for a slow server in whole groups of pictures, this many bytes and
 * at least this long; then the oldest go.
 */
#define RING_BYTES ((size_t) 8 << 20)
#define RING_US (3 * CLOCK_SECOND)

/* In the socket; more would only hide that a server takes nothing any more. */
#define WAITING_BYTES (128 << 10)

#define REASON 256
#define NO_PICTURE "no picture comes from the camera"

struct Publisher
{
	int camera_id;
	Live *live;
	const atomic_llong *stall_timeout_us;
	PacketRing *ring;
	bool started; /* the thread is */
	pthread_t thread;
	atomic_bool copies;	   /* packets are wanted */
	atomic_bool interrupt; /* what is under way is to end: ended or configured anew */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ended;
	CameraConfig *wanted; /* NULL, or its publish_url is: nothing */
	EventPublish status;
	int64_t told_us; /* monotonic; of the last status */
	uint64_t told_frames;
	uint64_t frames; /* since the configuration, as dropped and reconnects in status */

	/* The thread's own. */
	CameraConfig *config;
	Backoff backoff;
	AVPacket *packet;
	char complaint[REASON]; /* why it did not work last, "": it did */
};

Publisher *
publisher_create(int camera_id, Live *live, const atomic_llong *stall_timeout_us)
{
	Publisher *publisher = calloc(1, sizeof(*publisher));

	if (publisher == NULL)
		return NULL;
	publisher->camera_id = camera_id;
	publisher->live = live;
	publisher->stall_timeout_us = stall_timeout_us;
	pthread_mutex_init(&publisher->lock, NULL);
	thread_cond_init(&publisher->changed);
	backoff_init(&publisher->backoff, (unsigned) (clock_monotonic_us() ^ camera_id));
	publisher->ring = packet_ring_create(0, 0);
	publisher->packet = av_packet_alloc();
	if (publisher->ring != NULL && publisher->packet != NULL)
		return publisher;
	publisher_free(publisher);
	return NULL;
}

void
publisher_stop(Publisher *publisher)
{
	if (publisher == NULL)
		return;
	pthread_mutex_lock(&publisher->lock);
	publisher->ended = true;
	publisher->interrupt = true;
	publisher->status = (EventPublish){.state = PUBLISH_OFF};
	pthread_cond_broadcast(&publisher->changed);
	pthread_mutex_unlock(&publisher->lock);
	if (publisher->started)
		pthread_join(publisher->thread, NULL);
	publisher->started = false;
}

void
publisher_free(Publisher *publisher)
{
	if (publisher == NULL)
		return;
	publisher_stop(publisher);
	camera_config_unref(publisher->wanted);
	camera_config_unref(publisher->config);
	packet_ring_free(publisher->ring);
	av_packet_free(&publisher->packet);
	pthread_cond_destroy(&publisher->changed);
	pthread_mutex_destroy(&publisher->lock);
	free(publisher);
}

/* ---- the publisher's thread ---- */

static void
set_state(Publisher *publisher, PublishState state, const char *message)
{
	pthread_mutex_lock(&publisher->lock);
	/* What was interrupted says nothing about what is wanted now. */
	if (!publisher->interrupt)
	{
		publisher->status.state = state;
		snprintf(publisher->status.message, sizeof(publisher->status.message), "%s", message);
	}
	pthread_mutex_unlock(&publisher->lock);
}

/* Count what a feed has handed out and dropped since it was asked last. */
static void
count(Publisher *publisher, const Feed *feed, uint64_t *frames, uint64_t *dropped)
{
	pthread_mutex_lock(&publisher->lock);
	if (!publisher->interrupt)
	{
		publisher->frames += feed->frames - *frames;
		publisher->status.dropped += feed->dropped - *dropped;
	}
	pthread_mutex_unlock(&publisher->lock);
	*frames = feed->frames;
	*dropped = feed->dropped;
}

/* What ended a connection, or kept it from being made. */
typedef enum Outcome
{
	OUTCOME_AGAIN, /* nothing is wrong: wait for pictures again */
	OUTCOME_LOST,  /* try again soon */
	OUTCOME_WRONG, /* try again later */
	OUTCOME_STOPPED
} Outcome;

static Outcome
of_feed(FeedResult result, const Feed *feed, char reason[REASON])
{
	if (result == FEED_STOPPED)
		return OUTCOME_STOPPED;
	if (result != FEED_FAILED)
		return OUTCOME_AGAIN;
	snprintf(reason, REASON, "%s", feed->reason);
	return OUTCOME_WRONG;
}

static Outcome
of_sink(SinkResult result)
{
	if (result == SINK_STOPPED)
		return OUTCOME_STOPPED;
	return result == SINK_WRONG ? OUTCOME_WRONG : OUTCOME_LOST;
}

/* Send what comes, for as long as both ends will. */
static Outcome
send_packets(Publisher *publisher, Feed *feed, Sink *sink, char reason[REASON])
{
	uint64_t frames = 0;
	uint64_t dropped = 0;

	for (;;)
	{
		PacketKind kind;
		SinkResult sent;
		FeedResult fed = feed_next(feed, clock_monotonic_us() + IDLE_US, &publisher->interrupt,
								   publisher->packet, &kind);

		count(publisher, feed, &frames, &dropped);
		if (fed == FEED_NOTHING)
			set_state(publisher, PUBLISH_WAITING, NO_PICTURE);
		if (fed != FEED_OK)
			return of_feed(fed, feed, reason);
		sent = sink_write(sink, kind, publisher->packet,
						  clock_monotonic_us() + *publisher->stall_timeout_us, reason, REASON);
		if (sent == SINK_OK)
			continue;
		feed_give_up(feed);
		count(publisher, feed, &frames, &dropped);
		return of_sink(sent);
	}
}

/* Wait for something to publish, connect, and stay connected as long as it lasts. */
static Outcome
publish(Publisher *publisher, char reason[REASON])
{
	const CameraConfig *config = publisher->config;
	Feed *feed = config->publish_annotated ? feed_pictures_create(publisher->live)
										   : feed_packets_create(publisher->ring);
	Outcome outcome = OUTCOME_LOST;
	int64_t opened_us;
	FeedResult begun;
	Sink *sink;

	snprintf(reason, REASON, "out of memory");
	if (feed == NULL)
		return OUTCOME_LOST;
	do
	{
		begun = feed_begin(feed, clock_monotonic_us() + IDLE_US, &publisher->interrupt);
		if (begun == FEED_NOTHING)
			set_state(publisher, PUBLISH_WAITING, NO_PICTURE);
	} while (begun == FEED_NOTHING);
	if (begun != FEED_OK)
	{
		outcome = of_feed(begun, feed, reason);
		goto done;
	}
	set_state(publisher, PUBLISH_CONNECTING, publisher->complaint);
	outcome = of_sink(sink_open(
		&sink, config->publish_url, config->publish_username, config->publish_password,
		feed->parameters, *publisher->stall_timeout_us, &publisher->interrupt, reason, REASON));
	if (sink == NULL)
		goto done;
	set_state(publisher, PUBLISH_RUNNING, "");
	publisher->complaint[0] = '\0';
	opened_us = clock_monotonic_us();
	outcome = send_packets(publisher, feed, sink, reason);
	sink_close(sink);
	if (clock_monotonic_us() - opened_us >= GOOD_STREAM_US)
		backoff_reset(&publisher->backoff);
done:
	feed_free(feed);
	return outcome;
}

/* Until then, or until there is something new to do. */
static void
pause_until(Publisher *publisher, int64_t deadline_us)
{
	pthread_mutex_lock(&publisher->lock);
	while (!publisher->interrupt &&
		   thread_cond_wait_until(&publisher->changed, &publisher->lock, deadline_us) == 0)
		;
	pthread_mutex_unlock(&publisher->lock);
}

/* Tell why it does not work, in the log only if that is new. */
static void
complain(Publisher *publisher, const char *reason)
{
	set_state(publisher, PUBLISH_FAILED, reason);
	if (publisher->interrupt || strcmp(reason, publisher->complaint) == 0)
		return;
	log_warning("publishing: %s", reason);
	snprintf(publisher->complaint, sizeof(publisher->complaint), "%s", reason);
}

/* Follow one configuration until there is another. */
static void
follow(Publisher *publisher)
{
	char reason[REASON];

	backoff_reset(&publisher->backoff);
	publisher->complaint[0] = '\0';
	while (!publisher->interrupt)
	{
		Outcome outcome = publish(publisher, reason);

		if (outcome == OUTCOME_AGAIN || outcome == OUTCOME_STOPPED)
			continue;
		complain(publisher, reason);
		pause_until(publisher, clock_monotonic_us() + (outcome == OUTCOME_WRONG
														   ? ERROR_RETRY_US
														   : backoff_next(&publisher->backoff)));
		pthread_mutex_lock(&publisher->lock);
		publisher->status.reconnects += !publisher->interrupt;
		pthread_mutex_unlock(&publisher->lock);
	}
}

/* Wait for something to publish; false: the end. */
static bool
take_wanted(Publisher *publisher)
{
	pthread_mutex_lock(&publisher->lock);
	camera_config_unref(publisher->config);
	publisher->config = NULL;
	while (!publisher->ended &&
		   (publisher->wanted == NULL || publisher->wanted->publish_url == NULL))
		pthread_cond_wait(&publisher->changed, &publisher->lock);
	if (!publisher->ended)
	{
		publisher->config = camera_config_ref(publisher->wanted);
		publisher->interrupt = false;
	}
	pthread_mutex_unlock(&publisher->lock);
	return publisher->config != NULL;
}

static void *
run_publisher(void *arg)
{
	Publisher *publisher = arg;

	thread_serve_camera(publisher->camera_id);
	thread_step_back();
	/* What is worth telling of them is in the state. */
	log_mute_ffmpeg();
	network_bound_waiting(WAITING_BYTES);
	while (take_wanted(publisher))
		follow(publisher);
	return NULL;
}

/* ---- the camera's thread ---- */

static void
start_thread(Publisher *publisher)
{
	char name[16];

	snprintf(name, sizeof(name), "publish %d", publisher->camera_id);
	publisher->started = thread_start(&publisher->thread, name, run_publisher, publisher) == 0;
	if (!publisher->started)
	{
		publisher->status.state = PUBLISH_FAILED;
		snprintf(publisher->status.message, sizeof(publisher->status.message),
				 "no thread can be started");
		log_error("the stream is not published: no thread can be started");
	}
}

void
publisher_configure(Publisher *publisher, CameraConfig *config)
{
	bool published = config->publish_url != NULL;
	bool copies = published && !config->publish_annotated;

	pthread_mutex_lock(&publisher->lock);
	if (publisher->wanted != NULL && camera_config_same_publishing(publisher->wanted, config))
	{
		pthread_mutex_unlock(&publisher->lock);
		return;
	}
	camera_config_unref(publisher->wanted);
	publisher->wanted = camera_config_ref(config);
	publisher->interrupt = true;
	publisher->status = (EventPublish){.state = published ? PUBLISH_WAITING : PUBLISH_OFF};
	publisher->frames = publisher->told_frames = 0;
	publisher->told_us = clock_monotonic_us();
	publisher->copies = copies;
	/* Nobody reads a ring that is not filled. */
	packet_ring_set_bounds(publisher->ring, copies ? RING_BYTES : 0, copies ? RING_US : 0);
	if (published && !publisher->started)
		start_thread(publisher);
	pthread_cond_broadcast(&publisher->changed);
	pthread_mutex_unlock(&publisher->lock);
}

int
publisher_connect(Publisher *publisher, const Source *source)
{
	const AVStream *video = source_video(source);
	const AVStream *audio = source_audio(source);
	PacketStreams *streams = packet_streams_create(
		video->codecpar, video->time_base, audio != NULL ? audio->codecpar : NULL,
		audio != NULL ? audio->time_base : (AVRational){1, 1});

	if (streams == NULL)
		return AVERROR(ENOMEM);
	packet_ring_set_streams(publisher->ring, streams);
	packet_streams_unref(&streams);
	return 0;
}

/* Its time tells a jump of its stamps from a gap; there are no better ones. */
void
publisher_packet(Publisher *publisher, const Source *source, const AVPacket *packet)
{
	AVPacket bare;

	if (!publisher->copies)
		return;
	bare = *packet;
	/* Made-up stamps would only contradict the clock. */
	if (!source_has_timestamps(source))
		bare.pts = bare.dts = AV_NOPTS_VALUE;
	if (packet_ring_push(publisher->ring, source_packet_kind(source, packet), &bare,
						 clock_wall_us()) < 0)
		log_warning("a packet is not published: out of memory");
}

void
publisher_status(Publisher *publisher, EventPublish *status)
{
	int64_t now_us = clock_monotonic_us();

	pthread_mutex_lock(&publisher->lock);
	*status = publisher->status;
	if (now_us > publisher->told_us)
		status->fps = (double) (publisher->frames - publisher->told_frames) * CLOCK_SECOND /
					  (double) (now_us - publisher->told_us);
	publisher->told_us = now_us;
	publisher->told_frames = publisher->frames;
	pthread_mutex_unlock(&publisher->lock);
}
