/*
 * camera_stats.c
 *		What a camera tells every two seconds.
 */
#include "camera_stats.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

void
camera_stats_init(CameraStats *stats)
{
	*stats = (CameraStats){.told_us = clock_monotonic_us()};
	pthread_mutex_init(&stats->lock, NULL);
}

void
camera_stats_destroy(CameraStats *stats)
{
	pthread_mutex_destroy(&stats->lock);
}

void
camera_stats_picture(CameraStats *stats, int width, int height, const char *codec)
{
	/* Only the caller's thread writes them. */
	if (stats->width == width && stats->height == height && strcmp(stats->codec, codec) == 0)
		return;
	pthread_mutex_lock(&stats->lock);
	stats->width = width;
	stats->height = height;
	snprintf(stats->codec, sizeof(stats->codec), "%s", codec);
	pthread_mutex_unlock(&stats->lock);
}

void
camera_stats_decoding(CameraStats *stats, bool watching, const char *note, int64_t key_interval_us)
{
	pthread_mutex_lock(&stats->lock);
	stats->watching = watching;
	snprintf(stats->note, sizeof(stats->note), "%s", note);
	stats->key_interval_us = key_interval_us;
	pthread_mutex_unlock(&stats->lock);
}

/* A new session has begun to count from zero: so does what was told. */
static void
follow_session(CameraStats *stats, unsigned session)
{
	if (session == stats->session)
		return;
	stats->session = session;
	stats->packets = 0;
	stats->frames = 0;
	stats->analysed = 0;
	stats->inferences = 0;
	stats->inference_us = 0;
}

/* How much a counter has grown; one that a session just begins to reset has not. */
static uint64_t
growth(uint64_t now, uint64_t told)
{
	return now > told ? now - told : 0;
}

void
camera_stats_tell(CameraStats *stats, const Counters *counters, int reconnects, const char *runtime,
				  const EventPublish *publish, EventStream *events, int64_t at_us)
{
	int64_t now_us = clock_monotonic_us();
	unsigned session = counters->session;
	uint64_t packets = counters->packets;
	uint64_t inference_us = counters->inference_us;
	double seconds = (double) (now_us - stats->told_us) / CLOCK_SECOND;
	EventStats now = {.last_frame_us = counters->last_frame_us,
					  .inference_ms = -1,
					  .packets = packets,
					  .wakes = counters->wakes,
					  .watching_us = counters->watching_us,
					  .decoding_us = counters->decoding_us,
					  .frames = counters->frames,
					  .analysed = counters->analysed,
					  .skipped = counters->skipped,
					  .inferences = counters->inferences,
					  .reconnects = reconnects,
					  .publish = *publish};

	snprintf(now.runtime, sizeof(now.runtime), "%s", runtime);
	follow_session(stats, session);
	if (seconds > 0)
	{
		now.fps_in = growth(packets, stats->packets) / seconds;
		now.fps_decoded = growth(now.frames, stats->frames) / seconds;
		now.fps_analysed = growth(now.analysed, stats->analysed) / seconds;
	}
	if (now.inferences > stats->inferences)
		now.inference_ms = (double) growth(inference_us, stats->inference_us) /
						   (now.inferences - stats->inferences) / 1000;
	pthread_mutex_lock(&stats->lock);
	now.width = stats->width;
	now.height = stats->height;
	memcpy(now.codec, stats->codec, sizeof(now.codec));
	now.watching = stats->watching;
	memcpy(now.decoding_note, stats->note, sizeof(now.decoding_note));
	now.key_interval_us = stats->key_interval_us;
	pthread_mutex_unlock(&stats->lock);
	event_stats(events, at_us, &now);
	stats->told_us = now_us;
	stats->packets = packets;
	stats->frames = now.frames;
	stats->analysed = now.analysed;
	stats->inferences = now.inferences;
	stats->inference_us = inference_us;
}
