/*
 * camera.c
 *		A running camera: a thread that opens its stream, decodes it, has it
 *		analysed, and reconnects for ever.
 */
#include "camera.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "analysis.h"
#include "backoff.h"
#include "camera_stats.h"
#include "clock.h"
#include "counters.h"
#include "decode.h"
#include "log.h"
#include "main_stream.h"
#include "picture.h"
#include "sampler.h"
#include "source.h"
#include "thread.h"
#include "timeline.h"

/* A stream this long without a break was good: the next retry comes soon. */
#define GOOD_STREAM_US (30 * CLOCK_SECOND)

/* An error is tried again this much later, though it will hardly mend itself. */
#define ERROR_RETRY_US (60 * CLOCK_SECOND)

/* A file played in real time that is this late takes up from where it is. */
#define LATE_US CLOCK_SECOND

#define REASON 384

struct Camera
{
	CameraWorld *world;
	int id;
	bool file;
	bool unpaced;
	EventStream *events;
	Analysis *analysis;
	Live *live;
	Recording *recording; /* NULL: nothing is ever recorded */
	Counters counters;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool announce;
	atomic_bool done;
	_Atomic CameraState state;
	atomic_int reconnects;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	CameraPlan *wanted;	   /* the newest plan */
	atomic_bool replanned; /* wanted has changed */

	/* Whoever reports: the thread of an unpaced file, else the control thread. */
	CameraStats stats;

	/* The camera's thread only. */
	CameraPlan *plan;
	char message[REASON]; /* that went with the state */
	Backoff backoff;
	Timeline timeline;
	Sampler sampler;
	Source *source;
	Decoder *decoder;
	MainStream *main_stream; /* what is recorded, when it is not what is analysed */
	bool blind;				 /* packets have not been decoded: nobody wanted pictures */
	AVPacket *packet;
	AVFrame *frame;
	bool fresh_session;		  /* no frame yet */
	int64_t start_us;		  /* of a file */
	int64_t last_frame_us;	  /* monotonic; of the opening until there is one */
	int64_t running_since_us; /* monotonic */
	int64_t pace_us;		  /* monotonic clock minus stream time, 0: not set */
	int64_t stats_us;		  /* stream time of an unpaced file's last stats */
};

/* Until then, or until there is a stop or a new plan to follow. */
static void
pause_until(Camera *camera, int64_t deadline_us)
{
	pthread_mutex_lock(&camera->lock);
	while (!camera->stop && !camera->replanned)
		if (thread_cond_wait_until(&camera->wake, &camera->lock, deadline_us) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&camera->lock);
}

/* Stream time: of the last frame of a file, else the server's clock. */
static int64_t
stream_now(const Camera *camera)
{
	if (!camera->file)
		return clock_wall_us();
	return camera->timeline.started ? camera->timeline.last_us : camera->start_us;
}

static void
tell_control(Camera *camera)
{
	eventfd_write(camera->world->news_fd, 1);
}

/* Tell the state if it, or the reason for it, has changed. */
static void
set_state(Camera *camera, CameraState state, const char *message)
{
	if (state == camera->state && strcmp(message, camera->message) == 0)
		return;
	camera->state = state;
	snprintf(camera->message, sizeof(camera->message), "%s", message);
	event_state(camera->events, stream_now(camera), state, camera->message);
	if (state == CAMERA_ERROR || state == CAMERA_RECONNECTING)
		tell_control(camera);
}

static void
report(Camera *camera, int64_t at_us)
{
	camera_stats_tell(&camera->stats, &camera->counters, camera->reconnects, camera->events, at_us);
}

void
camera_report_stats(Camera *camera)
{
	if (!camera->unpaced && !camera->done)
		report(camera, clock_wall_us());
}

/* Every timer of an unpaced file runs on stream time, this one too. */
static void
report_unpaced(Camera *camera, int64_t at_us)
{
	if (!camera->unpaced || at_us - camera->stats_us < CAMERA_STATS_US)
		return;
	camera->stats_us = at_us;
	report(camera, at_us);
}

static void
reset_counters(Counters *counters)
{
	counters->packets = 0;
	counters->frames = 0;
	counters->analysed = 0;
	counters->skipped = 0;
	counters->inferences = 0;
	counters->inference_us = 0;
}

/* Have recorded what the plan says. */
static void
follow_recording(Camera *camera)
{
	CameraConfig *config = camera->plan->config;

	if (camera->recording == NULL)
		return;
	recording_configure(camera->recording, &config->record, stream_now(camera));
	if (config->recorded == NULL || !recording_wanted(camera->recording))
		return;
	if (camera->main_stream != NULL && main_stream_done(camera->main_stream))
	{
		main_stream_stop(camera->main_stream);
		camera->main_stream = NULL;
	}
	if (camera->main_stream == NULL)
		camera->main_stream =
			main_stream_start(config->recorded, camera->world->source_paths,
							  &camera->world->stall_timeout_us, camera->recording);
}

