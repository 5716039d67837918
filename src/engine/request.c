/*
 * request.c
 *		One request of a backend, and the answer to it (docs/protocol.md).
 */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "redact.h"

#define MESSAGE 1024

bool
request_is_over(const Request *request)
{
	return request->cancelled || clock_monotonic_us() >= request->deadline_us;
}

static void
set_answer(Request *request, uint16_t kind, json_t *answer)
{
	json_decref(request->answer);
	request->answer = answer;
	request->kind = kind;
}

void
request_answer(Request *request, json_t *answer)
{
	if (answer != NULL)
		set_answer(request, CCTV_ANSWER, answer);
	else
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the engine is out of memory");
}

void
request_attach(Request *request, unsigned char *bytes, size_t nbytes)
{
	free(request->bytes);
	request->bytes = bytes;
	request->nbytes = nbytes;
}

void
request_fail(Request *request, const char *code, const char *hint, const char *format, ...)
{
	char raw[MESSAGE];
	char message[MESSAGE];
	json_t *error;
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	redact(raw, message, sizeof(message));
	error = json_pack("{s:s, s:s}", "code", code, "message", message);
	if (hint != NULL)
		json_object_set_new(error, "hint", json_string(hint));
	request_attach(request, NULL, 0);
	/* Out of memory: an empty object says as much. */
	set_answer(request, CCTV_ERROR, error);
}
