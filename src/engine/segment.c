/*
 * segment.c
 *		One recording: a fragmented MP4 that plays however its writing ended.
 *
 * A track's newest packet waits for the next one, which tells how long it lasts:
 * the muxer needs the duration of the last sample of every fragment.
 */
#include "segment.h"

#include <errno.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "ffmpeg_compat.h"
#include "log.h"
#include "mux_time.h"

#define FRAGMENT_US "500000"
/* Streams of keyframes only would get a fragment for each. */
#define MIN_FRAGMENT_US "250000"
#define VIDEO_TIMESCALE "90000"

/*
 * The muxer goes back to fill in the size of a header box, which works as long
 * as the box is still in this buffer: hence a bound on samples in a fragment,
 * which take up to 16 bytes each, and on the codec's own header.
 */
#define IO_BUFFER (64 * 1024)
#define MAX_FRAGMENT_SAMPLES 2048
#define MAX_EXTRADATA (16 * 1024)

typedef struct SegmentTrack
{
	int index;		/* of the stream in the file; -1: none */
	AVPacket *held; /* the newest packet, its duration still open */
	bool holding;
	int64_t last_dts; /* of the newest packet, counted from the origin */
} SegmentTrack;

struct Segment
{
	AVFormatContext *muxer;
	AVIOContext *io;
	MediaFile *file;
	int64_t origin;
	SegmentTrack tracks[PACKET_KINDS];
	AVPacket *scratch;
	int64_t frames; /* given to the muxer */
	int64_t duration_us;
	int64_t complete_frames; /* before the file's mark */
	int64_t complete_duration_us;
	int64_t dropped;
	int samples; /* in the fragment that the muxer is collecting */
};

static int
write_io(void *opaque, WrittenByte *data, int size)
{
	MediaFile *file = opaque;
	int result = media_file_append(file, data, size);

	return result < 0 ? result : size;
}

static void
segment_free(Segment *segment)
{
	for (int kind = 0; kind < PACKET_KINDS; kind++)
		av_packet_free(&segment->tracks[kind].held);
	av_packet_free(&segment->scratch);
	avformat_free_context(segment->muxer);
	if (segment->io != NULL)
		av_freep(&segment->io->buffer);
	avio_context_free(&segment->io);
	free(segment);
}

static int
add_stream(Segment *segment, PacketKind kind, const AVCodecParameters *parameters)
{
	AVStream *stream = avformat_new_stream(segment->muxer, NULL);
	int result;

	if (parameters->extradata_size > MAX_EXTRADATA)
		return AVERROR(EINVAL);
	if (stream == NULL)
		return AVERROR(ENOMEM);
	result = avcodec_parameters_copy(stream->codecpar, parameters);
	if (result < 0)
		return result;
	stream->codecpar->codec_tag = 0;
	/* The tag that every player knows: parameter sets in the header only. */
	if (parameters->codec_id == AV_CODEC_ID_HEVC)
		stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
	stream->time_base = (AVRational){1, kind == PACKET_AUDIO ? parameters->sample_rate : 90000};
	segment->tracks[kind].index = stream->index;
	return 0;
}

static int
open_muxer(Segment *segment, const SegmentSpec *spec)
{
	AVDictionary *options = NULL;
	uint8_t *buffer;
	int result;

	result = avformat_alloc_output_context2(&segment->muxer, NULL, "mp4", NULL);
	if (result < 0)
		return result;
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		segment->tracks[kind].index = -1;
		if (spec->parameters[kind] != NULL)
			result = add_stream(segment, kind, spec->parameters[kind]);
		if (result < 0)
			return result;
	}
	buffer = av_malloc(IO_BUFFER);
	if (buffer == NULL)
		return AVERROR(ENOMEM);
	segment->io = avio_alloc_context(buffer, IO_BUFFER, 1, segment->file, NULL, write_io, NULL);
	if (segment->io == NULL)
	{
		av_free(buffer);
		return AVERROR(ENOMEM);
	}
	segment->io->seekable = 0;
	segment->muxer->pb = segment->io;
	segment->muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_FLUSH_PACKETS;
	segment->muxer->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
	segment->muxer->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;

	/*
	 * frag_discont: each track begins at its own first time, counted from the
	 * file's zero, instead of all of them at zero.
	 */
	av_dict_set(&options, "movflags", "+empty_moov+default_base_moof+frag_keyframe+frag_discont",
				0);
	av_dict_set(&options, "use_editlist", "0", 0);
	av_dict_set(&options, "frag_duration", FRAGMENT_US, 0);
	av_dict_set(&options, "min_frag_duration", MIN_FRAGMENT_US, 0);
	av_dict_set(&options, "video_track_timescale", VIDEO_TIMESCALE, 0);
	result = avformat_write_header(segment->muxer, &options);
	av_dict_free(&options);
	return result;
}

