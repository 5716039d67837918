/*
 * recording.c
 *		What of one camera is recorded, and when.
 */
#include "recording.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "recorder.h"
#include "salvage.h"

/*
 * The ring keeps the pre-roll and what a slow disk may hold up; for alerts also
 * what passes until one is raised and comes back as a wish.
 */
#define SLACK_US (5 * CLOCK_SECOND)
#define ALERT_SLACK_US (10 * CLOCK_SECOND)

/* Its bound in bytes: a stream of 8 Mbit/s, and bursts. */
#define RING_BYTES ((size_t) 16 << 20)
#define RING_BYTES_PER_SECOND ((size_t) 1 << 20)

/*
 * Recording that is over ends at a keyframe; a recorder waits no longer for one
 * than this, and closes its file when it hears nothing for as long.
 */
#define LAST_KEY_US (11 * CLOCK_SECOND)

/* Files that another writer may just be closing are let alone for so long. */
#define SALVAGE_AFTER_US (10 * CLOCK_SECOND)

struct Recording
{
	int camera_id;
	EventStream *events;
	const atomic_llong *segment_us;
	char *media_dir;
	PacketRing *ring;
	Recorder *recorder;
	atomic_llong newest_us; /* time of the newest packet, 0: none yet */
	atomic_bool wanted;
	atomic_bool shared;	 /* somebody else reads the ring, too */
	atomic_bool lingers; /* no longer wanted, but there has been no keyframe since */
	atomic_llong pre_roll_us;
	atomic_llong span_us; /* what the ring is to hold */

	/* The writer's thread only. */
	bool salvaged;
	int64_t begun_us;	   /* Unix epoch */
	int64_t salvage_at_us; /* monotonic */

	/* The camera's thread only. */
	RecordSettings settings;
	bool held[RECORD_REASONS]; /* wanted for this reason until further notice */

	/* The reading thread only. */
	Timeline timelines[PACKET_KINDS];
	char complaint[128]; /* the last one told, "": none */

	pthread_mutex_t lock; /* for the ring's bounds, and: */
	bool paused;		  /* the ring has missed packets, and is to begin anew */
	bool drained;		  /* the ring has been emptied since */
	int64_t paused_us;	  /* monotonic */
};

static void
report(void *arg, const RecordingEvent *event)
{
	Recording *recording = arg;
	int64_t at_us = recording->newest_us;

	event_recording(recording->events, at_us != 0 ? at_us : clock_wall_us(), event);
	if (event->action == RECORDING_FAILED)
		log_warning("%s", event->message);
}

static RecorderSettings
recorder_settings(const Recording *recording)
{
	return (RecorderSettings){.camera_id = recording->camera_id,
							  .media_dir = recording->media_dir,
							  .segment_us = *recording->segment_us,
							  .pre_roll_us = recording->pre_roll_us};
}

Recording *
recording_create(int camera_id, const char *media_dir, const atomic_llong *segment_us,
				 EventStream *events)
{
	Recording *recording = calloc(1, sizeof(*recording));
	RecorderSettings settings;

	if (recording == NULL)
		return NULL;
	pthread_mutex_init(&recording->lock, NULL);
	recording->camera_id = camera_id;
	recording->events = events;
	recording->segment_us = segment_us;
	recording->media_dir = strdup(media_dir);
	recording->ring = packet_ring_create(RING_BYTES, SLACK_US);
	recording->paused = true;
	recording->drained = true;
	recording->begun_us = clock_wall_us();
	recording->salvage_at_us = clock_monotonic_us() + SALVAGE_AFTER_US;
	if (recording->media_dir != NULL && recording->ring != NULL)
	{
		settings = recorder_settings(recording);
		recording->recorder = recorder_create(&settings, recording->ring, report, recording);
	}
	if (recording->recorder != NULL)
		return recording;
	recording_free(recording);
	return NULL;
}

int
recording_camera(const Recording *recording)
{
	return recording->camera_id;
}

