/*
 * recorder.c
 *		Records one camera: copies packets from its ring into segments.
 *
 * Sound that arrives after the picture it belongs to goes with it: a segment
 * that was cut stays open for sound (`closing`) until sound has passed the cut.
 */
#include "recorder.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/avutil.h>

#include "audio_track.h"
#include "clock.h"
#include "log.h"
#include "mux_time.h"
#include "segment.h"
#include "video_header.h"

#define RETRY_US (5 * CLOCK_SECOND)
/* A stream that sends nothing for so long has its segment closed. */
#define SILENCE_US (10 * CLOCK_SECOND)
/* Sound may lag the picture by this much and still go into its segment. */
#define AUDIO_LAG_US (4 * CLOCK_SECOND)
/* Recording that has nobody left ends at a keyframe, or after so long. */
#define END_GRACE_US (10 * CLOCK_SECOND)
/* Two segments may begin in the same millisecond when a clock is set. */
#define MAX_NAME_TRIES 100

typedef struct Wish
{
	int64_t from_us;
	int64_t until_us;
} Wish;

/* A segment being written, and what will be said about it. */
typedef struct OpenSegment
{
	Segment *segment; /* NULL: none */
	RecordingEvent event;
	bool announced; /* RECORDING_OPENED has been said */
	int64_t origin; /* its zero on the muxer's line */
	int64_t end;	/* of one that is closing: where it was cut */
} OpenSegment;

struct Recorder
{
	int camera_id;
	char *media_dir;
	PacketRing *ring;
	RecordingCallback callback;
	void *callback_arg;

	pthread_mutex_t lock; /* for what other threads may change: */
	int64_t segment_us;
	int64_t pre_roll_us;
	int64_t retry_us;
	Wish wishes[RECORD_REASONS];

	RingReader reader;
	RingPacket packet; /* the one being handled */
	bool reading;	   /* the reader is where recording goes on */
	int64_t start_us;  /* reading began for the sake of this moment */
	int64_t wanted_us; /* the last moment that was wanted */
	uint64_t resume;   /* number of the first packet not dealt with yet */
	int64_t resume_us; /* when it happened */
	int64_t last_read; /* monotonic; when the last packet was handled */

	/* What the packets being handled belong to. */
	PacketStreams *streams;
	bool tracks_open;
	MuxTime time;
	VideoHeader *header; /* NULL: nothing that can be recorded */
	AudioTrack *audio;	 /* NULL: none, or not one that can be kept */
	AVPacket *converted; /* sound on its way to the segment */
	int64_t last_audio;	 /* on the line; AV_NOPTS_VALUE: none yet */
	bool cut_due;		 /* time was broken: begin a new file when possible */

	OpenSegment current;
	OpenSegment closing;

	int64_t retry_at;	 /* monotonic; not before */
	char complaint[128]; /* the failure reported last; empty: all is well */
};

const char *
record_reason_name(RecordReason reason)
{
	static const char *const names[] = {"continuous", "scheduled", "motion", "manual", "alert"};

	return names[reason];
}

Recorder *
recorder_create(const RecorderSettings *settings, PacketRing *ring, RecordingCallback callback,
				void *arg)
{
	Recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder == NULL)
		return NULL;
	pthread_mutex_init(&recorder->lock, NULL);
	recorder->camera_id = settings->camera_id;
	recorder->resume_us = INT64_MIN;
	recorder->media_dir = strdup(settings->media_dir);
	recorder->converted = av_packet_alloc();
	recorder->ring = ring;
	recorder->callback = callback;
	recorder->callback_arg = arg;
	ring_reader_init(&recorder->reader, ring);
	for (int reason = 0; reason < RECORD_REASONS; reason++)
		recorder->wishes[reason] = (Wish){0, INT64_MIN};
	recorder_configure(recorder, settings);
	if (recorder->media_dir == NULL || recorder->converted == NULL ||
		ring_packet_init(&recorder->packet) < 0)
	{
		recorder_free(recorder);
		return NULL;
	}
	return recorder;
}

void
recorder_configure(Recorder *recorder, const RecorderSettings *settings)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->segment_us = settings->segment_us;
	recorder->pre_roll_us = settings->pre_roll_us;
	recorder->retry_us = settings->retry_us > 0 ? settings->retry_us : RETRY_US;
	pthread_mutex_unlock(&recorder->lock);
}

void
recorder_want(Recorder *recorder, RecordReason reason, int64_t from_us, int64_t until_us)
{
	Wish *wish = &recorder->wishes[reason];

	pthread_mutex_lock(&recorder->lock);
	if (wish->until_us < from_us - recorder->pre_roll_us || wish->from_us > from_us)
		wish->from_us = from_us;
	wish->until_us = until_us;
	pthread_mutex_unlock(&recorder->lock);
}

