/*
 * snapshot_queue.c
 *		The thread that writes snapshots, so that no disk delays an alert.
 */
#include "snapshot_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "thread.h"

/* Each holds a frame of its camera's decoder. */
#define MAX_WAITING 8

typedef struct Waiting
{
	TAILQ_ENTRY(Waiting) link;
	Snapshot snapshot; /* its frame and label are owned */
	EventStream *events;
} Waiting;

struct SnapshotQueue
{
	char *media_dir;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	TAILQ_HEAD(, Waiting) waiting;
	int nwaiting;
	const EventStream *writing; /* whose snapshot is being written */
	bool stop;
};

void
snapshot_queue_write_now(SnapshotQueue *queue, const Snapshot *snapshot, EventStream *events)
{
	SnapshotFile file;
	char reason[256];

	if (snapshot_write(queue->media_dir, snapshot, &file, reason, sizeof(reason)) != 0)
	{
		log_warning("snapshot lost: %s", reason);
		return;
	}
	event_snapshot(events, snapshot, &file);
}

static void
free_waiting(Waiting *item)
{
	if (item == NULL)
		return;
	av_frame_free((AVFrame **) &item->snapshot.frame);
	free((char *) item->snapshot.label);
	free(item);
}

static void *
write_snapshots(void *arg)
{
	SnapshotQueue *queue = arg;
	Waiting *item;

	pthread_mutex_lock(&queue->lock);
	for (;;)
	{
		while ((item = TAILQ_FIRST(&queue->waiting)) == NULL && !queue->stop)
			pthread_cond_wait(&queue->changed, &queue->lock);
		if (item == NULL)
			break;
		TAILQ_REMOVE(&queue->waiting, item, link);
		queue->nwaiting--;
		queue->writing = item->events;
		pthread_mutex_unlock(&queue->lock);

		thread_serve_camera(item->snapshot.camera_id);
		snapshot_queue_write_now(queue, &item->snapshot, item->events);
		free_waiting(item);
		thread_serve_camera(0);

		pthread_mutex_lock(&queue->lock);
		queue->writing = NULL;
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

SnapshotQueue *
snapshot_queue_start(const char *media_dir)
{
	SnapshotQueue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	mkdir(media_dir, 0700);
	queue->media_dir = strdup(media_dir);
	if (queue->media_dir == NULL)
	{
		free(queue);
		return NULL;
	}
	if (access(media_dir, W_OK | X_OK) != 0)
		log_error("%s cannot be written: %s", media_dir, strerror(errno));
	TAILQ_INIT(&queue->waiting);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->changed, NULL);
	if (thread_start(&queue->thread, "snapshots", write_snapshots, queue) != 0)
	{
		log_error("no snapshots: no thread for them");
		free(queue->media_dir);
		free(queue);
		return NULL;
	}
	return queue;
}

void
snapshot_queue_stop(SnapshotQueue *queue)
{
	if (queue == NULL)
		return;
	pthread_mutex_lock(&queue->lock);
	queue->stop = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->thread, NULL);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	free(queue->media_dir);
	free(queue);
}

bool
snapshot_queue_put(SnapshotQueue *queue, const Snapshot *snapshot, EventStream *events)
{
	Waiting *item = calloc(1, sizeof(*item));
	bool room = false;

	if (item != NULL)
	{
		item->snapshot = *snapshot;
		item->snapshot.frame = av_frame_clone(snapshot->frame);
		item->snapshot.label = strdup(snapshot->label);
		item->events = events;
	}
	pthread_mutex_lock(&queue->lock);
	if (item != NULL && item->snapshot.frame != NULL && item->snapshot.label != NULL &&
		queue->nwaiting < MAX_WAITING)
	{
		room = true;
		TAILQ_INSERT_TAIL(&queue->waiting, item, link);
		queue->nwaiting++;
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	if (!room)
	{
		log_warning("snapshot lost: too many are waiting to be written");
		free_waiting(item);
	}
	return room;
}

/* With the lock held. */
static bool
has_snapshots_of(const SnapshotQueue *queue, const EventStream *events)
{
	const Waiting *item;

	TAILQ_FOREACH(item, &queue->waiting, link)
	{
		if (item->events == events)
			return true;
	}
	return queue->writing == events;
}

void
snapshot_queue_wait(SnapshotQueue *queue, const EventStream *events)
{
	pthread_mutex_lock(&queue->lock);
	while (has_snapshots_of(queue, events))
		pthread_cond_wait(&queue->changed, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
}
