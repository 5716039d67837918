/*
 * camera_stream.c
 *		One attempt at a camera's stream: open it and stay with it as long as it
 *		lasts.
 */
#include "camera_internal.h"

#include <stdio.h>

#include "clock.h"
#include "network_guard.h"

/* A stream this long without a break was good: the next retry comes soon. */
#define GOOD_STREAM_US (30 * CLOCK_SECOND)

/*
 * A camera that starts up may answer for a while as if its stream did not exist,
 * or its user.  Few enough not to be locked out for a wrong password.
 */
#define SECOND_CHANCES 3

static int64_t
stall_deadline(const Camera *camera)
{
	return camera->last_frame_us + camera->world->stall_timeout_us;
}

/* Read and decode until the stream ends, stalls or is stopped. */
static SourceResult
read_stream(Camera *camera, char reason[CAMERA_REASON])
{
	SourceResult result;

	for (;;)
	{
		if (camera->replanned)
			camera_replan(camera);
		result = source_read(camera->source, camera->packet, stall_deadline(camera), reason,
							 CAMERA_REASON);
		if (result != SOURCE_OK)
			break;
		camera->beats++;
		camera_take_packet(camera, camera->packet);
		av_packet_unref(camera->packet);
		if (source_live(camera->source) && clock_monotonic_us() >= stall_deadline(camera))
		{
			result = SOURCE_LOST;
			break;
		}
		if (timeline_is_ahead(&camera->timeline, clock_wall_us()))
		{
			snprintf(reason, CAMERA_REASON, "the clock was set back");
			return SOURCE_LOST;
		}
	}
	if (result == SOURCE_LOST && clock_monotonic_us() >= stall_deadline(camera))
	{
		snprintf(reason, CAMERA_REASON, "no picture for %g s",
				 (double) camera->world->stall_timeout_us / CLOCK_SECOND);
		network_add_refusal(reason, CAMERA_REASON);
	}
	if (result == SOURCE_END)
		camera_idle_end(camera);
	return result;
}

/* The clock was set back: what counts from later than now begins anew. */
static void
follow_clock(Camera *camera)
{
	timeline_live(&camera->timeline);
	sampler_set_fps(&camera->sampler, camera->plan->config->detect_fps);
	if (camera->recording != NULL)
		recording_follow_clock(camera->recording, clock_wall_us());
}

/* The stream is open: is this a new session? */
static void
begin_stream(Camera *camera)
{
	camera->last_frame_us = clock_monotonic_us();
	camera->pace_us = 0;
	timeline_restart(&camera->timeline);
	if (timeline_is_ahead(&camera->timeline, clock_wall_us()))
		follow_clock(camera);
	if (camera->fresh_session)
		return;
	camera->fresh_session = true;
	camera->reconnects++;
	event_stream_begin(camera->events);
	counters_begin_session(&camera->counters);
	idle_gate_reset_totals(&camera->idle.gate);
}

/* Who copies packets learns what they are.  Returns false when out of memory. */
static bool
connect_readers(Camera *camera)
{
	Timeline frames = camera->timeline;

	if (camera->publisher != NULL && publisher_connect(camera->publisher, camera->source) != 0)
		return false;
	if (!camera_records_itself(camera))
		return true;
	timeline_restart(&frames);
	return recording_connect(camera->recording, camera->source,
							 source_live(camera->source) ? NULL : &frames) == 0;
}

static SourceResult
open_stream(Camera *camera, char reason[CAMERA_REASON])
{
	SourceResult result;

	if (camera->plan->config->problem != NULL)
	{
		snprintf(reason, CAMERA_REASON, "%s", camera->plan->config->problem);
		return SOURCE_WRONG;
	}
	result = source_open(&camera->source, camera->plan->config, camera->world->source_paths,
						 camera->world->stall_timeout_us, &camera->stop, reason, CAMERA_REASON);
	if (result != SOURCE_OK)
		return result;
	camera->blind = false;
	camera->decoder = decoder_open(source_video(camera->source), reason, CAMERA_REASON);
	if (camera->decoder != NULL && connect_readers(camera) && camera_idle_connect(camera))
		return SOURCE_OK;
	if (camera->decoder != NULL)
		snprintf(reason, CAMERA_REASON, "out of memory");
	decoder_close(camera->decoder);
	camera->decoder = NULL;
	source_close(camera->source);
	camera->source = NULL;
	return SOURCE_WRONG;
}

static void
close_stream(Camera *camera)
{
	decoder_close(camera->decoder);
	camera->decoder = NULL;
	source_close(camera->source);
	camera->source = NULL;
	if (!camera->plan->config->loop)
		live_clear(camera->live);
}

/* Play a file, again and again if it loops: one session however often. */
static SourceResult
play_file(Camera *camera, char reason[CAMERA_REASON])
{
	SourceResult result;

	for (;;)
	{
		uint64_t frames = camera->counters.frames;

		result = read_stream(camera, reason);
		if (result == SOURCE_END && camera->counters.frames == frames)
		{
			snprintf(reason, CAMERA_REASON, "there is no picture in the file");
			result = SOURCE_WRONG;
		}
		if (result != SOURCE_END || !camera->plan->config->loop)
			return result;
		camera_cut(camera, false);
		close_stream(camera);
		if ((result = open_stream(camera, reason)) != SOURCE_OK)
			return result;
		timeline_restart(&camera->timeline);
	}
}

/* One attempt: open the stream and stay with it as long as it lasts. */
SourceResult
camera_play(Camera *camera, char reason[CAMERA_REASON])
{
	SourceResult result = open_stream(camera, reason);

	if (result != SOURCE_OK)
		return result;
	begin_stream(camera);
	result = source_live(camera->source) ? read_stream(camera, reason) : play_file(camera, reason);
	if (!camera->fresh_session)
	{
		camera_cut(camera, true);
		camera->second_chances = SECOND_CHANCES;
		if (camera->last_frame_us - camera->running_since_us >= GOOD_STREAM_US)
			backoff_reset(&camera->backoff);
	}
	close_stream(camera);
	return result;
}