/* Does the wish cover this moment, pre-roll included? */
static bool
wish_covers(const Recorder *recorder, const Wish *wish, int64_t at_us)
{
	return at_us < wish->until_us && at_us >= wish->from_us - recorder->pre_roll_us;
}

/* The strongest reason to record this moment, or RECORD_REASONS. */
static RecordReason
reason_at(Recorder *recorder, int64_t at_us)
{
	RecordReason strongest = RECORD_REASONS;

	pthread_mutex_lock(&recorder->lock);
	for (int reason = RECORD_REASONS - 1; reason >= 0 && strongest == RECORD_REASONS; reason--)
		if (wish_covers(recorder, &recorder->wishes[reason], at_us))
			strongest = reason;
	pthread_mutex_unlock(&recorder->lock);
	return strongest;
}

/*
 * Place the reader where recording begins, if anything is wanted that has not
 * been dealt with.
 */
static bool
begin_reading(Recorder *recorder)
{
	PacketRingStats stats;
	int64_t start = INT64_MAX;

	packet_ring_stats(recorder->ring, &stats);
	pthread_mutex_lock(&recorder->lock);
	for (int reason = 0; reason < RECORD_REASONS; reason++)
	{
		const Wish *wish = &recorder->wishes[reason];
		int64_t from;

		if (wish->until_us <= wish->from_us || wish->until_us <= recorder->resume_us)
			continue;
		from = wish->from_us - recorder->pre_roll_us;
		if (from <= stats.newest_us && from < start)
			start = from;
	}
	pthread_mutex_unlock(&recorder->lock);
	if (start == INT64_MAX || !ring_reader_seek(&recorder->reader, start, recorder->resume))
		return false;
	recorder->start_us = start;
	recorder->wanted_us = start;
	recorder->reading = true;
	return true;
}

/* Say what is wrong, unless that was the last thing said. */
static void
complain(Recorder *recorder, const char *message)
{
	RecordingEvent event = {.action = RECORDING_FAILED};

	if (strcmp(recorder->complaint, message) == 0)
		return;
	snprintf(recorder->complaint, sizeof(recorder->complaint), "%s", message);
	snprintf(event.message, sizeof(event.message), "%s", message);
	recorder->callback(recorder->callback_arg, &event);
}

static void
describe_failure(int error, char *message, size_t size)
{
	snprintf(message, size, "could not write recording: %s", strerror(-error));
}

/* Tell of a segment as soon as it can be played. */
static void
announce(Recorder *recorder, OpenSegment *open)
{
	if (open->announced)
		return;
	open->announced = true;
	recorder->complaint[0] = '\0';
	open->event.action = RECORDING_OPENED;
	recorder->callback(recorder->callback_arg, &open->event);
}

/*
 * Close a segment and report it.  ended_us is when what follows begins, or
 * INT64_MIN when nothing is known to.
 */
static void
finish(Recorder *recorder, OpenSegment *open, int64_t ended_us)
{
	SegmentSummary summary;
	char message[128];
	int error;

	if (open->segment == NULL)
		return;
	error = segment_close(open->segment, &summary);
	open->segment = NULL;
	if (summary.bytes == 0)
		return;
	announce(recorder, open);
	if (error != 0 || ended_us == INT64_MIN)
		ended_us = open->event.started_us + summary.duration_us;
	open->event.action = RECORDING_CLOSED;
	open->event.ended_us = ended_us;
	open->event.frames = summary.frames;
	open->event.bytes = summary.bytes;
	open->event.has_audio = summary.has_audio;
	memcpy(open->event.sha256, summary.sha256, sizeof(summary.sha256));
	recorder->callback(recorder->callback_arg, &open->event);
	if (error == 0)
		return;
	/* The disk may hold less than was written. */
	describe_failure(error, message, sizeof(message));
	complain(recorder, message);
}

static void
finish_all(Recorder *recorder, int64_t ended_us)
{
	finish(recorder, &recorder->closing, recorder->closing.event.ended_us);
	finish(recorder, &recorder->current, ended_us);
}

static void
drop_tracks(Recorder *recorder)
{
	video_header_free(recorder->header);
	audio_track_free(recorder->audio);
	recorder->header = NULL;
	recorder->audio = NULL;
	recorder->tracks_open = false;
}

/* Stop here; what is wanted later begins with the packet being handled. */
static void
stop_reading(Recorder *recorder)
{
	recorder->reading = false;
	recorder->resume = recorder->packet.number;
	recorder->resume_us = recorder->packet.at_us;
	drop_tracks(recorder);
}

/* The disk is full or the directory is gone: keep what there is, try again later. */
static void
fail(Recorder *recorder, int error)
{
	char message[128];

	pthread_mutex_lock(&recorder->lock);
	recorder->retry_at = clock_monotonic_us() + recorder->retry_us;
	pthread_mutex_unlock(&recorder->lock);
	stop_reading(recorder);
	finish_all(recorder, INT64_MIN);
	describe_failure(error, message, sizeof(message));
	complain(recorder, message);
}

