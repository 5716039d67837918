/*
 * state_reader.h
 *		Lines of desired state from the worker, however they are cut.
 */
#ifndef CCTV_STATE_READER_H
#define CCTV_STATE_READER_H

#include <stddef.h>

typedef struct StateReader StateReader;

typedef enum StateRead
{
	STATE_READ_LINE,  /* *line and *length are a document, until the next call */
	STATE_READ_AGAIN, /* nothing more to read at present */
	STATE_READ_END	  /* end of input, failure, or a line beyond the limit */
} StateRead;

/* fd stays the caller's.  NULL when out of memory. */
extern StateReader *state_reader_create(int fd);
extern void state_reader_free(StateReader *reader);
extern int state_reader_fd(const StateReader *reader);

/* Read what there is; blocks only if the descriptor does. */
extern StateRead state_reader_next(StateReader *reader, const char **line, size_t *length);

#endif /* CCTV_STATE_READER_H */
