/*
 * camera_pictures.c
 *		What becomes of a camera's packets: they are recorded, decoded, shown and
 *		analysed.
 */
#include "camera_internal.h"

#include "clock.h"
#include "log.h"
#include "picture.h"

/* A file played in real time that is this late takes up from where it is. */
#define LATE_US CLOCK_SECOND

/* Does anybody look for something in the pictures? */
bool
camera_looks(const Camera *camera)
{
	return camera->plan->config->detect ||
		   (camera->recording != NULL && camera->plan->config->record.mode == RECORD_MODE_MOTION);
}

/* The scene is cut: no more motion. */
void
camera_cut(Camera *camera, bool renumber)
{
	analysis_cut(camera->analysis, camera_stream_now(camera), renumber);
	if (camera->recording != NULL)
		recording_motion(camera->recording, false, camera_stream_now(camera));
}

/* Every timer of an unpaced file runs on stream time, this one too. */
static void
report_unpaced(Camera *camera, int64_t at_us)
{
	if (!camera->unpaced || at_us - camera->stats_us < CAMERA_STATS_US)
		return;
	camera->stats_us = at_us;
	camera_report(camera, at_us);
}

/* A file in real time: wait for the moment its frame is due. */
void
camera_keep_pace(Camera *camera, int64_t at_us)
{
	int64_t now = clock_monotonic_us();

	if (!camera->file || camera->unpaced || camera->idle.replaying)
		return;
	if (camera->pace_us == 0 || now - (camera->pace_us + at_us) > LATE_US)
		camera->pace_us = now - at_us;
	if (camera->pace_us + at_us > now)
		camera_pause_until(camera, camera->pace_us + at_us);
}

/* Was the frame taken before?  It is decoded once more for those that follow it. */
static bool
taken_before(const Camera *camera, int64_t pts_us)
{
	const Timeline *timeline = &camera->timeline;

	return camera->idle.replaying && timeline->started &&
		   timeline_past(timeline, pts_us, camera->arrived_us) <= timeline->last_us;
}

/* Have it searched for what the plan says. */
static void
analyse(Camera *camera, int64_t at_us, int64_t decoded_us)
{
	analysis_frame(camera->analysis, camera->frame, at_us, decoded_us);
	if (camera->recording != NULL)
		recording_motion(camera->recording, analysis_moving(camera->analysis), at_us);
	/* The past comes faster than it can be searched, but none of it is to be missed. */
	if (camera->idle.replaying)
		analysis_wait(camera->analysis, camera->idle.wait_until_us);
}

void
camera_take_frame(Camera *camera, int64_t pts_us)
{
	AVFrame *frame = camera->frame;
	char notice[ANALYSIS_NOTICE];
	int64_t at_us;
	int64_t decoded_us;

	if (!source_has_timestamps(camera->source))
		pts_us = TIMELINE_NO_PTS;
	if (taken_before(camera, pts_us))
	{
		camera->counters.frames++;
		return;
	}
	at_us = timeline_at(&camera->timeline, pts_us, decoder_duration_us(camera->decoder),
						camera->arrived_us);
	camera_keep_pace(camera, at_us);
	decoded_us = clock_wall_us();
	camera->last_frame_us = clock_monotonic_us();
	camera->counters.frames++;
	camera->counters.last_frame_us = at_us;
	camera_stats_picture(&camera->stats, frame->width, frame->height,
						 decoder_codec(camera->decoder));
	if (picture_hide(frame, &camera->plan->config->privacy) != 0)
	{
		log_warning("a frame is passed over: no memory to hide what is private in it");
		return;
	}
	if (camera->fresh_session)
	{
		camera->fresh_session = false;
		camera->running_since_us = camera->last_frame_us;
		camera->stats_us = at_us;
	}
	live_show_frame(camera->live, frame, at_us);
	analysis_notice(camera->analysis, notice);
	camera_set_state(camera, CAMERA_RUNNING, camera->plan->config->detect ? notice : "");
	if (camera_looks(camera) && sampler_take(&camera->sampler, at_us))
		analyse(camera, at_us, decoded_us);
	camera_idle_frame(camera, frame, at_us);
	report_unpaced(camera, at_us);
}

void
camera_pass_packet(Camera *camera, int64_t at_us)
{
	camera->last_frame_us = clock_monotonic_us();
	camera->counters.last_frame_us = at_us;
	report_unpaced(camera, at_us);
}

/* Decode one packet (NULL: the end) and take what comes out. */
void
camera_decode(Camera *camera, const AVPacket *packet)
{
	int64_t pts_us;

	decoder_send(camera->decoder, packet);
	while (!camera->stop && decoder_receive(camera->decoder, camera->frame, &pts_us))
	{
		camera_take_frame(camera, pts_us);
		av_frame_unref(camera->frame);
	}
}

/*
 * Is the packet to be decoded?  The first picture of a session is always wanted,
 * to see that there is one; so are those of a file, which keep its pace.
 */
static bool
wants_pictures(Camera *camera, const AVPacket *packet)
{
	bool wanted = camera_looks(camera) || camera->file || camera->fresh_session ||
				  live_is_watched(camera->live);

	if (wanted && !camera->blind)
		return true;
	if (wanted && (packet->flags & AV_PKT_FLAG_KEY) != 0)
	{
		decoder_flush(camera->decoder);
		camera->blind = false;
		return true;
	}
	camera->blind = true;
	camera_pass_packet(camera, camera_stream_now(camera));
	return false;
}

/* Record a packet, publish it, decode it: whatever is wanted. */
void
camera_take_packet(Camera *camera, AVPacket *packet)
{
	if (camera_records_itself(camera))
		recording_packet(camera->recording, camera->source, packet);
	if (camera->publisher != NULL)
		publisher_packet(camera->publisher, camera->source, packet);
	if (source_packet_kind(camera->source, packet) != PACKET_VIDEO)
		return;
	camera->counters.packets++;
	camera->arrived_us = clock_wall_us();
	if (wants_pictures(camera, packet))
		camera_idle_packet(camera, packet);
}
