/*
 * request_functions.c
 *		The SQL functions that ask an engine.  src/schema declares them.
 *
 * What they need to know from tables they read with the rights of the caller,
 * so that privileges and row security decide who may ask about which camera.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "functions.h"
#include "guc.h"
#include "miscadmin.h"
#include "request.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(cctv_analyze);
PG_FUNCTION_INFO_V1(cctv_probe);
PG_FUNCTION_INFO_V1(cctv_live_frame);
PG_FUNCTION_INFO_V1(cctv_snapshot_now);
PG_FUNCTION_INFO_V1(cctv_check_model);

/* A model may have to be loaded first, and others may be waiting. */
#define REQUEST_LIMIT_MS 30000
#define LONGEST_PROBE_MS 60000

/* ---- reading with SPI ---- */

/* The first row of a query with one parameter; the caller has connected to SPI. */
static bool
read_row(const char *query, Oid type, Datum value)
{
	if (SPI_execute_with_args(query, 1, &type, &value, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a query of pg_cctv");
	return SPI_processed > 0;
}

/* A column of it as text, NULL if it is null; gone with SPI. */
static char *
column_text(int column)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);
}

/* A jsonb column of it, in the given context. */
static Jsonb *
column_json(int column, MemoryContext context)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext spi = MemoryContextSwitchTo(context);
	Jsonb *json = isnull ? NULL : DatumGetJsonbPCopy(value);

	MemoryContextSwitchTo(spi);
	return json;
}

static double
interval_seconds(const Interval *interval)
{
	return (interval->month * (double) DAYS_PER_MONTH + interval->day) * SECS_PER_DAY +
		   interval->time / (double) USECS_PER_SEC;
}

/* ---- returning rows ---- */

Tuplestorestate *
cctv_begin_rows(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext before;
	TupleDesc shape;
	Tuplestorestate *rows;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		!(result->allowedModes & SFRM_Materialize) ||
		get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set-valued function called in a context that cannot take a set")));
	before = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	rows = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false,
								 work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = rows;
	result->setDesc = CreateTupleDescCopy(shape);
	MemoryContextSwitchTo(before);
	return rows;
}

/* Let a query take an answer apart: its casts check what the engine says. */
static void
return_rows(Tuplestorestate *rows, const char *query, Jsonb *json)
{
	Oid type = JSONBOID;
	Datum value = JsonbPGetDatum(json);

	SPI_connect();
	if (SPI_execute_with_args(query, 1, &type, &value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a query of pg_cctv");
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(rows, SPI_tuptable->vals[i]);
	SPI_finish();
}

/* ---- analyze ---- */

/* {"model": ...} for a model by its name. */
static Jsonb *
describe_model(text *name)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb *json;

	SPI_connect();
	if (!read_row("select jsonb_build_object('model', to_jsonb(m)) "
				  "from cctv.models as m where m.name = $1",
				  TEXTOID, PointerGetDatum(name)))
	{
		char *names;

		read_row("select string_agg(name, ', ' order by name) from cctv.models where $1", BOOLOID,
				 BoolGetDatum(true));
		names = column_text(1);
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" does not exist", text_to_cstring(name)),
						errhint("Models: %s.", names != NULL ? names : "none")));
	}
	json = column_json(1, context);
	SPI_finish();
	return json;
}

/* analyze(image bytea, model text) returns table(label, confidence, x, y, w, h, attributes) */
Datum
cctv_analyze(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = cctv_begin_rows(fcinfo);
	Size size = toast_raw_datum_size(PG_GETARG_DATUM(0)) - VARHDRSZ;
	CctvRequest request;

	/* Before it is unpacked. */
	if (size > (Size) cctv_max_image_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the image of %zu bytes is larger than \"cctv.max_image_bytes\"", size),
				 errdetail("It is %d bytes.", cctv_max_image_bytes)));
	memset(&request, 0, sizeof(request));
	request.kind = CCTV_REQUEST_ANALYZE;
	request.engine = CCTV_ANY_ENGINE;
	request.json = describe_model(PG_GETARG_TEXT_PP(1));
	request.binary = PG_GETARG_BYTEA_PP(0);
	request.limit_ms = REQUEST_LIMIT_MS;
	return_rows(rows,
				"select o.label, o.confidence, (o.box ->> 0)::real, (o.box ->> 1)::real, "
				"(o.box ->> 2)::real, (o.box ->> 3)::real, o.attributes "
				"from jsonb_to_recordset($1 -> 'objects') "
				"as o (label text, confidence real, box jsonb, attributes jsonb)",
				cctv_ask(&request).json);
	return (Datum) 0;
}

/* ---- probe ---- */

/*
 * A file or a device of the server, as the engine understands addresses: what
 * the server can read is not for everybody.
 */
static void
check_address(const char *address)
{
	bool is_local = address[0] == '/' || pg_strncasecmp(address, "file:", 5) == 0 ||
					address[strspn(address, "0123456789")] == '\0';

	if (is_local && !has_privs_of_role(GetUserId(), get_role_oid("cctv_admin", false)))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to read files and devices of the server"),
						errhint("Members of cctv_admin may probe them.")));
}

