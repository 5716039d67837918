/*
 * export_functions.c
 *		Exports: asking an engine for them, how far they have come, and what
 *		becomes of their files when the transaction does not commit.
 *
 * Progress is kept where PostgreSQL keeps that of its own commands, so it goes
 * away with the command, however that ends.
 */
#include "postgres.h"

#include "access.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "funcapi.h"
#include "functions.h"
#include "media_dir.h"
#include "miscadmin.h"
#include "request.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(cctv_export);
PG_FUNCTION_INFO_V1(cctv_export_progress);
PG_FUNCTION_INFO_V1(cctv_thumbnail);

/* Between two signs of life of an engine that works on an export. */
#define EXPORT_SILENCE_MS 60000
#define THUMBNAIL_LIMIT_MS 30000
#define WIDEST_THUMBNAIL 16384

/* No command of PostgreSQL has this number: "CCTV". */
#define PROGRESS_COMMAND_EXPORT ((ProgressCommandType) 0x43435456)

enum
{
	PROGRESS_KIND,
	PROGRESS_PHASE,
	PROGRESS_SEGMENTS_TOTAL,
	PROGRESS_SEGMENTS,
	PROGRESS_BYTES_TOTAL,
	PROGRESS_BYTES,
	PROGRESS_FRAMES,
	PROGRESS_COLUMNS
};

static const char *const kinds[] = {"clip", "timelapse"};
static const char *const phases[] = {"waiting", "reading", "finishing"};

/* ---- members of JSON ---- */

static JsonbValue *
member(JsonbContainer *object, const char *name)
{
	JsonbValue key;

	key.type = jbvString;
	key.val.string.val = (char *) name;
	key.val.string.len = strlen(name);
	return findJsonbValueFromContainer(object, JB_FOBJECT, &key);
}

/* A number from 0 on; 0 for everything else. */
static int64
number_member(Jsonb *json, const char *name)
{
	JsonbValue *value = member(&json->root, name);
	char *text;
	int64 number;

	if (value == NULL || value->type != jbvNumeric)
		return 0;
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	number = (int64) strtoll(text, NULL, 10);
	pfree(text);
	return Max(number, 0);
}

/* Which of these words it is; 0 for anything else. */
static int
word_member(Jsonb *json, const char *name, const char *const *words, int nwords)
{
	JsonbValue *value = member(&json->root, name);

	for (int i = 0; value != NULL && value->type == jbvString && i < nwords; i++)
	{
		if (value->val.string.len == strlen(words[i]) &&
			memcmp(value->val.string.val, words[i], strlen(words[i])) == 0)
			return i;
	}
	return 0;
}

/* ---- files of transactions that do not commit ---- */

typedef struct NewFile
{
	struct NewFile *next;
	int level; /* of the transaction it belongs to */
	char path[FLEXIBLE_ARRAY_MEMBER];
} NewFile;

static NewFile *new_files;

/* Remove or keep the files of this level and those within it. */
static void
settle(int level, bool keep)
{
	NewFile **link = &new_files;

	while (*link != NULL)
	{
		NewFile *file = *link;

		if (file->level < level)
		{
			link = &file->next;
			continue;
		}
		*link = file->next;
		if (!keep && cctv_media_unlink(file->path) < 0 && errno != ENOENT)
			ereport(WARNING, (errcode_for_file_access(),
							  errmsg("could not remove media file \"%s\": %m", file->path)));
		free(file);
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			settle(0, false);
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PREPARE:
			settle(0, true);
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		settle(level, false);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (NewFile *file = new_files; file != NULL; file = file->next)
			file->level = Min(file->level, level - 1);
	}
}

/* The file goes unless this transaction commits. */
static void
remove_at_abort(const char *path, size_t length)
{
	static bool registered = false;
	NewFile *file = malloc(offsetof(NewFile, path) + length + 1);

	if (file == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		RegisterSubXactCallback(at_subtransaction_end, NULL);
		registered = true;
	}
	/* The directory's name must be known when the transaction has failed. */
	pfree(cctv_database_media_dir());
	memcpy(file->path, path, length);
	file->path[length] = '\0';
	file->level = GetCurrentTransactionNestLevel();
	file->next = new_files;
	new_files = file;
}

