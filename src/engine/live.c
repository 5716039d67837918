/*
 * live.c
 *		The newest picture of each camera, for who wants to look at it now.
 */
#include "live.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "thread.h"

/* For so long after a look the next one finds a picture at once. */
#define WATCH_US (3 * CLOCK_SECOND)

/* An older picture is not what a person calls live. */
#define STALE_US (5 * CLOCK_SECOND)

/* Objects of a frame this much older say nothing about the newest. */
#define SEARCHED_US CLOCK_SECOND

/* What a stream that is lost, or starting, may take to come. */
#define RETURN_US (2 * CLOCK_SECOND)

/* How often a look that waits sees whether it was cancelled. */
#define CANCEL_US (CLOCK_SECOND / 10)

struct Live
{
	atomic_int references;
	int camera_id;
	LiveBoard *board;
	char camera[CAPTION_NAME];
	TAILQ_ENTRY(Live) link;
	atomic_llong watched_until_us; /* monotonic */

	pthread_mutex_t lock;
	pthread_cond_t shown;
	EventStream *events; /* NULL: the camera has gone */
	atomic_bool streams; /* false until the first frame, and when it is lost */
	AVFrame *frame;		 /* NULL: none */
	uint64_t number;	 /* of the frame */
	int64_t at_us;
	int64_t shown_us;		/* monotonic */
	int64_t searched_at_us; /* of the frame in which the objects were found */
	bool still;				/* they are the same in any frame */
	int nobjects;
	LiveObject objects[LIVE_MAX_OBJECTS];
};

struct LiveBoard
{
	pthread_mutex_t lock;
	TAILQ_HEAD(, Live) cameras;
};

LiveBoard *
live_board_create(void)
{
	LiveBoard *board = calloc(1, sizeof(*board));

	if (board == NULL)
		return NULL;
	pthread_mutex_init(&board->lock, NULL);
	TAILQ_INIT(&board->cameras);
	return board;
}

void
live_board_free(LiveBoard *board)
{
	if (board == NULL)
		return;
	pthread_mutex_destroy(&board->lock);
	free(board);
}

Live *
live_join(LiveBoard *board, int camera_id)
{
	Live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return NULL;
	live->references = 1;
	live->camera_id = camera_id;
	caption_camera(NULL, camera_id, live->camera);
	live->board = board;
	pthread_mutex_init(&live->lock, NULL);
	thread_cond_init(&live->shown);
	pthread_mutex_lock(&board->lock);
	TAILQ_INSERT_TAIL(&board->cameras, live, link);
	pthread_mutex_unlock(&board->lock);
	return live;
}