void
recording_free(Recording *recording)
{
	if (recording == NULL)
		return;
	if (recording->recorder != NULL)
		recorder_run(recording->recorder);
	recorder_free(recording->recorder);
	packet_ring_free(recording->ring);
	pthread_mutex_destroy(&recording->lock);
	free(recording->media_dir);
	free(recording);
}

/* With the lock held. */
static void
set_ring_bounds(Recording *recording)
{
	packet_ring_set_bounds(recording->ring,
						   RING_BYTES + RING_BYTES_PER_SECOND *
											(size_t) (recording->pre_roll_us / CLOCK_SECOND),
						   recording->span_us);
}

/* Want or no longer want something that has no end of its own. */
static void
hold(Recording *recording, RecordReason reason, bool wanted, int64_t from_us, int64_t until_us)
{
	if (recording->held[reason] == wanted)
		return;
	recording->held[reason] = wanted;
	recorder_want(recording->recorder, reason, from_us, wanted ? RECORD_FOREVER : until_us);
}

void
recording_configure(Recording *recording, const RecordSettings *settings, int64_t now_us)
{
	RecorderSettings recorder;
	bool alert = settings->alert_until_us > now_us;
	bool wanted =
		settings->mode != RECORD_MODE_OFF || settings->manual || settings->scheduled || alert;

	recording->pre_roll_us = settings->pre_roll_us;
	recording->span_us =
		settings->pre_roll_us + (settings->mode == RECORD_MODE_ALERTS ? ALERT_SLACK_US : SLACK_US);
	recorder = recorder_settings(recording);
	recorder_configure(recording->recorder, &recorder);
	hold(recording, RECORD_CONTINUOUS, settings->mode == RECORD_MODE_CONTINUOUS, now_us, now_us);
	hold(recording, RECORD_SCHEDULED, settings->scheduled, now_us, now_us);
	hold(recording, RECORD_MANUAL, settings->manual, now_us, now_us);
	if (settings->mode != RECORD_MODE_MOTION)
		hold(recording, RECORD_MOTION, false, now_us, now_us);
	/* An alert's pre-roll is in alert_from_us already. */
	if (alert)
		recorder_want(recording->recorder, RECORD_ALERT,
					  settings->alert_from_us + settings->pre_roll_us, settings->alert_until_us);

	pthread_mutex_lock(&recording->lock);
	if (!recording->paused)
		set_ring_bounds(recording);
	pthread_mutex_unlock(&recording->lock);
	recording->settings = *settings;
	if (recording->wanted && !wanted)
		recording->lingers = true;
	recording->wanted = wanted;
}

void
recording_follow_clock(Recording *recording, int64_t now_us)
{
	for (int reason = 0; reason < RECORD_REASONS; reason++)
		if (recording->held[reason])
			recorder_want(recording->recorder, reason, now_us, RECORD_FOREVER);
}

void
recording_motion(Recording *recording, bool moving, int64_t at_us)
{
	if (recording->settings.mode == RECORD_MODE_MOTION)
		hold(recording, RECORD_MOTION, moving, at_us, at_us + recording->settings.post_roll_us);
}

bool
recording_wanted(const Recording *recording)
{
	return recording->wanted;
}

bool
recording_listens(const Recording *recording)
{
	return recording->wanted || recording->lingers || recording->shared;
}

PacketRing *
recording_ring(Recording *recording)
{
	return recording->ring;
}

void
recording_share_ring(Recording *recording, bool shared)
{
	recording->shared = shared;
}

int
recording_connect(Recording *recording, const Source *source, const Timeline *frames)
{
	const AVStream *video = source_video(source);
	const AVStream *audio = source_audio(source);
	PacketStreams *streams = packet_streams_create(
		video->codecpar, video->time_base, audio != NULL ? audio->codecpar : NULL,
		audio != NULL ? audio->time_base : (AVRational){1, 1});

	if (streams == NULL)
		return AVERROR(ENOMEM);
	packet_ring_set_streams(recording->ring, streams);
	packet_streams_unref(&streams);
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		if (frames != NULL)
			recording->timelines[kind] = *frames;
		else
			timeline_live(&recording->timelines[kind]);
	}
	recording->complaint[0] = '\0';
	return 0;
}