/* Those that an engine says it has made. */
static void
remove_files_at_abort(Jsonb *made)
{
	JsonbValue *files = member(&made->root, "files");

	if (files == NULL || files->type != jbvBinary || !JsonContainerIsArray(files->val.binary.data))
		return;
	for (uint32 i = 0; i < JsonContainerSize(files->val.binary.data); i++)
	{
		JsonbValue *file = getIthJsonbValueFromContainer(files->val.binary.data, i);
		JsonbValue *path = file->type == jbvBinary && JsonContainerIsObject(file->val.binary.data)
							   ? member(file->val.binary.data, "path")
							   : NULL;

		if (path != NULL && path->type == jbvString)
			remove_at_abort(path->val.string.val, path->val.string.len);
	}
}

/* ---- asking ---- */

static void
begin_progress(Jsonb *order, int64 segments)
{
	pgstat_progress_start_command(PROGRESS_COMMAND_EXPORT, (Oid) number_member(order, "camera_id"));
	pgstat_progress_update_param(PROGRESS_KIND, word_member(order, "kind", kinds, lengthof(kinds)));
	pgstat_progress_update_param(PROGRESS_SEGMENTS_TOTAL, segments);
	pgstat_progress_update_param(PROGRESS_BYTES_TOTAL, number_member(order, "bytes"));
}

static void
show_progress(Jsonb *json)
{
	static const int columns[] = {PROGRESS_PHASE, PROGRESS_SEGMENTS, PROGRESS_BYTES,
								  PROGRESS_FRAMES};
	int64 values[lengthof(columns)];

	values[0] = word_member(json, "phase", phases, lengthof(phases));
	values[1] = number_member(json, "segments");
	values[2] = number_member(json, "bytes");
	values[3] = number_member(json, "frames");
	pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

/* One more member for a request: what nobody may see, whoever asks. */
static Jsonb *
with_privacy(Jsonb *request, int32 camera)
{
	Oid types[2] = {JSONBOID, INT4OID};
	Datum values[2];
	bool isnull;

	values[0] = JsonbPGetDatum(request);
	values[1] = Int32GetDatum(camera);
	return DatumGetJsonbP(cctv_call_as_worker(
		"select $1 || jsonb_build_object('privacy', cctv.zone_points($2, 'privacy'))", true, 2,
		types, values, NULL, &isnull));
}

/* Store the rows of what was made: their keys, an array. */
static Datum
keep_exports(Datum camera, Jsonb *order, Jsonb *made)
{
	Oid types[3] = {INT4OID, TEXTOID, JSONBOID};
	Datum values[3];
	bool isnull;

	values[0] = camera;
	values[1] = CStringGetTextDatum(kinds[word_member(order, "kind", kinds, lengthof(kinds))]);
	values[2] = JsonbPGetDatum(made);
	return cctv_call_as_worker("select cctv.keep_exports($1, $2, $3)", false, 3, types, values,
							   NULL, &isnull);
}

/* Read something with the rights of the caller: never null. */
static Datum
call_for_export(const char *query, const Oid types[4], const Datum values[4], const char *nulls)
{
	bool isnull;
	Datum value = cctv_call(query, true, 4, types, values, nulls, &isnull);

	if (isnull)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is nothing to export")));
	return value;
}

/*
 * export(camera integer, from_at, upto, settings jsonb) returns bigint[]: what is
 * read is read with the rights of the caller, rows are stored with the worker's.
 */
Datum
cctv_export(PG_FUNCTION_ARGS)
{
	Oid types[4] = {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID};
	Datum values[4];
	char nulls[4];
	CctvRequest request;
	Jsonb *made;
	Datum rows;
	int64 segments = 0;

	/* Before an engine works on it. */
	PreventCommandIfReadOnly("an export of recordings");
	for (int i = 0; i < 4; i++)
	{
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	memset(&request, 0, sizeof(request));
	request.json = DatumGetJsonbP(call_for_export(
		"select cctv.export_order($1, $2, $3) || coalesce($4, '{}')", types, values, nulls));
	request.binary = DatumGetByteaPP(
		call_for_export("select cctv.export_segments($1, $2, $3) from (select $4) as unused", types,
						values, nulls));
	for (int i = 0; i < VARSIZE_ANY_EXHDR(request.binary); i++)
		segments += VARDATA_ANY(request.binary)[i] == '\n';
	request.json = with_privacy(request.json, DatumGetInt32(values[0]));
	request.kind = CCTV_REQUEST_EXPORT;
	request.engine = CCTV_ANY_ENGINE;
	request.limit_ms = EXPORT_SILENCE_MS;
	request.progress = show_progress;
	begin_progress(request.json, segments);
	made = cctv_ask(&request).json;
	remove_files_at_abort(made);
	rows = keep_exports(values[0], request.json, made);
	pgstat_progress_end_command();
	PG_RETURN_DATUM(rows);
}

/* What an engine is told of a recording that the caller may see. */
static Jsonb *
describe_recording(int64 recording, int32 max_width)
{
	Oid types[2] = {INT8OID, INT4OID};
	Datum values[2];
	Datum value;
	bool isnull;
	Jsonb *json;

	values[0] = Int64GetDatum(recording);
	values[1] = Int32GetDatum(max_width);
	/* Not what is stable: it may be a row that the same statement has made. */
	value = cctv_call("select (select jsonb_build_object('path', path, 'max_width', $2, "
					  "'camera_id', camera_id) from cctv.recordings where recording_id = $1)",
					  false, 2, types, values, NULL, &isnull);
	if (isnull)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("recording " INT64_FORMAT " does not exist", recording)));
	json = DatumGetJsonbP(value);
	return with_privacy(json, (int32) number_member(json, "camera_id"));
}

