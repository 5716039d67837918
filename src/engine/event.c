/*
 * event.c
 *		Event lines: what docs/protocol.md says the engine tells the worker.
 */
#include "event.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <jansson.h>

#include "clock.h"
#include "protocol.h"
#include "recorder.h"
#include "snapshot.h"

#define SESSION_BYTES 16

/* Objects in one line, so that it stays below CCTV_MAX_EVENT_LINE. */
#define OBJECTS_PER_LINE 64

struct EventStream
{
	EventQueue *queue;
	int camera_id;
	bool keep;
	const atomic_bool *cancel;

	/* Held while a line is numbered and queued, so that seq rises in order. */
	pthread_mutex_t lock;
	char session[SESSION_BYTES * 2 + 1];
	int64_t seq;
	uint64_t dropped_before; /* by the sessions before this one */
};

static const char *const state_names[] = {"starting", "running",  "reconnecting",
										  "error",	  "finished", "stopped"};

EventStream *
event_stream_create(EventQueue *queue, int camera_id, bool keep, const atomic_bool *cancel)
{
	EventStream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->queue = queue;
	stream->camera_id = camera_id;
	stream->keep = keep;
	stream->cancel = cancel;
	pthread_mutex_init(&stream->lock, NULL);
	event_stream_begin(stream);
	return stream;
}