/* probe(address text, username text, password text, time_limit interval) returns table(...) */
Datum
cctv_probe(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = cctv_begin_rows(fcinfo);
	Oid types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum values[3];
	char nulls[3];
	double seconds;
	CctvRequest request;
	MemoryContext context = CurrentMemoryContext;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("address and time_limit must not be null")));
	check_address(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	seconds = interval_seconds(PG_GETARG_INTERVAL_P(3));
	if (!(seconds >= 0.1 && seconds <= LONGEST_PROBE_MS / 1000))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time_limit must be from 0.1 to %d seconds", LONGEST_PROBE_MS / 1000)));
	for (int i = 0; i < 3; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}

	memset(&request, 0, sizeof(request));
	SPI_connect();
	if (SPI_execute_with_args("select jsonb_build_object('address', $1, 'username', $2, "
							  "'password', $3)",
							  3, types, values, nulls, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a query of pg_cctv");
	request.json = column_json(1, context);
	SPI_finish();
	request.kind = CCTV_REQUEST_PROBE;
	request.engine = CCTV_ANY_ENGINE;
	request.limit_ms = (int) (seconds * 1000);
	return_rows(
		rows,
		"select s.url, s.codec, s.width, s.height, s.fps, s.still "
		"from jsonb_to_recordset($1 -> 'streams') "
		"as s (url text, codec text, width integer, height integer, fps real, still boolean)",
		cctv_ask(&request).json);
	return (Datum) 0;
}

/* ---- pictures of a camera ---- */

/* The engine that runs the camera, as the caller may know it; an error when none does. */
static int
engine_of(int32 camera)
{
	int engine = 0;
	char *text;

	SPI_connect();
	if (!read_row("select s.engine, c.name, coalesce(s.state, 'stopped') "
				  "from cctv.cameras as c left join cctv.camera_status as s using (camera_id) "
				  "where c.camera_id = $1 and c.removed_at is null",
				  INT4OID, Int32GetDatum(camera)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("camera %d does not exist", camera),
				 errhint("See the cameras with: select * from cctv.status.")));
	text = column_text(1);
	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("camera \"%s\" is %s", column_text(2), column_text(3)),
						errhint("Start it: select cctv.start(%d).", camera)));
	engine = atoi(text);
	SPI_finish();
	return engine;
}

static CctvAnswer
ask_for_picture(CctvFrameKind kind, int32 camera, bool annotated, int max_width)
{
	CctvRequest request;
	char *json = psprintf("{\"camera_id\": %d, \"annotated\": %s, \"max_width\": %d}", camera,
						  annotated ? "true" : "false", max_width);

	memset(&request, 0, sizeof(request));
	request.kind = kind;
	request.engine = engine_of(camera);
	request.json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	request.limit_ms = REQUEST_LIMIT_MS;
	return cctv_ask(&request);
}

void
cctv_check_jpeg(const bytea *picture)
{
	if (VARSIZE_ANY_EXHDR(picture) < 3 || memcmp(VARDATA_ANY(picture), "\xff\xd8\xff", 3) != 0)
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("an engine of pg_cctv sent a picture that is none")));
}

/* live_frame(camera integer, annotated boolean, max_width integer) returns bytea */
Datum
cctv_live_frame(PG_FUNCTION_ARGS)
{
	int max_width = 0;
	bytea *picture;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2))
	{
		max_width = PG_GETARG_INT32(2);
		if (max_width < 16)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("max_width must be at least 16 pixels")));
	}
	picture =
		ask_for_picture(CCTV_REQUEST_LIVE_FRAME, PG_GETARG_INT32(0), PG_GETARG_BOOL(1), max_width)
			.binary;
	cctv_check_jpeg(picture);
	PG_RETURN_BYTEA_P(picture);
}

/*
 * snapshot_now(camera integer, annotated boolean) returns jsonb: its row is
 * stored with the rights of the worker, so that nobody can make one up.
 */
Datum
cctv_snapshot_now(PG_FUNCTION_ARGS)
{
	Oid types[2] = {INT4OID, JSONBOID};
	Datum values[2];
	bool isnull;
	Jsonb *picture;

	cctv_check_camera(PG_GETARG_INT32(0), "operate");
	picture = ask_for_picture(CCTV_REQUEST_SNAPSHOT, PG_GETARG_INT32(0), PG_GETARG_BOOL(1), 0).json;
	values[0] = PG_GETARG_DATUM(0);
	values[1] = JsonbPGetDatum(picture);
	cctv_call_as_worker("select cctv.keep_picture($1, $2)", false, 2, types, values, NULL, &isnull);
	PG_RETURN_JSONB_P(picture);
}

/* ---- models ---- */

/* check_model(model jsonb) returns jsonb */
Datum
cctv_check_model(PG_FUNCTION_ARGS)
{
	CctvRequest request;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(
		&json, "{\"model\": %s}",
		JsonbToCString(NULL, &PG_GETARG_JSONB_P(0)->root, VARSIZE(PG_GETARG_JSONB_P(0))));
	memset(&request, 0, sizeof(request));
	request.kind = CCTV_REQUEST_CHECK_MODEL;
	request.engine = CCTV_ANY_ENGINE;
	request.json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
	request.limit_ms = REQUEST_LIMIT_MS;
	PG_RETURN_JSONB_P(cctv_ask(&request).json);
}