/* Prepare for packets of these streams, or for the same ones after a pause. */
static void
open_tracks(Recorder *recorder, PacketStreams *streams)
{
	bool same = streams == recorder->streams;
	const AVCodecParameters *video = streams->parameters[PACKET_VIDEO];
	const AVCodecParameters *audio = streams->parameters[PACKET_AUDIO];
	const char *reason;

	drop_tracks(recorder);
	recorder->tracks_open = true;
	if (!same)
	{
		packet_streams_unref(&recorder->streams);
		recorder->streams = packet_streams_ref(streams);
	}
	recorder->last_audio = AV_NOPTS_VALUE;
	recorder->cut_due = false;
	if (same)
		mux_time_restart(&recorder->time);
	else
		mux_time_init(&recorder->time, streams);
	if (!video_header_supports(video->codec_id))
	{
		char message[128];

		snprintf(message, sizeof(message), "video of codec %s cannot be recorded",
				 avcodec_get_name(video->codec_id));
		complain(recorder, message);
		return;
	}
	recorder->header = video_header_create(video);
	if (recorder->header == NULL)
	{
		complain(recorder, "out of memory");
		return;
	}
	if (audio != NULL)
	{
		recorder->audio = audio_track_create(audio, &reason);
		if (recorder->audio == NULL && !same)
			log_warning("recording without sound of codec %s: %s",
						avcodec_get_name(audio->codec_id), reason);
	}
}

/* Open a file named after its beginning; the name's milliseconds make way for others. */
static int
open_file(Recorder *recorder, OpenSegment *open, SegmentSpec *spec)
{
	RecordingEvent *event = &open->event;
	int error = -EEXIST;

	for (int tries = 0; error == -EEXIST && tries < MAX_NAME_TRIES; tries++)
	{
		media_path_recording(event->path, recorder->camera_id, event->started_us + tries * 1000,
							 record_reason_name(event->reason));
		spec->path = event->path;
		error = segment_open(spec, &open->segment);
	}
	return error;
}

/* Begin a segment at the keyframe being handled. */
static int
open_segment(Recorder *recorder, RecordReason reason)
{
	const AVPacket *packet = recorder->packet.packet;
	const AVCodecParameters *video = video_header_parameters(recorder->header);
	OpenSegment *open = &recorder->current;
	RecordingEvent *event = &open->event;
	SegmentSpec spec = {
		.media_dir = recorder->media_dir,
		.parameters = {video,
					   recorder->audio != NULL ? audio_track_parameters(recorder->audio) : NULL},
		.origin = packet->dts,
	};

	*open = (OpenSegment){.origin = packet->dts};
	event->started_us = recorder->packet.at_us - (packet->pts - packet->dts);
	event->reason = reason;
	event->width = video->width;
	event->height = video->height;
	event->has_audio = recorder->audio != NULL;
	snprintf(event->codec, sizeof(event->codec), "%s", avcodec_get_name(video->codec_id));
	return open_file(recorder, open, &spec);
}

/*
 * Begin a new segment at the keyframe being handled, and let the one before it
 * wait for the rest of its sound.
 */
static int
cut(Recorder *recorder, RecordReason reason)
{
	int64_t dts = recorder->packet.packet->dts;
	int result;

	finish(recorder, &recorder->closing, recorder->closing.event.ended_us);
	if (recorder->current.segment != NULL)
	{
		result = segment_end_video(recorder->current.segment, dts);
		if (result < 0)
			return result;
		recorder->closing = recorder->current;
		recorder->closing.end = dts;
		recorder->current.segment = NULL;
	}
	recorder->cut_due = false;
	result = open_segment(recorder, reason);
	if (recorder->closing.segment != NULL)
	{
		recorder->closing.event.ended_us =
			recorder->packet.at_us - (recorder->packet.packet->pts - dts);
		if (recorder->last_audio == AV_NOPTS_VALUE || recorder->last_audio >= dts ||
			recorder->last_audio < dts - AUDIO_LAG_US)
			finish(recorder, &recorder->closing, recorder->closing.event.ended_us);
	}
	return result;
}

/* Is it time for a new segment at the keyframe being handled? */
static bool
cut_is_due(Recorder *recorder)
{
	int64_t length = recorder->packet.packet->dts - recorder->current.origin;
	int64_t limit;

	pthread_mutex_lock(&recorder->lock);
	limit = recorder->segment_us;
	pthread_mutex_unlock(&recorder->lock);
	return recorder->current.segment == NULL || recorder->cut_due || length >= limit;
}