void
live_unref(Live *live)
{
	if (live == NULL || --live->references > 0)
		return;
	av_frame_free(&live->frame);
	pthread_cond_destroy(&live->shown);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

void
live_leave(Live *live)
{
	if (live == NULL)
		return;
	pthread_mutex_lock(&live->board->lock);
	TAILQ_REMOVE(&live->board->cameras, live, link);
	pthread_mutex_unlock(&live->board->lock);
	live_set_events(live, NULL);
	live_clear(live);
	live_unref(live);
}

Live *
live_find(LiveBoard *board, int camera_id)
{
	Live *live;

	pthread_mutex_lock(&board->lock);
	TAILQ_FOREACH(live, &board->cameras, link)
	{
		if (live->camera_id == camera_id)
		{
			live->references++;
			break;
		}
	}
	pthread_mutex_unlock(&board->lock);
	return live;
}

void
live_set_name(Live *live, const char *name)
{
	pthread_mutex_lock(&live->lock);
	caption_camera(name, live->camera_id, live->camera);
	pthread_mutex_unlock(&live->lock);
}

void
live_set_events(Live *live, EventStream *events)
{
	pthread_mutex_lock(&live->lock);
	live->events = events;
	pthread_mutex_unlock(&live->lock);
}

void
live_tell_snapshot(Live *live, const Snapshot *snapshot, const SnapshotFile *file)
{
	pthread_mutex_lock(&live->lock);
	if (live->events != NULL)
		event_snapshot(live->events, snapshot, file);
	pthread_mutex_unlock(&live->lock);
}

bool
live_is_watched(const Live *live)
{
	return live->watched_until_us != 0;
}

/* Nobody has looked for a while: let the frames go. */
static bool
stop_if_unwatched(Live *live, int64_t now)
{
	if (now < live->watched_until_us)
		return false;
	live->watched_until_us = 0;
	pthread_mutex_lock(&live->lock);
	av_frame_free(&live->frame);
	pthread_mutex_unlock(&live->lock);
	return true;
}

void
live_show_frame(Live *live, const AVFrame *frame, int64_t at_us)
{
	int64_t now;
	AVFrame *reference;

	live->streams = true;
	if (!live_is_watched(live))
		return;
	now = clock_monotonic_us();
	if (stop_if_unwatched(live, now))
		return;
	reference = av_frame_clone(frame);
	if (reference == NULL)
		return;
	pthread_mutex_lock(&live->lock);
	av_frame_free(&live->frame);
	live->frame = reference;
	live->number++;
	live->at_us = at_us;
	live->shown_us = now;
	pthread_cond_broadcast(&live->shown);
	pthread_mutex_unlock(&live->lock);
}

void
live_show_objects(Live *live, const LiveObject *objects, int nobjects, bool still, int64_t at_us)
{
	pthread_mutex_lock(&live->lock);
	live->searched_at_us = at_us;
	live->still = still;
	memcpy(live->objects, objects, nobjects * sizeof(*objects));
	live->nobjects = nobjects;
	pthread_mutex_unlock(&live->lock);
}

void
live_clear(Live *live)
{
	pthread_mutex_lock(&live->lock);
	live->streams = false;
	av_frame_free(&live->frame);
	live->nobjects = 0;
	pthread_mutex_unlock(&live->lock);
}

/* With the lock held: is there a picture that may be called live? */
static bool
has_picture(const Live *live, int64_t now)
{
	return live->frame != NULL && now - live->shown_us < STALE_US;
}

/* Where an object that goes on as it went is after so many seconds. */
static Box
move_box(const LiveObject *object, float seconds)
{
	Box box = {object->box.x + object->speed.x * seconds, object->box.y + object->speed.y * seconds,
			   object->box.w + object->speed.w * seconds,
			   object->box.h + object->speed.h * seconds};

	box = box_clip(&box);
	return box_area(&box) > 0 ? box : object->box;
}

/* With the lock held: the newest picture, and what is known of it. */
static LiveResult
take_picture(const Live *live, LivePicture *picture)
{
	int64_t since_us = live->at_us - live->searched_at_us;
	bool known = live->still || since_us < SEARCHED_US;

	picture->frame = av_frame_clone(live->frame);
	picture->at_us = live->at_us;
	picture->number = live->number;
	memcpy(picture->camera, live->camera, sizeof(picture->camera));
	/* Those of an old frame have gone on. */
	picture->nobjects = known ? live->nobjects : 0;
	memcpy(picture->objects, live->objects, picture->nobjects * sizeof(LiveObject));
	for (int i = 0; !live->still && i < picture->nobjects; i++)
		picture->objects[i].box = move_box(&picture->objects[i], (float) since_us / CLOCK_SECOND);
	return picture->frame != NULL ? LIVE_OK : LIVE_NO_MEMORY;
}

LiveResult
live_look(Live *live, int64_t deadline_us, const atomic_bool *cancelled, LivePicture *picture)
{
	LiveResult result = LIVE_CANCELLED;
	int64_t begin_us = clock_monotonic_us();
	int64_t now;

	pthread_mutex_lock(&live->lock);
	while (!*cancelled)
	{
		now = clock_monotonic_us();
		if (!live->streams && deadline_us > begin_us + RETURN_US)
			deadline_us = begin_us + RETURN_US;
		live->watched_until_us = now + WATCH_US;
		result = has_picture(live, now) ? take_picture(live, picture) : LIVE_NOTHING;
		if (result != LIVE_NOTHING || now >= deadline_us)
			break;
		result = LIVE_CANCELLED;
		thread_cond_wait_until(&live->shown, &live->lock,
							   now + CANCEL_US < deadline_us ? now + CANCEL_US : deadline_us);
	}
	pthread_mutex_unlock(&live->lock);
	return result;
}

LiveResult
live_next(Live *live, uint64_t after, int64_t deadline_us, const atomic_bool *cancelled,
		  LivePicture *picture)
{
	LiveResult result = LIVE_NOTHING;
	int64_t now = clock_monotonic_us();

	pthread_mutex_lock(&live->lock);
	live->watched_until_us = now + WATCH_US;
	while (!*cancelled && now < deadline_us && (live->frame == NULL || live->number == after))
	{
		thread_cond_wait_until(&live->shown, &live->lock,
							   now + CANCEL_US < deadline_us ? now + CANCEL_US : deadline_us);
		now = clock_monotonic_us();
		live->watched_until_us = now + WATCH_US;
	}
	if (*cancelled)
		result = LIVE_CANCELLED;
	else if (live->frame != NULL && live->number != after)
		result = take_picture(live, picture);
	pthread_mutex_unlock(&live->lock);
	return result;
}

uint64_t
live_newest(Live *live)
{
	uint64_t number;

	pthread_mutex_lock(&live->lock);
	number = live->number;
	pthread_mutex_unlock(&live->lock);
	return number;
}
