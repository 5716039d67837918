/*
 * event_queue.c
 *		Event lines on their way to the worker: bounded, and what overflows is
 *		dropped in order of worth and counted per camera.
 *
 * One list in order of arrival for the writer, and one per worth for dropping,
 * so that neither taking nor dropping ever searches.
 */
#include "event_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "thread.h"

#define WORTHS (EVENT_KEPT + 1)

typedef struct Entry
{
	TAILQ_ENTRY(Entry) in_order;
	TAILQ_ENTRY(Entry) in_worth;
	char *line;
	size_t length;
	int camera_id;
	EventWorth worth;
} Entry;

typedef TAILQ_HEAD(EntryList, Entry) EntryList;

typedef struct Dropped
{
	int camera_id;
	uint64_t count;
} Dropped;

struct EventQueue
{
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t drained;
	EntryList order;
	EntryList by_worth[WORTHS];
	size_t lines;
	size_t bytes;
	size_t max_lines;
	size_t max_bytes;
	bool closed;
	Dropped *dropped;
	size_t ndropped;
};

EventQueue *
event_queue_create(size_t max_lines, size_t max_bytes)
{
	EventQueue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	queue->max_lines = max_lines;
	queue->max_bytes = max_bytes;
	TAILQ_INIT(&queue->order);
	for (int worth = 0; worth < WORTHS; worth++)
		TAILQ_INIT(&queue->by_worth[worth]);
	pthread_mutex_init(&queue->lock, NULL);
	thread_cond_init(&queue->filled);
	thread_cond_init(&queue->drained);
	return queue;
}

/* Take an entry out of both its lists.  The caller frees it. */
static void
unlink_entry(EventQueue *queue, Entry *entry)
{
	TAILQ_REMOVE(&queue->order, entry, in_order);
	TAILQ_REMOVE(&queue->by_worth[entry->worth], entry, in_worth);
	queue->lines--;
	queue->bytes -= entry->length;
}

static void
free_entry(Entry *entry)
{
	free(entry->line);
	free(entry);
}

void
event_queue_free(EventQueue *queue)
{
	Entry *entry;

	if (queue == NULL)
		return;
	while ((entry = TAILQ_FIRST(&queue->order)) != NULL)
	{
		unlink_entry(queue, entry);
		free_entry(entry);
	}
	pthread_cond_destroy(&queue->drained);
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
	free(queue->dropped);
	free(queue);
}

/* If the table cannot grow, the drop goes uncounted: nothing better is left. */
static void
count_drop(EventQueue *queue, int camera_id)
{
	Dropped *grown;

	for (size_t i = 0; i < queue->ndropped; i++)
	{
		if (queue->dropped[i].camera_id == camera_id)
		{
			queue->dropped[i].count++;
			return;
		}
	}
	grown = realloc(queue->dropped, (queue->ndropped + 1) * sizeof(*grown));
	if (grown == NULL)
		return;
	queue->dropped = grown;
	queue->dropped[queue->ndropped++] = (Dropped){camera_id, 1};
}

static bool
fits(const EventQueue *queue, size_t length)
{
	return queue->lines < queue->max_lines && queue->bytes + length <= queue->max_bytes;
}

/*
 * Drop from the least worth upwards until length fits, never anything worth
 * more than the newcomer.  Returns whether it fits.
 */
static bool
make_room(EventQueue *queue, size_t length, EventWorth worth)
{
	while (!fits(queue, length))
	{
		Entry *victim = NULL;

		for (int w = 0; w <= (int) worth && w < EVENT_KEPT && victim == NULL; w++)
			victim = TAILQ_FIRST(&queue->by_worth[w]);
		if (victim == NULL)
			return false;
		count_drop(queue, victim->camera_id);
		unlink_entry(queue, victim);
		free_entry(victim);
	}
	return true;
}

/* Append with the lock held; the line is freed if it cannot be taken in. */
static void
append(EventQueue *queue, char *line, size_t length, int camera_id, EventWorth worth)
{
	Entry *entry = NULL;

	if (!queue->closed && make_room(queue, length, worth))
		entry = malloc(sizeof(*entry));
	if (entry == NULL)
	{
		count_drop(queue, camera_id);
		free(line);
		return;
	}
	*entry = (Entry){.line = line, .length = length, .camera_id = camera_id, .worth = worth};
	TAILQ_INSERT_TAIL(&queue->order, entry, in_order);
	TAILQ_INSERT_TAIL(&queue->by_worth[worth], entry, in_worth);
	queue->lines++;
	queue->bytes += length;
}

void
event_queue_push(EventQueue *queue, char *line, int camera_id, EventWorth worth)
{
	size_t length = strlen(line);

	pthread_mutex_lock(&queue->lock);
	append(queue, line, length, camera_id, worth);
	pthread_mutex_unlock(&queue->lock);
	/* After the lock, lest the writer wakes only to wait for it. */
	pthread_cond_signal(&queue->filled);
}

void
event_queue_push_wait(EventQueue *queue, char *line, int camera_id, const atomic_bool *cancel)
{
	size_t length = strlen(line);

	pthread_mutex_lock(&queue->lock);
	while (!queue->closed && !*cancel &&
		   (queue->lines >= queue->max_lines / 2 || queue->bytes + length > queue->max_bytes / 2))
		pthread_cond_wait(&queue->drained, &queue->lock);
	append(queue, line, length, camera_id, EVENT_KEPT);
	pthread_mutex_unlock(&queue->lock);
	pthread_cond_signal(&queue->filled);
}

void
event_queue_wake(EventQueue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_broadcast(&queue->drained);
	pthread_mutex_unlock(&queue->lock);
}

char *
event_queue_pop(EventQueue *queue, int64_t deadline_us)
{
	Entry *entry;
	char *line = NULL;

	pthread_mutex_lock(&queue->lock);
	while (TAILQ_EMPTY(&queue->order) && !queue->closed)
		if (thread_cond_wait_until(&queue->filled, &queue->lock, deadline_us) != 0)
			break;
	entry = TAILQ_FIRST(&queue->order);
	if (entry != NULL)
	{
		unlink_entry(queue, entry);
		line = entry->line;
		free(entry);
		pthread_cond_broadcast(&queue->drained);
	}
	pthread_mutex_unlock(&queue->lock);
	return line;
}

void
event_queue_close(EventQueue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_broadcast(&queue->filled);
	pthread_cond_broadcast(&queue->drained);
	pthread_mutex_unlock(&queue->lock);
}

bool
event_queue_drained(EventQueue *queue)
{
	bool drained;

	pthread_mutex_lock(&queue->lock);
	drained = queue->closed && TAILQ_EMPTY(&queue->order);
	pthread_mutex_unlock(&queue->lock);
	return drained;
}

size_t
event_queue_depth(EventQueue *queue)
{
	size_t lines;

	pthread_mutex_lock(&queue->lock);
	lines = queue->lines;
	pthread_mutex_unlock(&queue->lock);
	return lines;
}

uint64_t
event_queue_dropped(EventQueue *queue, int camera_id)
{
	uint64_t count = 0;

	pthread_mutex_lock(&queue->lock);
	for (size_t i = 0; i < queue->ndropped; i++)
		if (queue->dropped[i].camera_id == camera_id)
			count = queue->dropped[i].count;
	pthread_mutex_unlock(&queue->lock);
	return count;
}
