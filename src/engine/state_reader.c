/*
 * state_reader.c
 *		Lines of desired state from the worker, however they are cut.
 */
#define _GNU_SOURCE
#include "state_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol.h"

#define FIRST_SIZE (64 * 1024)

struct StateReader
{
	int fd;
	char *buffer;
	size_t size;
	size_t used;	 /* bytes read */
	size_t taken;	 /* of those, the line handed out last */
	size_t searched; /* bytes known to hold no newline */
};

StateReader *
state_reader_create(int fd)
{
	StateReader *reader = calloc(1, sizeof(*reader));

	if (reader != NULL)
		reader->fd = fd;
	return reader;
}

/* The documents hold passwords: nothing of them stays in freed memory. */
static void
forget_buffer(StateReader *reader)
{
	if (reader->buffer != NULL)
		explicit_bzero(reader->buffer, reader->used);
	free(reader->buffer);
	reader->buffer = NULL;
	reader->size = reader->used = reader->taken = reader->searched = 0;
}

void
state_reader_free(StateReader *reader)
{
	if (reader == NULL)
		return;
	forget_buffer(reader);
	free(reader);
}

int
state_reader_fd(const StateReader *reader)
{
	return reader->fd;
}

/* Remove the line that was handed out last. */
static void
discard_taken(StateReader *reader)
{
	if (reader->taken == 0)
		return;
	if (reader->taken == reader->used)
	{
		forget_buffer(reader);
		return;
	}
	reader->used -= reader->taken;
	memmove(reader->buffer, reader->buffer + reader->taken, reader->used);
	explicit_bzero(reader->buffer + reader->used, reader->taken);
	reader->taken = reader->searched = 0;
}

static int
make_room(StateReader *reader)
{
	size_t size = reader->size == 0 ? FIRST_SIZE : reader->size * 2;
	char *grown;

	if (reader->used < reader->size)
		return 0;
	if (size > CCTV_MAX_STATE_LINE)
		size = CCTV_MAX_STATE_LINE;
	if (size <= reader->size || (grown = malloc(size)) == NULL)
		return -1;
	if (reader->used > 0)
	{
		memcpy(grown, reader->buffer, reader->used);
		explicit_bzero(reader->buffer, reader->used);
	}
	free(reader->buffer);
	reader->buffer = grown;
	reader->size = size;
	return 0;
}

StateRead
state_reader_next(StateReader *reader, const char **line, size_t *length)
{
	discard_taken(reader);
	for (;;)
	{
		char *newline = NULL;
		ssize_t got;

		if (reader->used > reader->searched)
			newline =
				memchr(reader->buffer + reader->searched, '\n', reader->used - reader->searched);
		if (newline != NULL)
		{
			*line = reader->buffer;
			*length = newline - reader->buffer;
			reader->taken = *length + 1;
			return STATE_READ_LINE;
		}
		reader->searched = reader->used;
		if (make_room(reader) != 0)
			return STATE_READ_END;
		got = read(reader->fd, reader->buffer + reader->used, reader->size - reader->used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return STATE_READ_AGAIN;
		if (got <= 0)
			return STATE_READ_END;
		reader->used += got;
	}
}
