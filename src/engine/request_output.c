/*
 * request_output.c
 *		What goes out to a client: notes of how far its request has come, then the
 *		answer.
 */
#include "request_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"

static OutputState
send_bytes(int fd, const unsigned char *bytes, size_t length, size_t *sent)
{
	while (*sent < length)
	{
		ssize_t count = send(fd, bytes + *sent, length - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return OUTPUT_BLOCKED;
		if (count < 0)
			return OUTPUT_BROKEN;
		*sent += (size_t) count;
	}
	return OUTPUT_DONE;
}

static bool
note_is_pending(const RequestOutput *output)
{
	return output->note_sent < output->nnote;
}

/* {"phase": ...} in a frame; what does not fit is not sent. */
static void
make_note(RequestOutput *output, const Request *request)
{
	static const char *const phases[] = {"waiting", "reading", "finishing"};
	const ExportProgress *progress = &request->progress;
	/* GCC 12 reads an atomic that is a subscript as if it were none. */
	int phase = progress->phase;
	CctvFrameHeader header = {.kind = CCTV_PROGRESS};
	int length =
		snprintf((char *) output->note + CCTV_FRAME_HEADER, REQUEST_NOTE - CCTV_FRAME_HEADER,
				 "{\"phase\": \"%s\", \"segments\": %lld, \"bytes\": %lld, \"frames\": %lld}",
				 phases[phase], progress->segments, progress->bytes, progress->frames);

	output->nnote = 0;
	output->note_sent = 0;
	if (length < 0 || length >= REQUEST_NOTE - CCTV_FRAME_HEADER)
		return;
	header.json_length = (uint32_t) length;
	cctv_frame_pack(&header, output->note);
	output->nnote = CCTV_FRAME_HEADER + (size_t) length;
}

void
request_output_note(RequestOutput *output, int fd, const Request *request)
{
	if (!note_is_pending(output))
		make_note(output, request);
	/* Who is gone is noticed where the socket is watched. */
	(void) send_bytes(fd, output->note, output->nnote, &output->note_sent);
	/* A client that reads nothing gets the next one instead. */
	if (output->note_sent == 0)
		output->nnote = 0;
}

bool
request_output_answer(RequestOutput *output, const Request *request)
{
	char *json = json_dumps(request->answer, JSON_COMPACT | JSON_REAL_PRECISION(6));
	size_t length = json != NULL ? strlen(json) : 0;
	CctvFrameHeader header = {request->kind, (uint32_t) length, (uint32_t) request->nbytes};

	output->nhead = CCTV_FRAME_HEADER + length;
	output->head = malloc(output->nhead);
	if (json == NULL || output->head == NULL || length > CCTV_FRAME_MAX_JSON ||
		request->nbytes > CCTV_FRAME_MAX_BINARY)
	{
		log_error("an answer to a request is too large, or memory is short");
		free(json);
		return false;
	}
	cctv_frame_pack(&header, output->head);
	memcpy(output->head + CCTV_FRAME_HEADER, json, length);
	free(json);
	return true;
}

OutputState
request_output_send(RequestOutput *output, int fd, const Request *request)
{
	OutputState state = send_bytes(fd, output->note, output->nnote, &output->note_sent);
	size_t in_bytes;

	if (state == OUTPUT_DONE && output->sent < output->nhead)
		state = send_bytes(fd, output->head, output->nhead, &output->sent);
	if (state != OUTPUT_DONE)
		return state;
	in_bytes = output->sent - output->nhead;
	state = send_bytes(fd, request->bytes, request->nbytes, &in_bytes);
	output->sent = output->nhead + in_bytes;
	return state;
}

void
request_output_clear(RequestOutput *output)
{
	free(output->head);
	output->head = NULL;
}
