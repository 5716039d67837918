/*
 * request_output.h
 *		What goes out to a client: notes of how far its request has come, then the
 *		answer.  Nothing here waits for a client.
 */
#ifndef CCTV_REQUEST_OUTPUT_H
#define CCTV_REQUEST_OUTPUT_H

#include <stdbool.h>

#include "request.h"

#define REQUEST_NOTE 512

typedef struct RequestOutput
{
	unsigned char note[REQUEST_NOTE]; /* of which a part may have gone out */
	size_t nnote;
	size_t note_sent;
	unsigned char *head; /* header and JSON of the answer */
	size_t nhead;
	size_t sent; /* of head and the answer's bytes together */
} RequestOutput;

typedef enum OutputState
{
	OUTPUT_DONE,
	OUTPUT_BLOCKED, /* the socket takes no more at present */
	OUTPUT_BROKEN	/* nobody is there any more */
} OutputState;

/* Send how far the request has come, unless the last note is still on its way. */
extern void request_output_note(RequestOutput *output, int fd, const Request *request);

/* Make the frame of the answer.  False when it is too large or memory is short. */
extern bool request_output_answer(RequestOutput *output, const Request *request);

/* Send what the socket takes: the rest of a note, then the answer. */
extern OutputState request_output_send(RequestOutput *output, int fd, const Request *request);

extern void request_output_clear(RequestOutput *output);

#endif /* CCTV_REQUEST_OUTPUT_H */
