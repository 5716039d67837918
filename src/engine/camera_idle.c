/*
 * camera_idle.c
 *		A camera on which nothing happens: only the keyframes of its stream are
 *		decoded and watched.
 *
 * An alarm on a keyframe means that the event began after the keyframe before.
 * That one has been analysed already; what lies between is decoded at full speed
 * before the next packet is read, so frames still come one after the other.
 */
#include "camera_idle.h"

#include "camera_internal.h"
#include "clock.h"
#include "log.h"

/* A ring of its own holds what the recorder's does without a pre-roll. */
#define RING_BYTES ((size_t) 16 << 20)
#define RING_US (5 * CLOCK_SECOND)

/* Keyframes of a stream that has nothing else are learnt at this pace. */
#define FEED_US (CLOCK_SECOND * 45 / 100)

/* A replay waits for inference this long in all; then the newest frame wins. */
#define REPLAY_WAIT_US (CLOCK_SECOND * 6 / 10)

/* Motion that woke the camera for nothing is not believed for so long. */
#define DISTRUST_US (60 * CLOCK_SECOND)

/* A file whose timestamps jump by more begins anew. */
#define JUMP_US CLOCK_SECOND

void
camera_idle_init(Camera *camera)
{
	idle_gate_init(&camera->idle.gate);
}

/* Nothing is watched any more. */
static void
release(Camera *camera)
{
	CameraIdle *idle = &camera->idle;

	keyframe_watch_free(idle->watch);
	if (idle->motion != NULL)
		motion_free(idle->motion);
	ring_packet_free(&idle->packet);
	if (idle->own_ring)
		packet_ring_free(idle->ring);
	else if (camera->recording != NULL)
		recording_share_ring(camera->recording, false);
	idle->watch = NULL;
	idle->motion = NULL;
	idle->ring = NULL;
	idle->own_ring = false;
	idle->key = 0;
}

void
camera_idle_free(Camera *camera)
{
	release(camera);
}

/* The streams of the connection there is, for a ring of our own. */
static bool
describe_streams(Camera *camera)
{
	const AVStream *video = source_video(camera->source);
	PacketStreams *streams =
		packet_streams_create(video->codecpar, video->time_base, NULL, (AVRational){1, 1});

	if (streams == NULL)
		return false;
	packet_ring_set_streams(camera->idle.ring, streams);
	packet_streams_unref(&streams);
	return true;
}

/* Returns false when out of memory. */
static bool
acquire(Camera *camera)
{
	CameraIdle *idle = &camera->idle;
	const CameraConfig *config = camera->plan->config;

	idle->watch = keyframe_watch_create();
	idle->motion = motion_create(&config->motion);
	idle->own_ring = !camera_records_itself(camera);
	idle->ring = idle->own_ring ? packet_ring_create(RING_BYTES, RING_US)
								: recording_ring(camera->recording);
	if (ring_packet_init(&idle->packet) < 0 || idle->watch == NULL || idle->motion == NULL ||
		idle->ring == NULL ||
		(idle->own_ring && camera->source != NULL && !describe_streams(camera)))
	{
		release(camera);
		return false;
	}
	if (!idle->own_ring)
		recording_share_ring(camera->recording, true);
	idle->calibrated = idle->settle = false;
	idle->distrust_us = idle->fed_us = INT64_MIN;
	return true;
}

bool
camera_idle_connect(Camera *camera)
{
	CameraIdle *idle = &camera->idle;

	idle_gate_restart(&idle->gate);
	idle->key = 0;
	idle->fed_us = INT64_MIN;
	return !idle->own_ring || idle->ring == NULL || describe_streams(camera);
}

void
camera_idle_follow(Camera *camera)
{
	CameraIdle *idle = &camera->idle;
	const CameraConfig *config = camera->plan->config;
	bool looked = camera_looks(camera);
	bool wanted = config->idle_keyframes && looked;

	if (wanted && idle->watch == NULL && !acquire(camera))
	{
		log_warning("every frame is decoded: no memory to watch keyframes");
		wanted = false;
	}
	idle_gate_want(&idle->gate, wanted);
	if (idle->watch == NULL)
		return;
	keyframe_watch_set_masks(idle->watch, &config->masks);
	motion_configure(idle->motion, &config->motion);
	motion_set_masks(idle->motion, &config->masks);
	if (looked)
		return;
	/* Nobody wants the past, nor what comes before the next keyframe. */
	if (idle->gate.watching)
		camera->blind = true;
	idle_gate_restart(&idle->gate);
	release(camera);
}

