/*
 * camera.c
 *		A running camera: a thread that opens its stream, decodes it, has it
 *		analysed, and reconnects for ever.
 */
#include "camera_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "thread.h"

/* An error is tried again this much later, though it will hardly mend itself. */
#define ERROR_RETRY_US (60 * CLOCK_SECOND)

/* Until then, or until there is a stop or a new plan to follow. */
void
camera_pause_until(Camera *camera, int64_t deadline_us)
{
	pthread_mutex_lock(&camera->lock);
	while (!camera->stop && !camera->replanned)
		if (thread_cond_wait_until(&camera->wake, &camera->lock, deadline_us) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&camera->lock);
}

/* Stream time: of the last frame of a file, else the server's clock. */
int64_t
camera_stream_now(const Camera *camera)
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
void
camera_set_state(Camera *camera, CameraState state, const char *message)
{
	if (state == camera->state && strcmp(message, camera->message) == 0)
		return;
	camera->state = state;
	snprintf(camera->message, sizeof(camera->message), "%s", message);
	event_state(camera->events, camera_stream_now(camera), state, camera->message);
	if (state == CAMERA_ERROR || state == CAMERA_RECONNECTING)
		tell_control(camera);
}

void
camera_report(Camera *camera, int64_t at_us)
{
	EventPublish publish = {.state = PUBLISH_OFF};
	char runtime[EVENT_RUNTIME];
	CameraPlan *plan;

	pthread_mutex_lock(&camera->lock);
	plan = camera_plan_ref(camera->wanted);
	pthread_mutex_unlock(&camera->lock);
	camera_plan_runtime(plan, runtime, sizeof(runtime));
	camera_plan_unref(plan);
	if (camera->publisher != NULL)
		publisher_status(camera->publisher, &publish);
	camera_stats_tell(&camera->stats, &camera->counters, camera->reconnects, runtime, &publish,
					  camera->events, at_us);
}

void
camera_report_stats(Camera *camera)
{
	if (!camera->unpaced && !camera->done)
		camera_report(camera, clock_wall_us());
}

/* Have recorded what the plan says. */
static void
follow_recording(Camera *camera)
{
	CameraConfig *config = camera->plan->config;

	if (camera->recording == NULL)
		return;
	recording_configure(camera->recording, &config->record, camera_stream_now(camera));
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
bool
camera_records_itself(const Camera *camera)
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

/* Take over a plan that the control thread has left. */
void
camera_replan(Camera *camera)
{
	CameraPlan *plan;
	CameraPlan *before = camera->plan;
	bool detected = before->config->detect;
	bool looked = camera_looks(camera);

	pthread_mutex_lock(&camera->lock);
	plan = camera_plan_ref(camera->wanted);
	camera->replanned = false;
	pthread_mutex_unlock(&camera->lock);

	if (plan->config->detect_fps != before->config->detect_fps)
		sampler_set_fps(&camera->sampler, plan->config->detect_fps);
	analysis_configure(camera->analysis, plan, camera_stream_now(camera));
	camera->plan = plan;
	live_set_name(camera->live, plan->config->name);
	/* What nobody looks for any more is over. */
	if ((detected && !plan->config->detect) || (looked && !camera_looks(camera)))
		camera_cut(camera, false);
	follow_recording(camera);
	if (camera->publisher != NULL)
		publisher_configure(camera->publisher, plan->config);
	camera_idle_follow(camera);
	/* Masks are compared with those before. */
	camera_plan_unref(before);
}

static void
finish_file(Camera *camera)
{
	if (camera->unpaced)
		camera_report(camera, camera_stream_now(camera));
	end_recording(camera);
	camera_set_state(camera, CAMERA_FINISHED, "");
}

/* Meanwhile plans are followed: what is recorded may come from another stream. */
static void
wait_to_retry(Camera *camera, int64_t deadline_us)
{
	while (!camera->stop && clock_monotonic_us() < deadline_us)
	{
		if (camera->replanned)
			camera_replan(camera);
		camera_pause_until(camera, deadline_us);
	}
}

static int64_t
retry_delay_us(Camera *camera, SourceResult result)
{
	if (result == SOURCE_WRONG && camera->second_chances == 0)
		return ERROR_RETRY_US;
	if (result == SOURCE_WRONG)
		camera->second_chances--;
	return backoff_next(&camera->backoff);
}

static void *
run_camera(void *arg)
{
	Camera *camera = arg;
	char reason[CAMERA_REASON];

	thread_serve_camera(camera->id);
	/* Here, as it may wait for room in the queue: the control thread never does. */
	event_state(camera->events, camera_stream_now(camera), CAMERA_STARTING, "");
	follow_recording(camera);
	if (camera->publisher != NULL)
		publisher_configure(camera->publisher, camera->plan->config);
	camera_idle_follow(camera);
	while (!camera->stop)
	{
		SourceResult result;

		if (camera->replanned)
			camera_replan(camera);
		reason[0] = '\0';
		result = camera_play(camera, reason);
		if (result == SOURCE_END)
		{
			finish_file(camera);
			break;
		}
		if (result == SOURCE_STOPPED || camera->stop)
			break;
		camera_set_state(camera, result == SOURCE_WRONG ? CAMERA_ERROR : CAMERA_RECONNECTING,
						 reason);
		wait_to_retry(camera, clock_monotonic_us() + retry_delay_us(camera, result));
	}
	publisher_stop(camera->publisher);
	end_recording(camera);
	if (camera->stop && camera->announce && camera->state != CAMERA_FINISHED)
		camera_set_state(camera, CAMERA_STOPPED, "");
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
	live_set_name(camera->live, camera->plan->config->name);
	/* A file played as fast as possible outruns any viewer. */
	if (!camera->unpaced)
	{
		camera->publisher =
			publisher_create(camera->id, camera->live, &camera->world->stall_timeout_us);
		if (camera->publisher == NULL)
			return false;
	}
	camera->analysis =
		analysis_create(camera->id, camera->plan, camera->events, camera->world->pool,
						camera->world->snapshots, camera->live, &camera->counters);
	return camera->analysis != NULL;
}

static void
free_parts(Camera *camera)
{
	analysis_free(camera->analysis);
	camera_idle_free(camera);
	end_recording(camera);
	publisher_free(camera->publisher);
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
	camera->seen_at_us = clock_monotonic_us();
	camera->fresh_session = true;
	camera_stats_init(&camera->stats);
	camera_idle_init(camera);
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

/*
 * Processor time counts, not the clock: a thread that waits its turn is well.  Of
 * both the lesser is believed, so that no jump of either looks like work.
 */
bool
camera_hangs(Camera *camera)
{
	int64_t now_us = clock_monotonic_us();
	unsigned beats = camera->beats;
	clockid_t clock;
	struct timespec used;
	int64_t cpu_us;
	int64_t worked_us;

	if (camera->done || pthread_getcpuclockid(camera->thread, &clock) != 0 ||
		clock_gettime(clock, &used) != 0)
		return false;
	cpu_us = used.tv_sec * CLOCK_SECOND + used.tv_nsec / 1000;
	worked_us = cpu_us - camera->seen_cpu_us;
	if (worked_us > now_us - camera->seen_at_us)
		worked_us = now_us - camera->seen_at_us;
	camera->stuck_us = beats == camera->seen_beats ? camera->stuck_us + worked_us : 0;
	camera->seen_beats = beats;
	camera->seen_at_us = now_us;
	camera->seen_cpu_us = cpu_us;
	return camera->stuck_us > CAMERA_HANG_US;
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
