/*
 * engine_channel.c
 *		The worker's end of the socket to an engine.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "engine_channel.h"
#include "utils/memutils.h"

void
cctv_channel_open(CctvChannel *channel, int fd)
{
	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
	channel->received = MemoryContextAlloc(TopMemoryContext, CCTV_MAX_EVENT_LINE);
}

/* Documents carry passwords. */
static void
erase(char **document)
{
	if (*document == NULL)
		return;
	explicit_bzero(*document, strlen(*document));
	pfree(*document);
	*document = NULL;
}

void
cctv_channel_close(CctvChannel *channel)
{
	if (channel->fd < 0)
		return;
	erase(&channel->sending);
	erase(&channel->next);
	pfree(channel->received);
	channel->received = NULL;
	channel->fd = -1;
}

void
cctv_channel_send(CctvChannel *channel, const char *document)
{
	int length = strlen(document);

	erase(&channel->next);
	channel->next = MemoryContextAlloc(TopMemoryContext, length + 2);
	memcpy(channel->next, document, length);
	channel->next[length] = '\n';
	channel->next[length + 1] = '\0';
	if (channel->sent == 0)
		erase(&channel->sending);
}

bool
cctv_channel_has_output(const CctvChannel *channel)
{
	return channel->sending != NULL || channel->next != NULL;
}

void
cctv_channel_flush(CctvChannel *channel)
{
	while (cctv_channel_has_output(channel))
	{
		ssize_t written;

		if (channel->sending == NULL)
		{
			channel->sending = channel->next;
			channel->sending_length = strlen(channel->sending);
			channel->sent = 0;
			channel->next = NULL;
		}
		written = send(channel->fd, channel->sending + channel->sent,
					   channel->sending_length - channel->sent, MSG_NOSIGNAL);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		{
			/* The engine is gone or going: the next one gets it all again. */
			erase(&channel->sending);
			erase(&channel->next);
			channel->sent = 0;
		}
		if (written < 0)
			return;
		channel->sent += written;
		if (channel->sent == channel->sending_length)
		{
			erase(&channel->sending);
			channel->sent = 0;
		}
	}
}

/* Hand over the whole lines among what was received, keep the rest. */
static void
split_lines(CctvChannel *channel, CctvLineCallback callback, void *arg)
{
	char *start = channel->received;
	char *end = channel->received + channel->received_length;
	char *newline;

	while ((newline = memchr(start, '\n', end - start)) != NULL)
	{
		if (channel->skipping)
			channel->skipping = false;
		else
			callback(arg, start, newline - start);
		start = newline + 1;
	}

	channel->received_length = end - start;
	memmove(channel->received, start, channel->received_length);
	if (channel->skipping)
		channel->received_length = 0;
	else if (channel->received_length == CCTV_MAX_EVENT_LINE)
	{
		callback(arg, NULL, 0);
		channel->skipping = true;
		channel->received_length = 0;
	}
}

CctvReadResult
cctv_channel_read(CctvChannel *channel, CctvLineCallback callback, void *arg)
{
	ssize_t count;

	do
		count = recv(channel->fd, channel->received + channel->received_length,
					 CCTV_MAX_EVENT_LINE - channel->received_length, 0);
	while (count < 0 && errno == EINTR);

	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return CCTV_READ_NOTHING;
	if (count <= 0)
		return CCTV_READ_END;
	channel->received_length += count;
	split_lines(channel, callback, arg);
	return CCTV_READ_SOME;
}