/* Is the stream that is read here the one that is recorded? */
static bool
records_itself(const Camera *camera)
{
	return camera->recording != NULL && camera->plan->config->recorded == NULL;
}

static void
end_recording(Camera *camera)
{
	main_stream_stop(camera->main_stream);
	camera->main_stream = NULL;
	recording_end(camera->world->recordings, camera->recording);
	camera->recording = NULL;
}

/* The scene is cut: no more motion. */
static void
cut(Camera *camera, bool renumber)
{
	analysis_cut(camera->analysis, stream_now(camera), renumber);
	if (camera->recording != NULL)
		recording_motion(camera->recording, false, stream_now(camera));
}

/* Does anybody look for something in the pictures? */
static bool
looks(const Camera *camera)
{
	return camera->plan->config->detect ||
		   (camera->recording != NULL && camera->plan->config->record.mode == RECORD_MODE_MOTION);
}

/* Take over a plan that the control thread has left. */
static void
replan(Camera *camera)
{
	CameraPlan *plan;
	bool detected = camera->plan->config->detect;
	bool looked = looks(camera);

	pthread_mutex_lock(&camera->lock);
	plan = camera_plan_ref(camera->wanted);
	camera->replanned = false;
	pthread_mutex_unlock(&camera->lock);

	if (plan->config->detect_fps != camera->plan->config->detect_fps)
		sampler_set_fps(&camera->sampler, plan->config->detect_fps);
	analysis_configure(camera->analysis, plan, stream_now(camera));
	camera_plan_unref(camera->plan);
	camera->plan = plan;
	/* What nobody looks for any more is over. */
	if ((detected && !plan->config->detect) || (looked && !looks(camera)))
		cut(camera, false);
	follow_recording(camera);
}

/* A file in real time: wait for the moment its frame is due. */
static void
keep_pace(Camera *camera, int64_t at_us)
{
	int64_t now = clock_monotonic_us();

	if (!camera->file || camera->unpaced)
		return;
	if (camera->pace_us == 0 || now - (camera->pace_us + at_us) > LATE_US)
		camera->pace_us = now - at_us;
	if (camera->pace_us + at_us > now)
		pause_until(camera, camera->pace_us + at_us);
}

static void
take_frame(Camera *camera, int64_t pts_us)
{
	AVFrame *frame = camera->frame;
	char notice[ANALYSIS_NOTICE];
	int64_t at_us;
	int64_t decoded_us;

	if (!source_has_timestamps(camera->source))
		pts_us = TIMELINE_NO_PTS;
	at_us = timeline_at(&camera->timeline, pts_us, decoder_duration_us(camera->decoder),
						clock_wall_us());
	keep_pace(camera, at_us);
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
	set_state(camera, CAMERA_RUNNING, camera->plan->config->detect ? notice : "");
	if (looks(camera) && sampler_take(&camera->sampler, at_us))
	{
		analysis_frame(camera->analysis, frame, at_us, decoded_us);
		if (camera->recording != NULL)
			recording_motion(camera->recording, analysis_moving(camera->analysis), at_us);
	}
	report_unpaced(camera, at_us);
}