static int
write_video(Recorder *recorder, RecordReason reason)
{
	AVPacket *packet = recorder->packet.packet;
	OpenSegment *open = &recorder->current;
	bool key = ring_packet_is_key(&recorder->packet);
	int changed = 0;
	int result = 0;

	if (key)
		changed = video_header_update(recorder->header, packet);
	if (changed < 0)
		return -ENOMEM;
	if (mux_time_apply(&recorder->time, PACKET_VIDEO, packet,
					   recorder->streams->time_base[PACKET_VIDEO], recorder->packet.at_us))
		recorder->cut_due = true;
	if (recorder->closing.segment != NULL && packet->dts >= recorder->closing.end + AUDIO_LAG_US)
		finish(recorder, &recorder->closing, recorder->closing.event.ended_us);
	if (key && video_header_complete(recorder->header) && (changed || cut_is_due(recorder)))
		result = cut(recorder, reason);
	if (result < 0 || open->segment == NULL)
		return result;
	if (reason != RECORD_REASONS && reason > open->event.reason)
		open->event.reason = reason;
	result = segment_write(open->segment, PACKET_VIDEO, packet);
	if (result == 0 && segment_is_playable(open->segment))
		announce(recorder, open);
	return result;
}

/* Give a packet of sound to the segment it belongs to by its time. */
static int
write_audio(Recorder *recorder, AVPacket *packet)
{
	OpenSegment *open = &recorder->current;

	recorder->last_audio = packet->dts;
	if (recorder->closing.segment != NULL)
	{
		if (packet->dts < recorder->closing.end)
			open = &recorder->closing;
		else
			finish(recorder, &recorder->closing, recorder->closing.event.ended_us);
	}
	if (open->segment == NULL)
	{
		av_packet_unref(packet);
		return 0;
	}
	return segment_write(open->segment, PACKET_AUDIO, packet);
}

static int
convert_audio(Recorder *recorder)
{
	int result = 0;

	if (recorder->audio == NULL)
		return 0;
	if (mux_time_apply(&recorder->time, PACKET_AUDIO, recorder->packet.packet,
					   recorder->streams->time_base[PACKET_AUDIO], recorder->packet.at_us))
		recorder->cut_due = true;
	audio_track_send(recorder->audio, recorder->packet.packet);
	while (result == 0 && audio_track_receive(recorder->audio, recorder->converted) == 0)
		result = write_audio(recorder, recorder->converted);
	return result;
}

/*
 * Does the packet being handled end the recording?  Nobody wants it, and it is a
 * keyframe, or one has been waited for in vain.
 */
static bool
ends_recording(Recorder *recorder, RecordReason reason)
{
	const RingPacket *packet = &recorder->packet;

	if (reason != RECORD_REASONS)
	{
		recorder->wanted_us = packet->at_us;
		return false;
	}
	return ring_packet_is_key(packet) || packet->at_us > recorder->wanted_us + END_GRACE_US;
}

/* Handle the packet just read.  Returns false when recording has failed. */
static bool
take_packet(Recorder *recorder)
{
	RingPacket *packet = &recorder->packet;
	int64_t at_us = packet->at_us > recorder->start_us ? packet->at_us : recorder->start_us;
	RecordReason reason = reason_at(recorder, at_us);
	int result = 0;

	recorder->last_read = clock_monotonic_us();
	if (packet->kind == PACKET_VIDEO && ends_recording(recorder, reason))
	{
		stop_reading(recorder);
		finish_all(recorder, packet->at_us);
		return true;
	}
	if (packet->streams != recorder->streams || packet->lost > 0)
	{
		if (packet->lost > 0)
			log_warning("recording could not keep up and lost %llu packets",
						(unsigned long long) packet->lost);
		finish_all(recorder, INT64_MIN);
	}
	if (packet->streams != recorder->streams || !recorder->tracks_open)
		open_tracks(recorder, packet->streams);
	if (recorder->header != NULL && packet->kind == PACKET_VIDEO)
		result = write_video(recorder, reason);
	else if (recorder->header != NULL)
		result = convert_audio(recorder);
	if (result < 0)
		fail(recorder, result);
	return result == 0;
}

void
recorder_run(Recorder *recorder)
{
	int64_t now = clock_monotonic_us();

	if (now < recorder->retry_at)
		return;
	while ((recorder->reading || begin_reading(recorder)) &&
		   ring_reader_next(&recorder->reader, &recorder->packet) > 0 && take_packet(recorder))
		;
	ring_packet_clear(&recorder->packet);
	if (now - recorder->last_read > SILENCE_US)
		finish_all(recorder, INT64_MIN);
}

void
recorder_free(Recorder *recorder)
{
	if (recorder == NULL)
		return;
	finish_all(recorder, INT64_MIN);
	drop_tracks(recorder);
	packet_streams_unref(&recorder->streams);
	ring_packet_free(&recorder->packet);
	av_packet_free(&recorder->converted);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder->media_dir);
	free(recorder);
}
