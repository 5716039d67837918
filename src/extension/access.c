/*
 * access.c
 *		Whose rights count.
 *
 * Row security asks on behalf of the current user which cameras that role may
 * see, operate or manage.  The answer is in tables that the role itself may
 * read only in part, so it is found with the rights of cctv_worker.  A SECURITY
 * DEFINER function in SQL could not do it: within it the current user is the
 * definer, the session's user is wrong behind SET ROLE and behind a pooler,
 * and a role handed over as an argument can be any.  These functions are
 * called with the rights of the caller, note who that is, and only then change
 * the user, as the checks of foreign keys do.
 */
#include "postgres.h"

#include "access.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(cctv_my_cameras);
PG_FUNCTION_INFO_V1(cctv_caller);
PG_FUNCTION_INFO_V1(cctv_only_worker);
PG_FUNCTION_INFO_V1(cctv_set_credentials);

#define WORKER_ROLE "cctv_worker"

Datum
cctv_call(const char *query, bool is_stable, int count, const Oid *types, const Datum *values,
		  const char *nulls, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid parameter_types[CCTV_MOST_PARAMETERS];
	Datum parameters[CCTV_MOST_PARAMETERS];
	Datum value = (Datum) 0;
	Oid type;
	int16 length;
	bool by_value;

	Assert(count <= CCTV_MOST_PARAMETERS);
	memcpy(parameter_types, types, count * sizeof(Oid));
	memcpy(parameters, values, count * sizeof(Datum));
	SPI_connect();
	if (SPI_execute_with_args(query, count, parameter_types, parameters, nulls, is_stable, 1) !=
			SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "unexpected result of a query of pg_cctv");
	type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	if (!*isnull && type != VOIDOID)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		get_typlenbyval(type, &length, &by_value);
		value = datumCopy(value, by_value, length);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return value;
}

Datum
cctv_call_as_worker(const char *query, bool is_stable, int count, const Oid *types,
					const Datum *values, const char *nulls, bool *isnull)
{
	Oid caller;
	int context;
	Datum value;

	/* An error ends the (sub)transaction, which brings the user back. */
	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(get_role_oid(WORKER_ROLE, false),
						   context | SECURITY_LOCAL_USERID_CHANGE);
	value = cctv_call(query, is_stable, count, types, values, nulls, isnull);
	SetUserIdAndSecContext(caller, context);
	return value;
}

void
cctv_check_camera(int32 camera, const char *privilege)
{
	Oid types[2] = {INT4OID, TEXTOID};
	Datum values[2];
	bool isnull;

	values[0] = Int32GetDatum(camera);
	values[1] = CStringGetTextDatum(privilege);
	cctv_call("select cctv.checked_camera($1, $2)", true, 2, types, values, NULL, &isnull);
}

/* cctv.my_cameras(privilege text) returns setof integer: see src/schema. */
Datum
cctv_my_cameras(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	int32 *cameras;

	if (SRF_IS_FIRSTCALL())
	{
		Oid types[2] = {OIDOID, TEXTOID};
		Datum values[2];
		MemoryContext before;
		ArrayType *array;
		bool isnull;

		call = SRF_FIRSTCALL_INIT();
		before = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		values[0] = ObjectIdGetDatum(GetUserId());
		values[1] = PG_GETARG_DATUM(0);
		array = DatumGetArrayTypeP(cctv_call_as_worker("select cctv.cameras_of($1, $2)", true, 2,
													   types, values, NULL, &isnull));
		if (ARR_NDIM(array) > 1 || ARR_HASNULL(array))
			elog(ERROR, "unexpected result of a query of pg_cctv");
		call->max_calls = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		call->user_fctx = ARR_DATA_PTR(array);
		MemoryContextSwitchTo(before);
	}

	call = SRF_PERCALL_SETUP();
	cameras = call->user_fctx;
	if (call->call_cntr < call->max_calls)
	{
		/* SRF_RETURN_NEXT() counts before it looks at its argument. */
		Datum camera = Int32GetDatum(cameras[call->call_cntr]);

		SRF_RETURN_NEXT(call, camera);
	}
	SRF_RETURN_DONE(call);
}

/*
 * cctv.caller() returns regrole: the role in force outside all SECURITY DEFINER
 * functions, SET ROLE included.
 */
Datum
cctv_caller(PG_FUNCTION_ARGS)
{
	PG_RETURN_OID(GetOuterUserId());
}

/* cctv.only_worker() returns void: an error unless the worker or a superuser calls. */
Datum
cctv_only_worker(PG_FUNCTION_ARGS)
{
	Oid caller = GetOuterUserId();

	if (caller != get_role_oid(WORKER_ROLE, false) && !superuser_arg(caller))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only the worker of pg_cctv may do this")));
	PG_RETURN_VOID();
}

/*
 * cctv.set_credentials(camera integer, username text, password text, host text)
 * returns void: they are stored with the rights of the worker, whose alone the
 * table is.
 */
Datum
cctv_set_credentials(PG_FUNCTION_ARGS)
{
	Oid types[4] = {INT4OID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[4];
	char nulls[4];
	bool isnull;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("camera must not be null")));
	cctv_check_camera(PG_GETARG_INT32(0), "manage");
	for (int i = 0; i < 4; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
	cctv_call_as_worker("select cctv.store_credentials($1, $2, $3, $4)", false, 4, types, values,
						nulls, &isnull);
	PG_RETURN_VOID();
}