/* The gate's time of a packet: as its stream says, in the order of decoding. */
static int64_t
stamp_of(const Camera *camera, const AVPacket *packet)
{
	int64_t stamp = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;

	if (!source_has_timestamps(camera->source) || stamp == AV_NOPTS_VALUE)
		return camera->file ? camera->idle.gate.at_us : camera->arrived_us;
	return av_rescale_q(stamp, source_video(camera->source)->time_base, AV_TIME_BASE_Q);
}

/* The time of a packet's picture, as it will be when it is taken. */
static int64_t
time_of(Camera *camera, const AVPacket *packet)
{
	int64_t stamp = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;

	if (!source_has_timestamps(camera->source) || stamp == AV_NOPTS_VALUE)
		stamp = TIMELINE_NO_PTS;
	else
		stamp = av_rescale_q(stamp, source_video(camera->source)->time_base, AV_TIME_BASE_Q);
	return timeline_follow(&camera->timeline, stamp, camera->arrived_us);
}

/*
 * Decode the past: from the last keyframe taken, or the newest there is, to the
 * newest packet.
 */
static void
replay(Camera *camera)
{
	CameraIdle *idle = &camera->idle;
	uint64_t newest = packet_ring_newest(idle->ring);
	uint64_t reached = 0;
	RingReader reader;

	decoder_flush(camera->decoder);
	ring_reader_init(&reader, idle->ring);
	if ((idle->key == 0 || !ring_reader_seek_before(&reader, idle->key + 1)) &&
		!ring_reader_seek_before(&reader, newest + 1))
	{
		camera->blind = true;
		return;
	}
	idle->replaying = true;
	idle->wait_until_us = clock_monotonic_us() + REPLAY_WAIT_US;
	while (reached < newest && !camera->stop && ring_reader_next(&reader, &idle->packet) == 1)
	{
		reached = idle->packet.number;
		if (idle->packet.kind == PACKET_VIDEO && reached <= newest)
		{
			camera->arrived_us = idle->packet.at_us;
			camera_decode(camera, idle->packet.packet);
		}
	}
	ring_packet_clear(&idle->packet);
	idle->replaying = false;
	/* A group too large for the ring: go on at the next keyframe. */
	if (reached < newest)
		camera->blind = true;
}

static void
wake(Camera *camera, const AVPacket *packet)
{
	char text[CLOCK_TEXT];

	clock_format(time_of(camera, packet), text);
	log_debug("every frame is decoded again, at %s: %s", text,
			  camera->idle.gate.alarmed ? "something is in a keyframe" : "no alarm");
	replay(camera);
}

/* Is there anything in a keyframe?  By the watch, and by motion as the camera is set. */
static GateSight
see(Camera *camera, int64_t at_us)
{
	CameraIdle *idle = &camera->idle;
	KeyframeScene scene = idle->settle ? KEYFRAME_SETTLED : KEYFRAME_UNKNOWN;
	MotionResult motion;
	bool alarm;

	if (keyframe_watch_look(idle->watch, camera->frame, scene, &alarm) < 0 ||
		motion_update(idle->motion, camera->frame, at_us, &motion) < 0)
		return GATE_UNREADABLE;
	idle->settle = false;
	/* The past that is decoded next has been seen with it. */
	idle->fed_us = at_us;
	/* A background that is to be learnt anew is another scene, or another light. */
	idle->moved = idle->gate.at_us >= idle->distrust_us &&
				  (motion.nclusters > 0 || (motion.calibrating && idle->calibrated));
	idle->calibrated = !motion.calibrating;
	return alarm || idle->moved ? GATE_SOMETHING : GATE_NOTHING;
}

/* Look at a keyframe; if there is nothing in it, it is a frame like any other. */
static GateStep
look(Camera *camera, const AVPacket *packet)
{
	CameraIdle *idle = &camera->idle;
	GateSight sight = GATE_UNREADABLE;
	int64_t at_us = time_of(camera, packet);
	int64_t pts_us;

	camera_keep_pace(camera, at_us);
	if (decoder_decode_alone(camera->decoder, packet, camera->frame, &pts_us))
	{
		sight = see(camera, at_us);
		if (sight == GATE_NOTHING)
		{
			camera_take_frame(camera, pts_us);
			idle->key = packet_ring_newest(idle->ring);
		}
		else
			camera->counters.frames++;
		av_frame_unref(camera->frame);
	}
	return idle_gate_looked(&idle->gate, sight);
}

/* Neither decode a packet nor look at it. */
static void
pass(Camera *camera, const AVPacket *packet)
{
	int64_t offset_us = camera->timeline.offset_us;
	int64_t at_us = time_of(camera, packet);
	int64_t jump_us = camera->timeline.offset_us - offset_us;

	/* A file that goes on with other timestamps: what came before is over. */
	if (camera->file && (jump_us > JUMP_US || jump_us < -JUMP_US))
	{
		idle_gate_restart(&camera->idle.gate);
		camera->idle.key = 0;
		camera->blind = true;
	}
	camera_keep_pace(camera, at_us);
	camera_pass_packet(camera, at_us);
}

