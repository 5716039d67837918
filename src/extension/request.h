/*
 * request.h
 *		Ask an engine, and wait for its answer (docs/protocol.md).
 */
#ifndef CCTV_REQUEST_H
#define CCTV_REQUEST_H

#include "frame.h"
#include "utils/jsonb.h"

#define CCTV_ANY_ENGINE 0

typedef struct CctvRequest
{
	CctvFrameKind kind;
	int engine;	   /* which, or CCTV_ANY_ENGINE: one is started if none runs */
	Jsonb *json;   /* an object */
	bytea *binary; /* detoasted, or NULL */
	int limit_ms;  /* for the engine to answer */

	/*
	 * NULL, or called with what the engine says of how far it has come: a request
	 * that has this may take as long as it takes, as long as the engine says so.
	 */
	void (*progress)(Jsonb *json);
} CctvRequest;

typedef struct CctvAnswer
{
	Jsonb *json;   /* an object */
	bytea *binary; /* empty when there is none */
} CctvAnswer;

/*
 * Send the request and return the answer, palloc'd.  Everything else is an
 * error: the engine's own, no engine, no answer in time, an answer that makes
 * no sense.  Can be cancelled, and leaves nothing behind.
 */
extern CctvAnswer cctv_ask(const CctvRequest *request);

#endif /* CCTV_REQUEST_H */
