/*
 * engine_channel.h
 *		The worker's end of the socket to an engine: whole lines both ways,
 *		never blocking, bounded in memory.
 */
#ifndef CCTV_ENGINE_CHANNEL_H
#define CCTV_ENGINE_CHANNEL_H

#include "protocol.h"

typedef struct CctvChannel
{
	int fd; /* not owned; -1: closed */

	/* to the engine: the line under way, and the one that follows it */
	char *sending;
	int sending_length;
	int sent;
	char *next;

	/* from the engine: what came after the last newline */
	char *received; /* CCTV_MAX_EVENT_LINE bytes */
	int received_length;
	bool skipping; /* inside a line that was too long */
} CctvChannel;

typedef enum CctvReadResult
{
	CCTV_READ_SOME,
	CCTV_READ_NOTHING, /* for now */
	CCTV_READ_END	   /* the engine closed its end, or the socket failed */
} CctvReadResult;

/* Called with each line, without its newline; NULL for one that was too long. */
typedef void (*CctvLineCallback)(void *arg, const char *line, int length);

extern void cctv_channel_open(CctvChannel *channel, int fd);
extern void cctv_channel_close(CctvChannel *channel);

/*
 * Send a document in place of any that has not begun to leave.  It is copied.
 */
extern void cctv_channel_send(CctvChannel *channel, const char *document);
extern bool cctv_channel_has_output(const CctvChannel *channel);

/* Write what the socket takes.  An error shows at the next read. */
extern void cctv_channel_flush(CctvChannel *channel);

/* Read once, at most CCTV_MAX_EVENT_LINE bytes. */
extern CctvReadResult cctv_channel_read(CctvChannel *channel, CctvLineCallback callback, void *arg);

#endif /* CCTV_ENGINE_CHANNEL_H */
