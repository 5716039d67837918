/*
 * event_writer.c
 *		The thread that writes queued event lines to a descriptor.
 *
 * The only one that may block on a slow reader; everybody else meets the
 * queue's bounds instead.
 */
#include "event_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "thread.h"

/* How often a blocked writer looks whether it should stop. */
#define POLL_MS 100

struct EventWriter
{
	EventQueue *queue;
	int fd;
	pthread_t thread;
	atomic_bool broken;
	atomic_llong give_up_us; /* set by event_writer_stop */
};

static bool
given_up(const EventWriter *writer)
{
	return clock_monotonic_us() >= writer->give_up_us;
}

/* Write one line, waiting for a slow reader.  Returns false on failure. */
static bool
write_line(EventWriter *writer, const char *line)
{
	size_t left = strlen(line);
	struct pollfd ready = {.fd = writer->fd, .events = POLLOUT};

	while (left > 0)
	{
		ssize_t written;

		if (poll(&ready, 1, POLL_MS) == 0)
		{
			if (given_up(writer))
				return false;
			continue;
		}
		written = write(writer->fd, line, left);
		if (written < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (written > 0)
		{
			line += written;
			left -= written;
		}
	}
	return true;
}

static void *
write_lines(void *arg)
{
	EventWriter *writer = arg;

	while (!event_queue_drained(writer->queue))
	{
		char *line = event_queue_pop(writer->queue, clock_monotonic_us() + CLOCK_SECOND);

		if (line != NULL && !writer->broken && !write_line(writer, line))
			writer->broken = true;
		free(line);
	}
	return NULL;
}

EventWriter *
event_writer_start(EventQueue *queue, int fd)
{
	EventWriter *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	writer->queue = queue;
	writer->fd = fd;
	writer->give_up_us = INT64_MAX;
	if (thread_start(&writer->thread, "events", write_lines, writer) != 0)
	{
		free(writer);
		return NULL;
	}
	return writer;
}

bool
event_writer_broken(const EventWriter *writer)
{
	return writer->broken;
}

void
event_writer_stop(EventWriter *writer, int64_t grace_us)
{
	if (writer == NULL)
		return;
	writer->give_up_us = clock_monotonic_us() + grace_us;
	event_queue_close(writer->queue);
	pthread_join(writer->thread, NULL);
	free(writer);
}
