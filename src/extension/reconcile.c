/*
 * reconcile.c
 *		What should run: cameras assigned to engines, and a document for each.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "guc.h"
#include "mb/pg_wchar.h"
#include "protocol.h"
#include "reconcile.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct Request
{
	CctvDesired *desired;
	MemoryContext context;
	bool notify;
	bool spare;
} Request;

static int32
get_integer(HeapTuple tuple, TupleDesc shape, int column)
{
	bool isnull;
	Datum value = SPI_getbinval(tuple, shape, column, &isnull);

	if (isnull)
		elog(ERROR, "column %d of cctv.assign_engines() is null", column);
	return DatumGetInt32(value);
}

/* Let the schema assign cameras to engines; rows come ordered by engine. */
static void
assign(CctvDesired *desired, MemoryContext context, bool notify)
{
	Oid types[2] = {INT4OID, BOOLOID};
	Datum values[2];

	values[0] = Int32GetDatum(cctv_cameras_per_engine);
	values[1] = BoolGetDatum(notify);
	if (SPI_execute_with_args("select engine, camera_id "
							  "from cctv.assign_engines($1, $2) order by engine, camera_id",
							  2, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of cctv.assign_engines()");

	desired->ncameras = SPI_processed;
	desired->engines =
		MemoryContextAlloc(context, Max(1, SPI_processed) * sizeof(CctvDesiredEngine));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		HeapTuple tuple = SPI_tuptable->vals[row];
		int number = get_integer(tuple, SPI_tuptable->tupdesc, 1);
		CctvDesiredEngine *engine;

		if (desired->nengines == 0 || desired->engines[desired->nengines - 1].number != number)
		{
			engine = &desired->engines[desired->nengines++];
			engine->number = number;
			engine->ncameras = 0;
			engine->document = NULL;
			engine->cameras = MemoryContextAlloc(context, (SPI_processed - row) * sizeof(int32));
		}
		engine = &desired->engines[desired->nengines - 1];
		engine->cameras[engine->ncameras++] = get_integer(tuple, SPI_tuptable->tupdesc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The first slot, which the first camera will have: the engine then serves it, too. */
static void
add_spare(CctvDesired *desired)
{
	desired->engines[0].number = 1;
	desired->engines[0].ncameras = 0;
	desired->engines[0].cameras = NULL;
	desired->engines[0].document = NULL;
	desired->nengines = 1;
}

/* The cameras and models of an engine, as one line of UTF-8 after "settings". */
static char *
read_document(int engine, MemoryContext context)
{
	Oid types[1] = {INT4OID};
	Datum values[1];
	Datum value;
	bool isnull;
	Jsonb *state;
	char *text;
	StringInfoData document;

	values[0] = Int32GetDatum(engine);
	if (SPI_execute_with_args("select cctv.desired_state($1)", 1, types, values, NULL, false, 1) !=
			SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "cctv.desired_state() returned no row");
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		elog(ERROR, "cctv.desired_state() returned null");
	state = DatumGetJsonbP(value);
	if (!JB_ROOT_IS_OBJECT(state) || JB_ROOT_COUNT(state) == 0)
		elog(ERROR, "cctv.desired_state() returned no object");
	text = JsonbToCString(NULL, &state->root, VARSIZE(state));
	text = pg_server_to_any(text, strlen(text), PG_UTF8);

	MemoryContextSwitchTo(context);
	initStringInfo(&document);
	appendStringInfoString(&document, "{\"settings\": ");
	cctv_append_settings(&document);
	appendStringInfo(&document, ", %s", text + 1);
	explicit_bzero(text, strlen(text));
	SPI_freetuptable(SPI_tuptable);

	if (document.len >= CCTV_MAX_STATE_LINE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("desired state of engine %d exceeds %d bytes", engine, CCTV_MAX_STATE_LINE),
				 errhint("Lower \"cctv.cameras_per_engine\".")));
	return document.data;
}

/* When does a schedule begin or end?  Its edges take effect at once. */
static int
read_next_look(void)
{
	Datum value;
	bool isnull;
	int64 milliseconds;

	if (SPI_execute("select cctv.next_look()", false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "cctv.next_look() returned no row");
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		return -1;
	/* Rounded up: an edge that is looked at too soon is not there yet. */
	milliseconds =
		TimestampDifferenceMilliseconds(GetCurrentTimestamp(), DatumGetTimestampTz(value));
	return (int) Min(milliseconds + 1, INT_MAX);
}

static void
read_desired(void *arg)
{
	Request *request = arg;
	CctvDesired *desired = request->desired;
	MemoryContext spi = CurrentMemoryContext;

	memset(desired, 0, sizeof(*desired));
	assign(desired, request->context, request->notify);
	if (request->spare && desired->nengines == 0)
		add_spare(desired);
	desired->next_look_ms = read_next_look();
	for (int i = 0; i < desired->nengines; i++)
	{
		desired->engines[i].document = read_document(desired->engines[i].number, request->context);
		MemoryContextSwitchTo(spi);
	}
}

CctvOutcome
cctv_read_desired(CctvDesired *desired, bool spare, CctvFailure *failure)
{
	Request request;
	CctvOutcome outcome;

	memset(desired, 0, sizeof(*desired));
	request.desired = desired;
	request.context = CurrentMemoryContext;
	request.notify = true;
	request.spare = spare;
	outcome = cctv_action_run("cctv.assign_engines", read_desired, &request, failure);
	if (outcome == CCTV_NOTIFY_FULL)
	{
		/* Cameras start and stop all the same; who listens may look. */
		cctv_erase_desired(desired);
		request.notify = false;
		outcome = cctv_action_run("cctv.assign_engines", read_desired, &request, failure);
	}
	return outcome;
}

void
cctv_erase_desired(CctvDesired *desired)
{
	for (int i = 0; i < desired->nengines; i++)
	{
		char *document = desired->engines[i].document;

		if (document != NULL)
			explicit_bzero(document, strlen(document));
	}
}