void
event_stream_free(EventStream *stream)
{
	if (stream == NULL)
		return;
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

void
event_stream_begin(EventStream *stream)
{
	unsigned char bytes[SESSION_BYTES];

	/* Never fails for so few bytes once the system has booted. */
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort();
	pthread_mutex_lock(&stream->lock);
	for (int i = 0; i < SESSION_BYTES; i++)
		snprintf(stream->session + i * 2, 3, "%02x", bytes[i]);
	stream->seq = 0;
	stream->dropped_before = event_queue_dropped(stream->queue, stream->camera_id);
	pthread_mutex_unlock(&stream->lock);
}

/* Six significant digits: a tenth of a pixel in any frame. */
static char *
dump_line(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
	size_t length;
	char *line;

	if (text == NULL)
		return NULL;
	length = strlen(text);
	if (length + 2 > CCTV_MAX_EVENT_LINE || (line = realloc(text, length + 2)) == NULL)
	{
		free(text);
		return NULL;
	}
	line[length] = '\n';
	line[length + 1] = '\0';
	return line;
}

/* A new object with its type; NULL when out of memory. */
static json_t *
line_new(const char *type)
{
	json_t *object = json_object();

	if (object != NULL)
		json_object_set_new(object, "type", json_string(type));
	return object;
}

static void
set_time(json_t *object, const char *key, int64_t us)
{
	char text[CLOCK_TEXT];

	clock_format(us, text);
	json_object_set_new(object, key, json_string(text));
}

static json_t *
stream_line_new(const char *type, int camera_id)
{
	json_t *object = line_new(type);

	if (object == NULL)
		return NULL;
	json_object_set_new(object, "camera_id", json_integer(camera_id));
	/* Placeholders keep the order of keys; send() fills them in. */
	json_object_set_new(object, "session", json_null());
	json_object_set_new(object, "seq", json_null());
	return object;
}

/* Number and queue a line about a stream; takes the reference. */
static void
send_line(EventStream *stream, json_t *object, EventWorth worth)
{
	char *line;

	pthread_mutex_lock(&stream->lock);
	json_object_set_new(object, "session", json_string(stream->session));
	json_object_set_new(object, "seq", json_integer(++stream->seq));
	line = dump_line(object);
	if (line == NULL)
		log_error("an event could not be written: out of memory, or too long");
	else if (stream->keep)
		event_queue_push_wait(stream->queue, line, stream->camera_id, stream->cancel);
	else
		event_queue_push(stream->queue, line, stream->camera_id, worth);
	pthread_mutex_unlock(&stream->lock);
	json_decref(object);
}

void
event_state(EventStream *stream, int64_t at_us, CameraState state, const char *message)
{
	json_t *object = stream_line_new(CCTV_EVENT_STATE, stream->camera_id);

	if (object == NULL)
		return;
	set_time(object, "at", at_us);
	json_object_set_new(object, "state", json_string(state_names[state]));
	json_object_set_new(object, "message", json_string(message != NULL ? message : ""));
	send_line(stream, object, EVENT_LASTING);
}

static json_t *
object_json(const EventObject *item)
{
	json_t *object = json_object();

	if (object == NULL)
		return NULL;
	json_object_set_new(object, "track", json_integer(item->track));
	json_object_set_new(object, "label", json_string(item->label));
	json_object_set_new(object, "confidence", json_real(item->confidence));
	json_object_set_new(object, "box",
						json_pack("[f,f,f,f]", item->box.x, item->box.y, item->box.w, item->box.h));
	json_object_set_new(object, "stationary", json_boolean(item->stationary));
	json_object_set_new(object, "model", json_string(item->model));
	json_object_set_new(object, "attributes",
						item->attributes != NULL ? attributes_json(item->attributes)
												 : json_object());
	if (item->first)
	{
		set_time(object, "since", item->since_us);
		if (item->snapshot != NULL)
			json_object_set_new(object, "snapshot", json_string(item->snapshot));
	}
	return object;
}

void
event_objects(EventStream *stream, int64_t at_us, int64_t decoded_us, double inference_ms,
			  const EventObject *objects, int nobjects)
{
	for (int first = 0; first < nobjects; first += OBJECTS_PER_LINE)
	{
		json_t *line = stream_line_new(CCTV_EVENT_OBJECTS, stream->camera_id);
		json_t *array = json_array();

		if (line == NULL || array == NULL)
		{
			json_decref(line);
			json_decref(array);
			return;
		}
		set_time(line, "at", at_us);
		set_time(line, "decoded_at", decoded_us);
		json_object_set_new(line, "inference_ms", json_real(inference_ms));
		for (int i = first; i < nobjects && i < first + OBJECTS_PER_LINE; i++)
			json_array_append_new(array, object_json(&objects[i]));
		json_object_set_new(line, "objects", array);
		send_line(stream, line, EVENT_OBJECTS);
	}
}

void
event_track_end(EventStream *stream, int64_t at_us, int track, int64_t last_seen_us)
{
	json_t *object = stream_line_new(CCTV_EVENT_TRACK_END, stream->camera_id);

	if (object == NULL)
		return;
	set_time(object, "at", at_us);
	json_object_set_new(object, "track", json_integer(track));
	set_time(object, "last_seen", last_seen_us);
	send_line(stream, object, EVENT_LASTING);
}

void
event_motion(EventStream *stream, int64_t at_us, bool active, float area)
{
	json_t *object = stream_line_new(CCTV_EVENT_MOTION, stream->camera_id);

	if (object == NULL)
		return;
	set_time(object, "at", at_us);
	json_object_set_new(object, "active", json_boolean(active));
	json_object_set_new(object, "area", json_real(area));
	send_line(stream, object, EVENT_CHATTER);
}

void
event_snapshot(EventStream *stream, const Snapshot *snapshot, const SnapshotFile *file)
{
	json_t *object = stream_line_new(CCTV_EVENT_SNAPSHOT, stream->camera_id);

	if (object == NULL)
		return;
	set_time(object, "at", snapshot->at_us);
	json_object_set_new(object, "track", json_integer(snapshot->track));
	json_object_set_new(object, "path", json_string(snapshot->path));
	json_object_set_new(object, "bytes", json_integer(file->bytes));
	json_object_set_new(object, "width", json_integer(file->width));
	json_object_set_new(object, "height", json_integer(file->height));
	json_object_set_new(object, "sha256", json_string(file->sha256));
	json_object_set_new(object, "score", json_real(snapshot->score));
	send_line(stream, object, EVENT_LASTING);
}

/* What is known of a recording's file. */
static void
set_file(json_t *object, const RecordingEvent *event)
{
	json_object_set_new(object, "path", json_string(event->path));
	set_time(object, "started_at", event->started_us);
	json_object_set_new(object, "reason", json_string(record_reason_name(event->reason)));
	json_object_set_new(object, "codec", json_string(event->codec));
	json_object_set_new(object, "width", json_integer(event->width));
	json_object_set_new(object, "height", json_integer(event->height));
	json_object_set_new(object, "has_audio", json_boolean(event->has_audio));
	if (event->action == RECORDING_OPENED)
		return;
	set_time(object, "ended_at", event->ended_us);
	json_object_set_new(object, "frames", json_integer(event->frames));
	json_object_set_new(object, "bytes", json_integer(event->bytes));
	json_object_set_new(object, "sha256", json_string(event->sha256));
}

void
event_recording(EventStream *stream, int64_t at_us, const RecordingEvent *event)
{
	static const char *const actions[] = {"opened", "closed", "failed", "found"};
	json_t *object = stream_line_new(CCTV_EVENT_RECORDING, stream->camera_id);

	if (object == NULL)
		return;
	set_time(object, "at", at_us);
	json_object_set_new(object, "action", json_string(actions[event->action]));
	if (event->action == RECORDING_FAILED)
		json_object_set_new(object, "message", json_string(event->message));
	else
		set_file(object, event);
	send_line(stream, object, EVENT_LASTING);
}

static json_t *
publish_json(const EventPublish *publish)
{
	static const char *const names[] = {"off", "waiting", "connecting", "publishing", "failed"};
	json_t *object = json_object();

	json_object_set_new(object, "state", json_string(names[publish->state]));
	json_object_set_new(object, "message", json_string(publish->message));
	json_object_set_new(object, "fps", json_real(publish->fps));
	json_object_set_new(object, "dropped", json_integer((json_int_t) publish->dropped));
	json_object_set_new(object, "reconnects", json_integer(publish->reconnects));
	return object;
}

/* How the stream is decoded. */
static void
set_decoding(json_t *object, const EventStats *stats)
{
	json_object_set_new(object, "received", json_integer(stats->packets));
	json_object_set_new(object, "decoding", json_string(stats->watching ? "keyframes" : "full"));
	json_object_set_new(object, "decoding_note", json_string(stats->decoding_note));
	json_object_set_new(object, "keyframes_s", json_real((double) stats->watching_us / 1e6));
	json_object_set_new(object, "full_s", json_real((double) stats->decoding_us / 1e6));
	json_object_set_new(object, "wakes", json_integer(stats->wakes));
	if (stats->key_interval_us > 0)
		json_object_set_new(object, "keyframe_interval",
							json_real((double) stats->key_interval_us / 1e6));
}

void
event_stats(EventStream *stream, int64_t at_us, const EventStats *stats)
{
	json_t *object = stream_line_new(CCTV_EVENT_STATS, stream->camera_id);
	uint64_t dropped;

	if (object == NULL)
		return;
	pthread_mutex_lock(&stream->lock);
	dropped = event_queue_dropped(stream->queue, stream->camera_id) - stream->dropped_before;
	pthread_mutex_unlock(&stream->lock);
	set_time(object, "at", at_us);
	if (stats->last_frame_us != 0)
		set_time(object, "last_frame_at", stats->last_frame_us);
	json_object_set_new(object, "fps_in", json_real(stats->fps_in));
	json_object_set_new(object, "fps_decoded", json_real(stats->fps_decoded));
	json_object_set_new(object, "fps_analysed", json_real(stats->fps_analysed));
	if (stats->inference_ms >= 0)
		json_object_set_new(object, "inference_ms", json_real(stats->inference_ms));
	json_object_set_new(object, "frames", json_integer(stats->frames));
	json_object_set_new(object, "analysed", json_integer(stats->analysed));
	json_object_set_new(object, "skipped", json_integer(stats->skipped));
	json_object_set_new(object, "inferences", json_integer(stats->inferences));
	json_object_set_new(object, "dropped_events", json_integer(dropped));
	json_object_set_new(object, "reconnects", json_integer(stats->reconnects));
	json_object_set_new(object, "runtime", json_string(stats->runtime));
	set_decoding(object, stats);
	if (stats->width > 0)
	{
		json_object_set_new(object, "width", json_integer(stats->width));
		json_object_set_new(object, "height", json_integer(stats->height));
		json_object_set_new(object, "codec", json_string(stats->codec));
	}
	if (stats->publish.state != PUBLISH_OFF)
		json_object_set_new(object, "publish", publish_json(&stats->publish));
	send_line(stream, object, EVENT_CHATTER);
}

/* Queue a line about no stream; takes the reference. */
static void
send_plain(EventQueue *queue, json_t *object, int camera_id)
{
	char *line = dump_line(object);

	if (line != NULL)
		event_queue_push(queue, line, camera_id, EVENT_CHATTER);
	json_decref(object);
}

void
event_heartbeat(EventQueue *queue, const char *runtime, int waiting)
{
	json_t *object = line_new(CCTV_EVENT_STATS);

	if (object == NULL)
		return;
	json_object_set_new(object, "runtime", json_string(runtime));
	json_object_set_new(object, "queued", json_integer(event_queue_depth(queue)));
	json_object_set_new(object, "waiting", json_integer(waiting));
	send_plain(queue, object, 0);
}

/* No message of its own may be logged here: this is where messages end up. */
void
event_log(EventQueue *queue, LogLevel level, int camera_id, const char *message)
{
	json_t *object = line_new(CCTV_EVENT_LOG);

	if (object == NULL)
		return;
	if (camera_id != 0)
		json_object_set_new(object, "camera_id", json_integer(camera_id));
	json_object_set_new(object, "level", json_string(log_level_name(level)));
	json_object_set_new(object, "message", json_string(message));
	send_plain(queue, object, camera_id);
}
