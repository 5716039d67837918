/*
 * mux_time.c
 *		Timestamps as a muxer needs them, from timestamps as cameras send them.
 */
#include "mux_time.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>

#include "clock.h"

/* Stamps and clock may disagree by this much: jitter of the network, drift. */
#define TOLERANCE_US (3 * CLOCK_SECOND)
/* A longer silence is a gap. */
#define GAP_US (5 * CLOCK_SECOND)

#define DEFAULT_STEP_US (CLOCK_SECOND / 25)
#define MAX_STEP_US CLOCK_SECOND
#define MAX_STAMP_US (INT64_C(1) << 60)

void
mux_time_init(MuxTime *time, const PacketStreams *streams)
{
	memset(time, 0, sizeof(*time));
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		const AVCodecParameters *parameters = streams->parameters[kind];
		MuxTrackTime *track = &time->tracks[kind];

		track->step = DEFAULT_STEP_US;
		if (parameters != NULL && kind == PACKET_VIDEO)
			track->delay = av_clip(parameters->video_delay, 0, MUX_TIME_MAX_DELAY);
	}
}

void
mux_time_restart(MuxTime *time)
{
	MuxTime known = *time;

	memset(time, 0, sizeof(*time));
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		time->tracks[kind].step = known.tracks[kind].step;
		time->tracks[kind].delay = known.tracks[kind].delay;
		time->tracks[kind].dts_wrong = known.tracks[kind].dts_wrong;
	}
}

/* Microseconds; a stamp beyond any reason (36,000 years) counts as missing. */
static int64_t
to_us(int64_t stamp, AVRational time_base)
{
	int64_t us;

	if (stamp == AV_NOPTS_VALUE)
		return stamp;
	us = av_rescale_q(stamp, time_base, AV_TIME_BASE_Q);
	return us > -MAX_STAMP_US && us < MAX_STAMP_US ? us : AV_NOPTS_VALUE;
}

/*
 * The packet's pts on the line.  raw is its pts as it came, or AV_NOPTS_VALUE.
 * *broken is set when stamps and line part company.
 */
static int64_t
place_pts(MuxTime *time, MuxTrackTime *track, int64_t raw, int64_t at_us, bool *broken)
{
	int64_t passed = at_us - track->last_at;
	int64_t forward = passed >= MUX_TIME_TICK_US ? passed : track->step;

	if (!track->begun)
	{
		/* Both streams count from the first packet of either. */
		int64_t since = at_us - time->base_at;
		bool comparable = raw != AV_NOPTS_VALUE && time->base_raw != AV_NOPTS_VALUE &&
						  llabs(raw - time->base_raw - since) <= TOLERANCE_US;
		int64_t pts = comparable ? raw - time->base_raw : since;

		track->offset = raw != AV_NOPTS_VALUE ? pts - raw : 0;
		return pts;
	}
	if (raw == AV_NOPTS_VALUE)
		return track->last_pts + (forward < MAX_STEP_US ? forward : track->step);
	if (track->last_raw == AV_NOPTS_VALUE)
	{
		/* The stamps begin: they go on from where the guesses ended. */
		track->offset = track->last_pts + track->step - raw;
		return raw + track->offset;
	}

	int64_t moved = raw - track->last_raw;

	if (llabs(moved - passed) > TOLERANCE_US || moved < -TOLERANCE_US)
	{
		if (forward > GAP_US)
			forward = track->step; /* the clock was set */
		track->offset = track->last_pts + forward - raw;
		*broken = true;
	}
	if (raw + track->offset - track->last_pts > GAP_US)
		*broken = true;
	return raw + track->offset;
}

/* Remember pts among the delay + 1 highest, dropping the lowest. */
static void
remember_pts(MuxTrackTime *track, int64_t pts)
{
	int i = track->nnewest;

	if (i > track->delay)
	{
		if (pts <= track->newest[0])
			return;
		memmove(&track->newest[0], &track->newest[1], (i - 1) * sizeof(track->newest[0]));
		i--;
	}
	else
		track->nnewest++;
	for (; i > 0 && track->newest[i - 1] > pts; i--)
		track->newest[i] = track->newest[i - 1];
	track->newest[i] = pts;
}

/*
 * When to decode the packet: as it came if that is possible, else the pts that
 * is `delay` places down from the highest, which is how encoders number too.
 */
static int64_t
place_dts(MuxTrackTime *track, int64_t raw_dts, int64_t pts)
{
	int missing;

	remember_pts(track, pts);
	if (raw_dts != AV_NOPTS_VALUE && !track->dts_wrong)
	{
		int64_t dts = raw_dts + track->offset;

		if (dts <= pts && pts - dts < TOLERANCE_US && (!track->begun || dts > track->last_dts))
			return dts;
	}
	missing = track->delay + 1 - track->nnewest;
	return track->newest[0] - missing * track->step;
}

/* After a break the old stamps say nothing about the order of the new ones. */
static void
forget_order(MuxTrackTime *track)
{
	track->nnewest = 0;
}

bool
mux_time_apply(MuxTime *time, PacketKind kind, AVPacket *packet, AVRational time_base,
			   int64_t at_us)
{
	MuxTrackTime *track = &time->tracks[kind];
	int64_t raw_pts = to_us(packet->pts, time_base);
	int64_t raw_dts = to_us(packet->dts, time_base);
	int64_t duration = to_us(packet->duration, time_base);
	bool broken = false;
	int64_t pts;
	int64_t dts;

	if (raw_pts == AV_NOPTS_VALUE)
		raw_pts = raw_dts;
	if (duration <= 0 || duration > MAX_STEP_US)
		duration = 0;
	else
		track->step = duration;
	if (!time->begun)
	{
		time->begun = true;
		time->base_raw = raw_pts;
		time->base_at = at_us;
	}

	pts = place_pts(time, track, raw_pts, at_us, &broken);
	if (broken)
		forget_order(track);
	dts = place_dts(track, raw_dts, pts);
	if (track->begun && dts < track->last_dts + MUX_TIME_TICK_US)
		dts = track->last_dts + MUX_TIME_TICK_US;
	if (pts < dts)
	{
		/*
		 * Deeper reordering than announced: leave more room from here on.  The dts
		 * that come are of one who does not know of it either, as libavformat with
		 * HEVC over RTSP: they would take the room away again.
		 */
		if (kind == PACKET_VIDEO && !broken)
		{
			track->dts_wrong = true;
			if (track->delay < MUX_TIME_MAX_DELAY)
				track->delay++;
		}
		pts = dts;
	}
	if (duration == 0 && track->begun && dts - track->last_dts < MAX_STEP_US)
		track->step = dts - track->last_dts;

	track->begun = true;
	track->last_raw = raw_pts;
	track->last_at = at_us;
	track->last_pts = pts;
	track->last_dts = dts;
	packet->pts = pts;
	packet->dts = dts;
	packet->duration = duration > 0 ? duration : track->step;
	return broken;
}