/*
 * Nobody wants packets: the ring is to begin anew when somebody does.  Whoever
 * wants some soon after must not take the last ones for the beginning of those.
 */
static void
pause_ring(Recording *recording)
{
	if (packet_ring_break(recording->ring) < 0)
		log_warning("a gap in what is recorded is not marked: out of memory");
	pthread_mutex_lock(&recording->lock);
	if (!recording->paused)
	{
		recording->paused = true;
		recording->drained = false;
		recording->paused_us = clock_monotonic_us();
	}
	pthread_mutex_unlock(&recording->lock);
}

/* A keyframe after a pause.  The writer may still be busy with what came before. */
static void
resume_ring(Recording *recording)
{
	pthread_mutex_lock(&recording->lock);
	set_ring_bounds(recording);
	recording->paused = false;
	pthread_mutex_unlock(&recording->lock);
}

/* When the packet happened. */
static int64_t
time_of(Recording *recording, const Source *source, PacketKind kind, const AVPacket *packet)
{
	const AVStream *stream = kind == PACKET_VIDEO ? source_video(source) : source_audio(source);
	int64_t stamp = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;

	stamp = stamp != AV_NOPTS_VALUE ? av_rescale_q(stamp, stream->time_base, AV_TIME_BASE_Q)
									: TIMELINE_NO_PTS;
	return timeline_packet_at(&recording->timelines[kind], stamp, clock_wall_us());
}

/* Put a packet into the ring, if anybody wants it. */
static void
keep(Recording *recording, PacketKind kind, const AVPacket *packet, int64_t at_us)
{
	bool key = kind == PACKET_VIDEO && (packet->flags & AV_PKT_FLAG_KEY) != 0;

	if (!recording_listens(recording))
	{
		if (!recording->paused)
			pause_ring(recording);
		return;
	}
	if (recording->paused && !key)
		return;
	if (recording->paused)
		resume_ring(recording);
	if (kind == PACKET_VIDEO)
		recording->newest_us = at_us;
	if (packet_ring_push(recording->ring, kind, packet, at_us) < 0)
		log_warning("a packet is not recorded: out of memory");
	if (key && !recording->wanted)
		recording->lingers = false;
}

/* The time lines follow every packet: recording may begin at any. */
void
recording_packet(Recording *recording, const Source *source, AVPacket *packet)
{
	PacketKind kind = source_packet_kind(source, packet);
	int64_t pts = packet->pts;
	int64_t dts = packet->dts;

	/* Made-up stamps would only contradict the clock. */
	if (!source_has_timestamps(source))
		packet->pts = packet->dts = AV_NOPTS_VALUE;
	keep(recording, kind, packet, time_of(recording, source, kind, packet));
	packet->pts = pts;
	packet->dts = dts;
}

void
recording_complain(Recording *recording, const char *reason)
{
	RecordingEvent event = {.action = RECORDING_FAILED};

	if (strcmp(reason, recording->complaint) == 0)
		return;
	snprintf(recording->complaint, sizeof(recording->complaint), "%s", reason);
	snprintf(event.message, sizeof(event.message), "the stream to be recorded: %s", reason);
	report(recording, &event);
}

/* Give back the memory of a ring that nobody will read again. */
static void
drain(Recording *recording)
{
	pthread_mutex_lock(&recording->lock);
	if (recording->paused && !recording->drained &&
		clock_monotonic_us() - recording->paused_us > LAST_KEY_US)
	{
		packet_ring_set_bounds(recording->ring, 0, 0);
		recording->drained = true;
	}
	pthread_mutex_unlock(&recording->lock);
}

/* Once: what an engine before this one was killed over. */
static void
salvage(Recording *recording)
{
	if (recording->salvaged || clock_monotonic_us() < recording->salvage_at_us)
		return;
	recording->salvaged = salvage_camera(recording->media_dir, recording->camera_id,
										 recording->begun_us, report, recording);
}

void
recording_run(Recording *recording)
{
	RecorderSettings settings = recorder_settings(recording);

	recorder_configure(recording->recorder, &settings);
	recorder_run(recording->recorder);
	drain(recording);
	salvage(recording);
}
