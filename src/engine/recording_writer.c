/*
 * recording_writer.c
 *		The thread that writes the recordings of all cameras.
 */
#include "recording_writer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "clock.h"
#include "log.h"
#include "media_path.h"
#include "thread.h"

/* A fragment of a file is half a second: what comes is written soon after. */
#define PERIOD_US (CLOCK_SECOND / 5)

/* The media directory is looked at this often; here, as a disk may not answer. */
#define LOOK_US (2 * CLOCK_SECOND)

typedef struct Entry
{
	TAILQ_ENTRY(Entry) link;
	Recording *recording;
} Entry;

struct RecordingWriter
{
	char *media_dir;
	atomic_llong segment_us;
	atomic_bool shut_out;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	TAILQ_HEAD(, Entry) entries;
	const Entry *running; /* being written; stays in the list meanwhile */
	bool stop;
};

/* Write every recording once.  With the lock held, and released for the work. */
static void
write_round(RecordingWriter *writer)
{
	Entry *entry;

	TAILQ_FOREACH(entry, &writer->entries, link)
	{
		writer->running = entry;
		pthread_mutex_unlock(&writer->lock);
		thread_serve_camera(recording_camera(entry->recording));
		recording_run(entry->recording);
		thread_serve_camera(0);
		pthread_mutex_lock(&writer->lock);
		writer->running = NULL;
		pthread_cond_broadcast(&writer->changed);
	}
}

static void *
write_recordings(void *arg)
{
	RecordingWriter *writer = arg;
	int64_t look_us = 0;

	pthread_mutex_lock(&writer->lock);
	while (!writer->stop)
	{
		int64_t next_us = clock_monotonic_us() + PERIOD_US;

		write_round(writer);
		if (next_us >= look_us)
		{
			look_us = next_us + LOOK_US;
			pthread_mutex_unlock(&writer->lock);
			writer->shut_out = media_shut_out(writer->media_dir);
			pthread_mutex_lock(&writer->lock);
		}
		while (!writer->stop && clock_monotonic_us() < next_us)
			thread_cond_wait_until(&writer->changed, &writer->lock,
								   TAILQ_EMPTY(&writer->entries) ? INT64_MAX / 2 : next_us);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

RecordingWriter *
recording_writer_start(const char *media_dir, int64_t segment_us)
{
	RecordingWriter *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	TAILQ_INIT(&writer->entries);
	pthread_mutex_init(&writer->lock, NULL);
	thread_cond_init(&writer->changed);
	writer->segment_us = segment_us;
	writer->media_dir = strdup(media_dir);
	if (writer->media_dir != NULL &&
		thread_start(&writer->thread, "recordings", write_recordings, writer) == 0)
		return writer;
	log_error("nothing is recorded: no memory or thread for it");
	free(writer->media_dir);
	free(writer);
	return NULL;
}

void
recording_writer_stop(RecordingWriter *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->lock);
	free(writer->media_dir);
	free(writer);
}

bool
recording_writer_shut_out(const RecordingWriter *writer)
{
	return writer != NULL && writer->shut_out;
}

void
recording_writer_set_segment(RecordingWriter *writer, int64_t segment_us)
{
	if (writer != NULL)
		writer->segment_us = segment_us;
}

Recording *
recording_begin(RecordingWriter *writer, int camera_id, EventStream *events)
{
	Entry *entry = calloc(1, sizeof(*entry));

	if (entry != NULL)
		entry->recording =
			recording_create(camera_id, writer->media_dir, &writer->segment_us, events);
	if (entry == NULL || entry->recording == NULL)
	{
		free(entry);
		return NULL;
	}
	pthread_mutex_lock(&writer->lock);
	TAILQ_INSERT_TAIL(&writer->entries, entry, link);
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	return entry->recording;
}

void
recording_end(RecordingWriter *writer, Recording *recording)
{
	Entry *entry;

	if (recording == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	TAILQ_FOREACH(entry, &writer->entries, link)
	{
		if (entry->recording == recording)
			break;
	}
	while (writer->running == entry)
		pthread_cond_wait(&writer->changed, &writer->lock);
	TAILQ_REMOVE(&writer->entries, entry, link);
	pthread_mutex_unlock(&writer->lock);
	free(entry);
	recording_free(recording);
}
