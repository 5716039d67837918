/*
 * request.c
 *		Ask an engine, and wait for its answer (docs/protocol.md).
 *
 * Runs in any backend.  Nothing blocks but the waits on the latch, which a
 * cancel or a time-out ends.  The engine decodes what strangers send, so its
 * answer is taken for hostile: lengths are bounded by the frame, texts are
 * verified, cut and freed of control characters.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "access/xlog.h"
#include "clock.h"
#include "compat.h"
#include "engine_socket.h"
#include "event_line.h"
#include "functions.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "request.h"
#include "shared_state.h"
#include "storage/fd.h"
#include "utils/builtins.h"

/* What the start of an engine may take, on a machine that has other things to do. */
#define START_LIMIT_MS 15000
#define RETRY_MS 20

/* The engine gives up by itself, and says why: leave it the time to. */
#define SLACK_MS 2000

/* An engine that is kept for requests alone stays this long after the last. */
#define KEEP_ENGINE_MS 60000

/* A conversation with an engine. */
typedef struct Conversation
{
	const CctvRequest *request;
	int fd;
	int64 deadline;
	StringInfoData head; /* header and JSON of the request */
	size_t sent;
	CctvFrameReader reader;
} Conversation;

/* Sleep until the socket is ready or the time is over, or raise a cancel. */
static void
wait_for(int fd, int events, int64 deadline)
{
	static uint32 wait_event = 0;
	long timeout = Max(0, deadline - cctv_now_ms());
	int happened;

	events |= WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
	happened = WaitLatchOrSocket(MyLatch, events, fd < 0 ? PGINVALID_SOCKET : fd, timeout,
								 cctv_wait_event(&wait_event, "CctvRequest"));
	if (happened & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* ---- finding an engine ---- */

/* Returns a socket, or -1 with errno. */
static int
try_engines(int engine)
{
	List *numbers;
	ListCell *cell;
	int fd = -1;
	int saved;

	if (engine != CCTV_ANY_ENGINE)
		return cctv_socket_connect(engine);
	numbers = cctv_socket_list();
	errno = ENOENT;
	foreach (cell, numbers)
	{
		fd = cctv_socket_connect(lfirst_int(cell));
		if (fd >= 0)
			break;
	}
	saved = errno;
	list_free(numbers);
	errno = saved;
	return fd;
}

static void
refuse_without_engine(int engine)
{
	char *hint = "See: select * from cctv.health().";

	if (engine == CCTV_ANY_ENGINE)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("no engine of pg_cctv answers"), errhint("%s", hint)));
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("engine %d of pg_cctv does not answer", engine), errhint("%s", hint)));
}

/* Connect; an engine that is not there is asked for and waited for. */
static int
connect_to(int engine)
{
	int64 deadline = cctv_now_ms() + START_LIMIT_MS;

	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("pg_cctv does not run on a standby")));
	cctv_check_worker();
	for (;;)
	{
		int fd;

		if (engine == CCTV_ANY_ENGINE)
			cctv_want_engine(MyDatabaseId, cctv_now_ms(), KEEP_ENGINE_MS);
		fd = try_engines(engine);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
			ereport(ERROR, (errcode_for_socket_access(),
							errmsg("could not connect to an engine of pg_cctv: %m")));
		if (cctv_now_ms() >= deadline)
			refuse_without_engine(engine);
		wait_for(-1, 0, cctv_now_ms() + RETRY_MS);
	}
}

/* ---- the exchange ---- */