/* What woke the camera last was something, or nothing: remember that. */
static void
judge_alarm(CameraIdle *idle)
{
	if (!idle->gate.alarmed)
		return;
	keyframe_watch_confirm(idle->watch, idle->gate.confirmed);
	if (!idle->gate.confirmed && idle->moved)
		idle->distrust_us = idle->gate.at_us + DISTRUST_US;
}

/* All is decoded: need it still be? */
static void
try_to_rest(Camera *camera, bool viewed)
{
	CameraIdle *idle = &camera->idle;

	if (idle->watch == NULL || camera->blind || camera->fresh_session || idle->key == 0 ||
		!idle_gate_rest(&idle->gate, keyframe_watch_ready(idle->watch) && idle->calibrated, viewed))
		return;
	judge_alarm(idle);
	idle->settle = true;
	/* What the decoder still holds. */
	camera_decode(camera, NULL);
	decoder_flush(camera->decoder);
}

/* Put a packet into a ring of our own; the recorder has put it into its. */
static void
keep(Camera *camera, const AVPacket *packet, int64_t stamp_us)
{
	int64_t at_us = camera->file ? stamp_us : camera->arrived_us;

	if (camera->idle.own_ring &&
		packet_ring_push(camera->idle.ring, PACKET_VIDEO, packet, at_us) < 0)
		log_warning("a packet is not kept: out of memory");
}

/* Tell what has changed in how the stream is decoded. */
static void
tell(Camera *camera)
{
	CameraIdle *idle = &camera->idle;
	const IdleGate *gate = &idle->gate;
	char note[CAMERA_DECODING_NOTE];

	camera->counters.wakes = gate->wakes;
	camera->counters.watching_us = gate->watching_us;
	camera->counters.decoding_us = gate->decoding_us;
	if (gate->watching == idle->told_watching && gate->problem == idle->told_problem &&
		gate->interval_us == idle->told_interval_us)
		return;
	idle->told_watching = gate->watching;
	idle->told_problem = gate->problem;
	idle->told_interval_us = gate->interval_us;
	camera_stats_decoding(&camera->stats, gate->watching, idle_gate_note(gate, note, sizeof(note)),
						  gate->interval_us);
}

void
camera_idle_packet(Camera *camera, const AVPacket *packet)
{
	CameraIdle *idle = &camera->idle;
	bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
	bool viewed = live_is_watched(camera->live) || analysis_active(camera->analysis);
	int64_t stamp_us = stamp_of(camera, packet);
	GateStep step;

	keep(camera, packet, stamp_us);
	step = idle_gate_packet(&idle->gate, key, stamp_us, viewed);
	if (step == GATE_LOOK)
		step = look(camera, packet);
	if (step == GATE_PASS)
		pass(camera, packet);
	else if (step == GATE_WAKE)
		wake(camera, packet);
	else
		camera_decode(camera, packet);
	if (!idle->gate.watching && idle->watch != NULL)
	{
		if (key)
			idle->key = packet_ring_newest(idle->ring);
		if (idle->gate.wanted)
			try_to_rest(camera, viewed);
		else
			release(camera);
	}
	tell(camera);
}

static bool
is_key_frame(const AVFrame *frame)
{
#ifdef AV_FRAME_FLAG_KEY
	return (frame->flags & AV_FRAME_FLAG_KEY) != 0;
#else
	return frame->key_frame != 0;
#endif
}

void
camera_idle_frame(Camera *camera, const AVFrame *frame, int64_t at_us)
{
	CameraIdle *idle = &camera->idle;
	bool active = analysis_active(camera->analysis);
	MotionResult motion;
	bool alarm;

	if (idle->watch == NULL || idle->gate.watching)
		return;
	idle_gate_saw(&idle->gate, active);
	if (!is_key_frame(frame) || (idle->fed_us != INT64_MIN && at_us - idle->fed_us < FEED_US))
		return;
	idle->fed_us = at_us;
	keyframe_watch_look(idle->watch, frame, active ? KEYFRAME_BUSY : KEYFRAME_CALM, &alarm);
	if (motion_update(idle->motion, frame, at_us, &motion) == 0)
		idle->calibrated = !motion.calibrating;
}

void
camera_idle_end(Camera *camera)
{
	CameraIdle *idle = &camera->idle;

	if (idle->gate.watching)
	{
		idle_gate_restart(&idle->gate);
		replay(camera);
	}
	camera_decode(camera, NULL);
}
