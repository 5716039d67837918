/*
 * functions.c
 *		The functions that SQL sees.  src/schema declares them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "compat.h"
#include "funcapi.h"
#include "functions.h"
#include "guc.h"
#include "miscadmin.h"
#include "shared_state.h"
#include "utils/builtins.h"
#include "wake.h"

PG_FUNCTION_INFO_V1(cctv_wake);
PG_FUNCTION_INFO_V1(cctv_require_worker);
PG_FUNCTION_INFO_V1(cctv_version);
PG_FUNCTION_INFO_V1(cctv_worker_pid);
PG_FUNCTION_INFO_V1(cctv_ingest_status);

/* Statement trigger on the configuration tables. */
Datum
cctv_wake(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("cctv.wake() must be called as a trigger")));
	cctv_wake_at_commit();
	PG_RETURN_POINTER(NULL);
}

static bool
runs_in_this_database(const char *database)
{
	ListCell *cell;

	foreach (cell, cctv_database_names())
	{
		if (strcmp(lfirst(cell), database) == 0)
			return true;
	}
	return false;
}

void
cctv_check_worker(void)
{
	char *database = get_database_name(MyDatabaseId);

	if (!cctv_shared_state_exists())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cctv was not loaded when the server started"),
				 errhint("Add pg_cctv to \"shared_preload_libraries\" and restart the server.")));
	if (database == NULL || !runs_in_this_database(database))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("pg_cctv does not run cameras in this database"),
						errhint("Run: ALTER SYSTEM SET cctv.databases = %s; "
								"SELECT pg_reload_conf();",
								cctv_databases_with(database ? database : "?"))));
}

/* Error, with what to set, unless cameras can run in this database. */
Datum
cctv_require_worker(PG_FUNCTION_ARGS)
{
	cctv_check_worker();
	PG_RETURN_VOID();
}

/* The library's version; the extension's is in pg_extension. */
Datum
cctv_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CCTV_VERSION));
}

/* PID of this database's worker, NULL when none runs. */
Datum
cctv_worker_pid(PG_FUNCTION_ARGS)
{
	pid_t pid = 0;

	if (cctv_shared_state_exists())
		pid = cctv_worker_pid_of(MyDatabaseId);
	if (pid == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(pid);
}

/* What has become of the events of engines; all null when no worker runs. */
Datum
cctv_ingest_status(PG_FUNCTION_ARGS)
{
	CctvIngestFigures figures = {0};
	bool runs = cctv_shared_state_exists() && cctv_ingest_figures_of(MyDatabaseId, &figures);
	uint64 columns[] = {figures.stored,	 figures.dropped, figures.batches,
						figures.retries, figures.waiting, figures.waiting_bytes};
	Datum values[lengthof(columns)];
	bool nulls[lengthof(columns)];
	TupleDesc descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE ||
		descriptor->natts != lengthof(columns))
		elog(ERROR, "cctv.ingest_status() is declared otherwise than this library has it");
	for (int i = 0; i < lengthof(columns); i++)
	{
		values[i] = Int64GetDatum((int64) columns[i]);
		nulls[i] = !runs;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}