/* The frame's header and its JSON: the request's own object and the time limit. */
static void
pack_head(Conversation *talk)
{
	const CctvRequest *request = talk->request;
	CctvFrameHeader header;
	StringInfoData json;
	char *text;
	char *encoded;

	text = JsonbToCString(NULL, &request->json->root, VARSIZE(request->json));
	initStringInfo(&json);
	appendStringInfo(&json, "{\"limit_ms\": %d%s%s", request->limit_ms,
					 JB_ROOT_COUNT(request->json) > 0 ? ", " : "", text + 1);
	encoded = pg_server_to_any(json.data, json.len, PG_UTF8);

	header.kind = request->kind;
	header.json_length = strlen(encoded);
	header.binary_length = request->binary != NULL ? VARSIZE_ANY_EXHDR(request->binary) : 0;
	if (header.json_length > CCTV_FRAME_MAX_JSON || header.binary_length > CCTV_FRAME_MAX_BINARY)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the request is too large for an engine of pg_cctv")));
	initStringInfo(&talk->head);
	enlargeStringInfo(&talk->head, CCTV_FRAME_HEADER + header.json_length);
	cctv_frame_pack(&header, (unsigned char *) talk->head.data);
	talk->head.len = CCTV_FRAME_HEADER;
	appendBinaryStringInfo(&talk->head, encoded, header.json_length);
	/* Credentials of a camera may be in it. */
	explicit_bzero(text, strlen(text));
	explicit_bzero(json.data, json.len);
	if (encoded != json.data)
		explicit_bzero(encoded, header.json_length);
}

static void
check_deadline(const Conversation *talk)
{
	if (cctv_now_ms() >= talk->deadline)
		ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
						errmsg("no answer came from an engine of pg_cctv in time"),
						errhint("See: select * from cctv.health().")));
}

static void
send_request(Conversation *talk)
{
	bytea *binary = talk->request->binary;
	size_t nhead = talk->head.len;
	size_t total = nhead + (binary != NULL ? VARSIZE_ANY_EXHDR(binary) : 0);

	while (talk->sent < total)
	{
		bool in_head = talk->sent < nhead;
		const char *from =
			in_head ? talk->head.data + talk->sent : VARDATA_ANY(binary) + (talk->sent - nhead);
		size_t left = (in_head ? nhead : total) - talk->sent;
		ssize_t count = send(talk->fd, from, left, MSG_NOSIGNAL);

		if (count >= 0)
			talk->sent += count;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
		{
			check_deadline(talk);
			wait_for(talk->fd, WL_SOCKET_WRITEABLE, talk->deadline);
		}
		else if (errno != EINTR)
			return; /* it has hung up: its answer, if any, says why */
	}
}

static void
receive_frame(Conversation *talk)
{
	CctvFrameReader *reader = &talk->reader;

	cctv_frame_begin(reader);
	while (reader->state != CCTV_FRAME_COMPLETE)
	{
		unsigned char *where;
		size_t want = cctv_frame_want(reader, &where);
		ssize_t count = recv(talk->fd, where, want, 0);

		if (count > 0)
		{
			if (cctv_frame_took(reader, count) == CCTV_FRAME_NEEDS_BODY)
				cctv_frame_set_body(reader, palloc(cctv_frame_body_length(&reader->header) + 1));
			if (reader->state == CCTV_FRAME_BROKEN)
				ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
								errmsg("an engine of pg_cctv sent an answer that makes no sense"),
								errdetail("In its frame, %s.", reader->problem)));
		}
		else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		{
			check_deadline(talk);
			wait_for(talk->fd, WL_SOCKET_READABLE, talk->deadline);
		}
		else if (count == 0 || errno != EINTR)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the engine of pg_cctv ended while it served the request"),
					 errhint("It is started again at once. The server log says why it ended.")));
	}
}

/* ---- the answer ---- */

static void
add_context(void *arg)
{
	errcontext("answer of an engine of pg_cctv");
}

/* The JSON of a frame; an error when it is none, or no object. */
static Jsonb *
read_json(const CctvFrameReader *reader)
{
	ErrorContextCallback callback;
	int length = reader->header.json_length;
	char *raw = pnstrdup(cctv_frame_json(reader), length);
	Jsonb *json;

	callback.callback = add_context;
	callback.arg = NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	json = DatumGetJsonbP(
		DirectFunctionCall1(jsonb_in, CStringGetDatum(pg_any_to_server(raw, length, PG_UTF8))));
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("an engine of pg_cctv sent an answer that makes no sense")));
	error_context_stack = callback.previous;
	return json;
}

