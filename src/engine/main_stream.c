/*
 * main_stream.c
 *		The stream that is recorded when another is analysed.
 */
#include "main_stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "backoff.h"
#include "clock.h"
#include "log.h"
#include "network_guard.h"
#include "thread.h"

/* A stream this long without a break was good: the next retry comes soon. */
#define GOOD_STREAM_US (30 * CLOCK_SECOND)

#define REASON 256

struct MainStream
{
	CameraConfig *config;
	const StringList *source_paths;
	const atomic_llong *stall_timeout_us;
	Recording *recording;
	Backoff backoff;
	AVPacket *packet;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool done;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* Read until the stream ends or nobody wants it any more. */
static SourceResult
read_packets(MainStream *stream, Source *source, char reason[REASON])
{
	int64_t opened_us = clock_monotonic_us();
	int64_t last_us = opened_us;
	SourceResult result;

	for (;;)
	{
		int64_t deadline_us = last_us + *stream->stall_timeout_us;

		result = source_read(source, stream->packet, deadline_us, reason, REASON);
		if (result != SOURCE_OK)
			break;
		if (source_packet_kind(source, stream->packet) == PACKET_VIDEO)
			last_us = clock_monotonic_us();
		recording_packet(stream->recording, source, stream->packet);
		av_packet_unref(stream->packet);
		if (!recording_listens(stream->recording))
			return SOURCE_STOPPED;
		if (clock_monotonic_us() >= deadline_us)
		{
			snprintf(reason, REASON, "no picture for %g s",
					 (double) *stream->stall_timeout_us / CLOCK_SECOND);
			network_add_refusal(reason, REASON);
			return SOURCE_LOST;
		}
	}
	if (last_us - opened_us >= GOOD_STREAM_US)
		backoff_reset(&stream->backoff);
	return result;
}

static SourceResult
play(MainStream *stream, char reason[REASON])
{
	Source *source;
	SourceResult result = source_open(&source, stream->config, stream->source_paths,
									  *stream->stall_timeout_us, &stream->stop, reason, REASON);

	if (result != SOURCE_OK)
		return result;
	if (!source_live(source))
	{
		snprintf(reason, REASON, "a file is recorded only when it is what is analysed");
		result = SOURCE_WRONG;
	}
	else if (recording_connect(stream->recording, source, NULL) < 0)
	{
		snprintf(reason, REASON, "out of memory");
		result = SOURCE_LOST;
	}
	else
		result = read_packets(stream, source, reason);
	source_close(source);
	return result;
}

static void
pause_until(MainStream *stream, int64_t deadline_us)
{
	pthread_mutex_lock(&stream->lock);
	while (!stream->stop && thread_cond_wait_until(&stream->wake, &stream->lock, deadline_us) == 0)
		;
	pthread_mutex_unlock(&stream->lock);
}

static void *
run_stream(void *arg)
{
	MainStream *stream = arg;
	char reason[REASON];

	thread_serve_camera(stream->config->camera_id);
	/* Whoever wants it again just as it ends may take it for running still. */
	do
	{
		stream->done = false;
		while (!stream->stop && recording_wanted(stream->recording))
		{
			if (play(stream, reason) == SOURCE_STOPPED)
				continue;
			recording_complain(stream->recording, reason);
			pause_until(stream, clock_monotonic_us() + backoff_next(&stream->backoff));
		}
		stream->done = true;
	} while (!stream->stop && recording_wanted(stream->recording));
	return NULL;
}

static void
free_stream(MainStream *stream)
{
	av_packet_free(&stream->packet);
	camera_config_unref(stream->config);
	pthread_cond_destroy(&stream->wake);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

MainStream *
main_stream_start(CameraConfig *config, const StringList *source_paths,
				  const atomic_llong *stall_timeout_us, Recording *recording)
{
	MainStream *stream = calloc(1, sizeof(*stream));
	char name[16];

	if (stream == NULL)
		return NULL;
	stream->config = camera_config_ref(config);
	stream->source_paths = source_paths;
	stream->stall_timeout_us = stall_timeout_us;
	stream->recording = recording;
	pthread_mutex_init(&stream->lock, NULL);
	thread_cond_init(&stream->wake);
	backoff_init(&stream->backoff, (unsigned) (clock_monotonic_us() ^ config->camera_id));
	stream->packet = av_packet_alloc();
	snprintf(name, sizeof(name), "record %d", config->camera_id);
	if (stream->packet != NULL && thread_start(&stream->thread, name, run_stream, stream) == 0)
		return stream;
	log_error("the main stream is not recorded: out of memory or threads");
	free_stream(stream);
	return NULL;
}

bool
main_stream_done(const MainStream *stream)
{
	return stream->done;
}

void
main_stream_stop(MainStream *stream)
{
	if (stream == NULL)
		return;
	pthread_mutex_lock(&stream->lock);
	stream->stop = true;
	pthread_cond_broadcast(&stream->wake);
	pthread_mutex_unlock(&stream->lock);
	pthread_join(stream->thread, NULL);
	free_stream(stream);
}
