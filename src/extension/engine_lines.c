/*
 * engine_lines.c
 *		What becomes of a line from an engine: refused, logged, or kept for ingest.
 */
#include "postgres.h"

#include "clock.h"
#include "engine_lines.h"
#include "event_line.h"
#include "ingest.h"
#include "utils/memutils.h"

/* Not more than a bounded number of messages comes from an engine. */
static bool
may_log(CctvEngine *engine)
{
	int suppressed;

	if (!cctv_rate_limit_allow(&engine->log_limit, cctv_now_ms(), &suppressed))
		return false;
	if (suppressed > 0)
		ereport(LOG, (errmsg("pg_cctv suppressed %d messages about engine %d", suppressed,
							 engine->number)));
	return true;
}

/* Say what is wrong with a line, and go on. */
static void
refuse_line(CctvEngine *engine, const char *problem, const char *data, int length)
{
	engine->refused_lines++;
	if (may_log(engine))
		ereport(WARNING,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("pg_cctv refused a line of engine %d: %s", engine->number, problem),
				 data != NULL ? errdetail("Line: %s", cctv_printable(data, length)) : 0));
}

/* A log line of the engine becomes one of the server's. */
static void
log_line(CctvEngine *engine, const CctvEventLine *line)
{
	char *level = cctv_event_line_text(line, "level");
	char *message = cctv_event_line_text(line, "message");
	int elevel = LOG;

	if (strcmp(level, "error") == 0 || strcmp(level, "warning") == 0)
		elevel = WARNING;
	else if (strcmp(level, "debug") == 0)
		elevel = DEBUG1;
	if (!may_log(engine))
		return;
	if (line->camera_id != 0)
		ereport(elevel, (errmsg("camera %d: %s", line->camera_id, message)));
	else
		ereport(elevel, (errmsg("engine %d: %s", engine->number, message)));
}

static void
note_heartbeat(CctvEngine *engine, const CctvEventLine *line)
{
	engine->queued = cctv_event_line_count(line, "queued");
	engine->waiting = cctv_event_line_count(line, "waiting");
}

static void
take_line(CctvEngine *engine, const char *data, int length)
{
	CctvEventLine line;
	CctvEngineCamera *camera = NULL;
	const char *problem;

	engine->lines++;
	engine->silence_ms = 0;
	if (data == NULL)
	{
		refuse_line(engine, "too long", NULL, 0);
		return;
	}
	problem = cctv_event_line_check(data, length, &line);
	if (problem == NULL && line.camera_id != 0)
	{
		camera = cctv_engine_camera(engine, line.camera_id);
		if (camera == NULL)
			problem = "its camera is not assigned to this engine";
	}
	if (problem != NULL)
	{
		refuse_line(engine, problem, data, length);
		return;
	}

	if (line.type == CCTV_LOG)
		log_line(engine, &line);
	else if (line.type == CCTV_STATS && line.camera_id == 0)
		note_heartbeat(engine, &line);
	else if (camera != NULL &&
			 (camera->served || line.type == CCTV_RECORDING || line.type == CCTV_SNAPSHOT))
		cctv_ingest_line(engine->number, &line);
	/*
	 * Else the last words of a camera that left it: of those only what it says of
	 * files matters still.
	 */
}

/* Thousands of lines may come at once: what one leaves in memory goes with it. */
void
cctv_engine_take_line(void *arg, const char *data, int length)
{
	static MemoryContext scratch = NULL;
	MemoryContext caller = CurrentMemoryContext;

	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "pg_cctv line", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	take_line(arg, data, length);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(scratch);
}