int
segment_open(const SegmentSpec *spec, Segment **result)
{
	Segment *segment = calloc(1, sizeof(*segment));
	int error;

	if (segment == NULL)
		return -ENOMEM;
	error = media_file_create(spec->media_dir, spec->path, &segment->file);
	if (error < 0)
	{
		free(segment);
		return error;
	}
	segment->origin = spec->origin;
	segment->scratch = av_packet_alloc();
	error = segment->scratch != NULL ? 0 : AVERROR(ENOMEM);
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		segment->tracks[kind].held = av_packet_alloc();
		segment->tracks[kind].last_dts = INT64_MIN;
		if (segment->tracks[kind].held == NULL)
			error = AVERROR(ENOMEM);
	}
	if (error == 0)
		error = open_muxer(segment, spec);
	if (error < 0)
	{
		if (media_file_error(segment->file) != 0)
			error = media_file_error(segment->file);
		else if (error != AVERROR(ENOMEM))
			error = -EINVAL;
		media_file_discard(segment->file);
		segment_free(segment);
		return error;
	}
	*result = segment;
	return 0;
}

/* What lies before this moment in the file is complete. */
static void
mark_complete(Segment *segment, int64_t frames, int64_t duration_us)
{
	media_file_mark(segment->file);
	segment->complete_frames = frames;
	segment->complete_duration_us = duration_us;
}

/* Have the muxer write the fragment that it is collecting. */
static int
flush_fragment(Segment *segment)
{
	av_write_frame(segment->muxer, NULL);
	avio_flush(segment->io);
	segment->samples = 0;
	if (media_file_error(segment->file) == 0)
		mark_complete(segment, segment->frames, segment->duration_us);
	return media_file_error(segment->file);
}

/* Give the held packet, now with its duration, to the muxer. */
static int
mux_held(Segment *segment, PacketKind kind)
{
	SegmentTrack *track = &segment->tracks[kind];
	AVStream *stream = segment->muxer->streams[track->index];
	int64_t frames = segment->frames;
	int64_t duration_us = segment->duration_us;
	int64_t bytes = media_file_bytes(segment->file);
	int64_t end_us = track->held->dts + track->held->duration;
	int result;

	track->holding = false;
	track->held->stream_index = track->index;
	av_packet_rescale_ts(track->held, AV_TIME_BASE_Q, stream->time_base);
	result = av_write_frame(segment->muxer, track->held);
	av_packet_unref(track->held);
	if (media_file_error(segment->file) < 0)
		return media_file_error(segment->file);
	if (result < 0)
	{
		if (segment->dropped++ == 0)
			log_warning("a packet does not fit into MP4 and was dropped: %s", av_err2str(result));
		return 0;
	}
	if (media_file_bytes(segment->file) > bytes)
	{
		/* The fragment that this packet pushed out ends before it. */
		mark_complete(segment, frames, duration_us);
		segment->samples = 0;
	}
	segment->samples++;
	if (kind == PACKET_VIDEO)
	{
		segment->frames++;
		segment->duration_us = end_us;
	}
	return segment->samples < MAX_FRAGMENT_SAMPLES ? 0 : flush_fragment(segment);
}

int
segment_write(Segment *segment, PacketKind kind, AVPacket *packet)
{
	SegmentTrack *track = &segment->tracks[kind];
	int64_t lead = packet->pts - packet->dts;
	int result = 0;

	if (track->index < 0 || packet->size == 0)
	{
		av_packet_unref(packet);
		return 0;
	}
	packet->dts -= segment->origin;
	if (track->last_dts != INT64_MIN && packet->dts < track->last_dts + MUX_TIME_TICK_US)
		packet->dts = track->last_dts + MUX_TIME_TICK_US;
	packet->pts = packet->dts + lead;
	if (packet->dts < 0)
	{
		/* Sound from before the first picture. */
		av_packet_unref(packet);
		return 0;
	}
	track->last_dts = packet->dts;
	if (track->holding)
	{
		track->held->duration = packet->dts - track->held->dts;
		result = mux_held(segment, kind);
	}
	av_packet_move_ref(track->held, packet);
	track->holding = true;
	return result;
}

bool
segment_is_playable(const Segment *segment)
{
	return segment->complete_frames > 0;
}

int
segment_end_video(Segment *segment, int64_t end)
{
	SegmentTrack *video = &segment->tracks[PACKET_VIDEO];
	int result;

	if (!video->holding)
		return 0;
	if (end != AV_NOPTS_VALUE && end - segment->origin > video->held->dts)
		video->held->duration = end - segment->origin - video->held->dts;
	result = mux_held(segment, PACKET_VIDEO);
	return result < 0 ? result : flush_fragment(segment);
}

int
segment_close(Segment *segment, SegmentSummary *summary)
{
	int error = media_file_error(segment->file);

	for (int kind = 0; kind < PACKET_KINDS; kind++)
		if (segment->tracks[kind].holding && error == 0)
			error = mux_held(segment, kind);
	/* Also after an error: it frees what the muxer holds. */
	av_write_trailer(segment->muxer);
	avio_flush(segment->io);

	error = media_file_error(segment->file);
	if (error == 0)
		mark_complete(segment, segment->frames, segment->duration_us);
	*summary = (SegmentSummary){
		.frames = segment->complete_frames,
		.has_audio = segment->tracks[PACKET_AUDIO].last_dts != INT64_MIN,
		.duration_us = segment->complete_duration_us,
	};
	if (segment->complete_frames > 0)
	{
		int synced = media_file_close(segment->file, &summary->bytes, summary->sha256);

		if (error == 0)
			error = synced;
	}
	else
		media_file_discard(segment->file);
	segment_free(segment);
	return error;
}
