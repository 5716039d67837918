/*
 * request.h
 *		One request of a backend, and the answer to it (docs/protocol.md).
 *
 * A handler runs on a thread of its own kind, may block, and looks at
 * `cancelled` and `deadline_us` whenever it could go on for long.
 */
#ifndef CCTV_REQUEST_H
#define CCTV_REQUEST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "desired_state.h"
#include "footage.h"
#include "frame.h"
#include "live.h"
#include "model_cache.h"
#include "pool.h"

/* What handlers work with; outlives every request. */
typedef struct RequestWorld
{
	Pool *pool;
	ModelCache *models;
	LiveBoard *live;
	const char *models_dir;
	const char *media_dir;			/* NULL: no pictures are kept */
	const StringList *source_paths; /* NULL: any file */
} RequestWorld;

typedef struct Request
{
	const RequestWorld *world;
	json_t *arguments; /* an object */
	const unsigned char *binary;
	size_t binary_length;
	int64_t deadline_us;	 /* monotonic: nobody waits any longer */
	atomic_bool cancelled;	 /* nobody waits any more */
	ExportProgress progress; /* of what lasts; clients are told */

	/* The answer, by the functions below. */
	uint16_t kind;
	json_t *answer;
	unsigned char *bytes;
	size_t nbytes;
} Request;

typedef void (*RequestHandler)(Request *request);

extern void request_analyze(Request *request);
extern void request_probe(Request *request);
extern void request_live_frame(Request *request);
extern void request_snapshot(Request *request);
extern void request_check_model(Request *request);
extern void request_export(Request *request);
extern void request_thumbnail(Request *request);

/* Has nobody any use for an answer? */
extern bool request_is_over(const Request *request);

/* Answer with a JSON object (the reference is taken over; NULL: out of memory). */
extern void request_answer(Request *request, json_t *answer);

/* Bytes that go with the answer; malloc'd, taken over. */
extern void request_attach(Request *request, unsigned char *bytes, size_t nbytes);

/*
 * Say why there is no answer.  code is one of CCTV_ERROR_* in frame.h; hint may
 * be NULL.  The message, in the style of PostgreSQL's, is redacted.
 */
extern void request_fail(Request *request, const char *code, const char *hint, const char *format,
						 ...) __attribute__((format(printf, 4, 5)));

#endif /* CCTV_REQUEST_H */