/* Decode one packet (NULL: the end) and take what comes out. */
static void
decode(Camera *camera, const AVPacket *packet)
{
	int64_t pts_us;

	decoder_send(camera->decoder, packet);
	while (!camera->stop && decoder_receive(camera->decoder, camera->frame, &pts_us))
	{
		take_frame(camera, pts_us);
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
	bool wanted =
		looks(camera) || camera->file || camera->fresh_session || live_is_watched(camera->live);

	if (wanted && !camera->blind)
		return true;
	if (wanted && (packet->flags & AV_PKT_FLAG_KEY) != 0)
	{
		decoder_flush(camera->decoder);
		camera->blind = false;
		return true;
	}
	camera->blind = true;
	camera->last_frame_us = clock_monotonic_us();
	camera->counters.last_frame_us = clock_wall_us();
	return false;
}

/* Record a packet, decode it, or both. */
static void
take_packet(Camera *camera, AVPacket *packet)
{
	if (records_itself(camera))
		recording_packet(camera->recording, camera->source, packet);
	if (source_packet_kind(camera->source, packet) != PACKET_VIDEO)
		return;
	camera->counters.packets++;
	if (wants_pictures(camera, packet))
		decode(camera, packet);
}

static int64_t
stall_deadline(const Camera *camera)
{
	return camera->last_frame_us + camera->world->stall_timeout_us;
}

/* Read and decode until the stream ends, stalls or is stopped. */
static SourceResult
read_stream(Camera *camera, char reason[REASON])
{
	SourceResult result;

	for (;;)
	{
		if (camera->replanned)
			replan(camera);
		result =
			source_read(camera->source, camera->packet, stall_deadline(camera), reason, REASON);
		if (result != SOURCE_OK)
			break;
		take_packet(camera, camera->packet);
		av_packet_unref(camera->packet);
		if (source_live(camera->source) && clock_monotonic_us() >= stall_deadline(camera))
		{
			result = SOURCE_LOST;
			break;
		}
		if (timeline_is_ahead(&camera->timeline, clock_wall_us()))
		{
			snprintf(reason, REASON, "the clock was set back");
			return SOURCE_LOST;
		}
	}
	if (result == SOURCE_LOST && clock_monotonic_us() >= stall_deadline(camera))
		snprintf(reason, REASON, "no picture for %g s",
				 (double) camera->world->stall_timeout_us / CLOCK_SECOND);
	if (result == SOURCE_END)
		decode(camera, NULL);
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
	reset_counters(&camera->counters);
}

/* Returns false when out of memory. */
static bool
connect_recording(Camera *camera)
{
	Timeline frames = camera->timeline;

	if (!records_itself(camera))
		return true;
	timeline_restart(&frames);
	return recording_connect(camera->recording, camera->source,
							 source_live(camera->source) ? NULL : &frames) == 0;
}

static SourceResult
open_stream(Camera *camera, char reason[REASON])
{
	SourceResult result;

	if (camera->plan->config->problem != NULL)
	{
		snprintf(reason, REASON, "%s", camera->plan->config->problem);
		return SOURCE_WRONG;
	}
	result = source_open(&camera->source, camera->plan->config, camera->world->source_paths,
						 camera->world->stall_timeout_us, &camera->stop, reason, REASON);
	if (result != SOURCE_OK)
		return result;
	camera->blind = false;
	camera->decoder = decoder_open(source_video(camera->source), reason, REASON);
	if (camera->decoder != NULL && connect_recording(camera))
		return SOURCE_OK;
	if (camera->decoder != NULL)
		snprintf(reason, REASON, "out of memory");
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
play_file(Camera *camera, char reason[REASON])
{
	SourceResult result;

	for (;;)
	{
		uint64_t frames = camera->counters.frames;

		result = read_stream(camera, reason);
		if (result == SOURCE_END && camera->counters.frames == frames)
		{
			snprintf(reason, REASON, "there is no picture in the file");
			result = SOURCE_WRONG;
		}
		if (result != SOURCE_END || !camera->plan->config->loop)
			return result;
		cut(camera, false);
		close_stream(camera);
		if ((result = open_stream(camera, reason)) != SOURCE_OK)
			return result;
		timeline_restart(&camera->timeline);
	}
}

/* One attempt: open the stream and stay with it as long as it lasts. */
static SourceResult
play(Camera *camera, char reason[REASON])
{
	SourceResult result = open_stream(camera, reason);

	if (result != SOURCE_OK)
		return result;
	begin_stream(camera);
	result = source_live(camera->source) ? read_stream(camera, reason) : play_file(camera, reason);
	if (!camera->fresh_session)
	{
		cut(camera, true);
		if (camera->last_frame_us - camera->running_since_us >= GOOD_STREAM_US)
			backoff_reset(&camera->backoff);
	}
	close_stream(camera);
	return result;
}

static void
finish_file(Camera *camera)
{
	if (camera->unpaced)
		report(camera, stream_now(camera));
	end_recording(camera);
	set_state(camera, CAMERA_FINISHED, "");
}

/* Meanwhile plans are followed: what is recorded may come from another stream. */
static void
wait_to_retry(Camera *camera, int64_t deadline_us)
{
	while (!camera->stop && clock_monotonic_us() < deadline_us)
	{
		if (camera->replanned)
			replan(camera);
		pause_until(camera, deadline_us);
	}
}

static void *
run_camera(void *arg)
{
	Camera *camera = arg;
	char reason[REASON];

	thread_serve_camera(camera->id);
	/* Here, as it may wait for room in the queue: the control thread never does. */
	event_state(camera->events, stream_now(camera), CAMERA_STARTING, "");
	follow_recording(camera);
	while (!camera->stop)
	{
		SourceResult result;

		if (camera->replanned)
			replan(camera);
		reason[0] = '\0';
		result = play(camera, reason);
		if (result == SOURCE_END)
		{
			finish_file(camera);
			break;
		}
		if (result == SOURCE_STOPPED || camera->stop)
			break;
		set_state(camera, result == SOURCE_WRONG ? CAMERA_ERROR : CAMERA_RECONNECTING, reason);
		wait_to_retry(camera, clock_monotonic_us() + (result == SOURCE_WRONG
														  ? ERROR_RETRY_US
														  : backoff_next(&camera->backoff)));
	}
	end_recording(camera);
	if (camera->stop && camera->announce && camera->state != CAMERA_FINISHED)
		set_state(camera, CAMERA_STOPPED, "");
	camera->done = true;
	tell_control(camera);
	return NULL;
}

/* Everything that can be made; camera_free takes back what there is. */
static bool
make_parts(Camera *camera)
{
	pthread_mutex_init(&camera->lock, NULL);
	thread_cond_init(&camera->wake);
	camera->packet = av_packet_alloc();
	camera->frame = av_frame_alloc();
	camera->events =
		event_stream_create(camera->world->queue, camera->id, camera->unpaced, &camera->stop);
	if (camera->packet == NULL || camera->frame == NULL || camera->events == NULL)
		return false;
	/* A file played as fast as possible outruns any disk. */
	if (camera->world->recordings != NULL && !camera->unpaced)
	{
		camera->recording = recording_begin(camera->world->recordings, camera->id, camera->events);
		if (camera->recording == NULL)
			return false;
	}
	camera->live = live_join(camera->world->live, camera->id);
	if (camera->live == NULL)
		return false;
	live_set_events(camera->live, camera->events);
	camera->analysis =
		analysis_create(camera->id, camera->plan, camera->events, camera->world->pool,
						camera->world->snapshots, camera->live, &camera->counters);
	return camera->analysis != NULL;
}

static void
free_parts(Camera *camera)
{
	analysis_free(camera->analysis);
	end_recording(camera);
	live_leave(camera->live);
	event_stream_free(camera->events);
	av_frame_free(&camera->frame);
	av_packet_free(&camera->packet);
	camera_plan_unref(camera->wanted);
	camera_plan_unref(camera->plan);
	pthread_cond_destroy(&camera->wake);
	pthread_mutex_destroy(&camera->lock);
	camera_stats_destroy(&camera->stats);
	free(camera);
}

Camera *
camera_start(CameraWorld *world, CameraPlan *plan)
{
	const CameraConfig *config = plan->config;
	Camera *camera = calloc(1, sizeof(*camera));
	char name[16];
	char reason[128];
	UrlKind kind;

	if (camera == NULL)
	{
		log_error("camera %d cannot start: out of memory", config->camera_id);
		return NULL;
	}
	camera->world = world;
	camera->id = config->camera_id;
	camera->file = config->url != NULL &&
				   url_classify(config->url, &kind, reason, sizeof(reason)) && kind == URL_FILE;
	camera->unpaced = camera_plan_unpaced(plan);
	camera->plan = camera_plan_ref(plan);
	camera->wanted = camera_plan_ref(plan);
	camera->state = CAMERA_STARTING;
	camera->fresh_session = true;
	camera_stats_init(&camera->stats);
	camera->start_us = config->has_file_start ? config->file_start_us : clock_wall_us();
	backoff_init(&camera->backoff, (unsigned) (clock_monotonic_us() ^ config->camera_id));
	sampler_init(&camera->sampler, config->detect_fps);
	if (camera->file)
		timeline_file(&camera->timeline, camera->start_us);
	else
		timeline_live(&camera->timeline);
	snprintf(name, sizeof(name), "camera %d", camera->id);
	if (!make_parts(camera))
		goto fail;
	if (thread_start(&camera->thread, name, run_camera, camera) != 0)
		goto fail;
	return camera;

fail:
	log_error("camera %d cannot start: out of memory or threads", camera->id);
	free_parts(camera);
	return NULL;
}

int
camera_id(const Camera *camera)
{
	return camera->id;
}

const CameraPlan *
camera_plan(const Camera *camera)
{
	return camera->wanted;
}

void
camera_configure(Camera *camera, CameraPlan *plan)
{
	pthread_mutex_lock(&camera->lock);
	camera_plan_unref(camera->wanted);
	camera->wanted = camera_plan_ref(plan);
	camera->replanned = true;
	pthread_cond_broadcast(&camera->wake);
	pthread_mutex_unlock(&camera->lock);
}

void
camera_stop(Camera *camera, bool announce)
{
	pthread_mutex_lock(&camera->lock);
	camera->announce = announce;
	camera->stop = true;
	pthread_cond_broadcast(&camera->wake);
	pthread_mutex_unlock(&camera->lock);
	event_queue_wake(camera->world->queue);
}

bool
camera_done(const Camera *camera)
{
	return camera->done;
}

CameraState
camera_state(const Camera *camera)
{
	return camera->state;
}

void
camera_free(Camera *camera)
{
	if (camera == NULL)
		return;
	pthread_join(camera->thread, NULL);
	free_parts(camera);
}