/* A text member fit for an error message, or NULL. */
static char *
text_member(Jsonb *json, const char *name)
{
	JsonbValue key;
	JsonbValue *value;

	key.type = jbvString;
	key.val.string.val = (char *) name;
	key.val.string.len = strlen(name);
	value = findJsonbValueFromContainer(&json->root, JB_FOBJECT, &key);
	if (value == NULL || value->type != jbvString)
		return NULL;
	return cctv_printable(value->val.string.val, value->val.string.len);
}

static int
sqlstate_of(const char *code)
{
	static const struct
	{
		const char *code;
		int sqlstate;
	} known[] = {
		{CCTV_ERROR_INVALID, ERRCODE_INVALID_PARAMETER_VALUE},
		{CCTV_ERROR_UNKNOWN, ERRCODE_UNDEFINED_OBJECT},
		{CCTV_ERROR_NOT_AN_IMAGE, ERRCODE_INVALID_BINARY_REPRESENTATION},
		{CCTV_ERROR_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED},
		{CCTV_ERROR_UNAVAILABLE, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE},
		{CCTV_ERROR_UNREACHABLE, ERRCODE_CONNECTION_EXCEPTION},
		{CCTV_ERROR_UNFIT, ERRCODE_INVALID_PARAMETER_VALUE},
	};

	for (int i = 0; i < lengthof(known); i++)
	{
		if (strcmp(known[i].code, code) == 0)
			return known[i].sqlstate;
	}
	return ERRCODE_SYSTEM_ERROR;
}

/* The engine says why it has no answer. */
static void
raise_error(Jsonb *json)
{
	char *code = text_member(json, "code");
	char *message = text_member(json, "message");
	char *hint = text_member(json, "hint");

	ereport(ERROR, (errcode(sqlstate_of(code != NULL ? code : "")),
					errmsg("%s", message != NULL ? message : "the engine is out of memory"),
					hint != NULL ? errhint("%s", hint) : 0));
}

static CctvAnswer
read_answer(const CctvFrameReader *reader)
{
	CctvAnswer answer;
	Size length = reader->header.binary_length;

	if (reader->header.kind != CCTV_ANSWER && reader->header.kind != CCTV_ERROR)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("an engine of pg_cctv sent an answer that makes no sense")));
	answer.json = read_json(reader);
	if (reader->header.kind == CCTV_ERROR)
		raise_error(answer.json);
	answer.binary = palloc(VARHDRSZ + length);
	SET_VARSIZE(answer.binary, VARHDRSZ + length);
	memcpy(VARDATA(answer.binary), cctv_frame_binary(reader), length);
	pfree(reader->body);
	return answer;
}

/* Read frames until one is the answer. */
static void
receive_answer(Conversation *talk)
{
	const CctvRequest *request = talk->request;

	for (;;)
	{
		receive_frame(talk);
		if (talk->reader.header.kind != CCTV_PROGRESS || request->progress == NULL)
			return;
		/* The engine lives and works; it is kept, though it may have no cameras. */
		talk->deadline = cctv_now_ms() + request->limit_ms + SLACK_MS;
		if (request->engine == CCTV_ANY_ENGINE)
			cctv_want_engine(MyDatabaseId, cctv_now_ms(), KEEP_ENGINE_MS);
		request->progress(read_json(&talk->reader));
		pfree(talk->reader.body);
	}
}

CctvAnswer
cctv_ask(const CctvRequest *request)
{
	Conversation talk;

	memset(&talk, 0, sizeof(talk));
	talk.request = request;
	pack_head(&talk);
	if (!AcquireExternalFD())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						errmsg("no descriptor is left to ask an engine of pg_cctv")));
	talk.fd = -1;
	PG_TRY();
	{
		talk.fd = connect_to(request->engine);
		talk.deadline = cctv_now_ms() + request->limit_ms + SLACK_MS;
		send_request(&talk);
		receive_answer(&talk);
	}
	PG_FINALLY();
	{
		explicit_bzero(talk.head.data, talk.head.len);
		if (talk.fd >= 0)
			close(talk.fd);
		ReleaseExternalFD();
	}
	PG_END_TRY();
	return read_answer(&talk.reader);
}