/* thumbnail(recording bigint, max_width integer) returns bytea: a JPEG. */
Datum
cctv_thumbnail(PG_FUNCTION_ARGS)
{
	int32 max_width = PG_GETARG_INT32(1);
	CctvRequest request;
	bytea *picture;

	if (max_width < 16 || max_width > WIDEST_THUMBNAIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_width must be from 16 to %d pixels", WIDEST_THUMBNAIL)));
	memset(&request, 0, sizeof(request));
	request.kind = CCTV_REQUEST_THUMBNAIL;
	request.engine = CCTV_ANY_ENGINE;
	request.json = describe_recording(PG_GETARG_INT64(0), max_width);
	request.limit_ms = THUMBNAIL_LIMIT_MS;
	picture = cctv_ask(&request).binary;
	cctv_check_jpeg(picture);
	PG_RETURN_BYTEA_P(picture);
}

/* ---- how far they have come ---- */

static const char *
word(const char *const *words, int nwords, int64 number)
{
	return number >= 0 && number < nwords ? words[number] : "?";
}

static void
put_entry(Tuplestorestate *rows, TupleDesc shape, const PgBackendStatus *entry)
{
	const int64 *param = entry->st_progress_param;
	Datum values[3 + PROGRESS_COLUMNS];
	bool nulls[lengthof(values)];

	memset(nulls, 0, sizeof(nulls));
	values[0] = Int32GetDatum(entry->st_procpid);
	values[1] = ObjectIdGetDatum(entry->st_databaseid);
	values[2] = Int32GetDatum((int32) entry->st_progress_command_target);
	values[3] = CStringGetTextDatum(word(kinds, lengthof(kinds), param[PROGRESS_KIND]));
	values[4] = CStringGetTextDatum(word(phases, lengthof(phases), param[PROGRESS_PHASE]));
	for (int i = PROGRESS_SEGMENTS_TOTAL; i < PROGRESS_COLUMNS; i++)
		values[3 + i] = Int64GetDatum(param[i]);
	tuplestore_putvalues(rows, shape, values, nulls);
}

/*
 * export_progress() returns table(pid, datid, camera_id, kind, phase,
 * segments_total, segments_done, bytes_total, bytes_done, frames): exports that
 * are being made, those of roles whose activity the caller may see.
 */
Datum
cctv_export_progress(PG_FUNCTION_ARGS)
{
	Tuplestorestate *rows = cctv_begin_rows(fcinfo);
	TupleDesc shape = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	bool sees_all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	int nbackends = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= nbackends; i++)
	{
		LocalPgBackendStatus *local = cctv_backend_entry(i);

		if (local != NULL && local->backendStatus.st_progress_command == PROGRESS_COMMAND_EXPORT &&
			(sees_all || has_privs_of_role(GetUserId(), local->backendStatus.st_userid)))
			put_entry(rows, shape, &local->backendStatus);
	}
	return (Datum) 0;
}
