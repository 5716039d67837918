/*
 * engine_process.c
 *		One engine: its process, its cameras, and what it is told and tells.
 *
 * Level-triggered: cctv_engine_assign() and cctv_engine_end() say what should
 * be, cctv_engine_supervise() moves the process one step towards it.  The
 * process is reaped by its PID, once what it had still sent was read.
 */
#include "postgres.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "engine_lines.h"
#include "engine_process.h"
#include "engine_socket.h"
#include "guc.h"
#include "ingest.h"
#include "protocol.h"
#include "utils/json.h"

#define FIRST_DELAY_MS 1000
#define LONGEST_DELAY_MS 60000
#define HEALTHY_AFTER_MS 60000 /* an engine that lived this long starts afresh */
#define STOP_LIMIT_MS 5000	   /* between SIGTERM and SIGKILL */
#define LAST_BREATH_MS 1000	   /* between the end of its socket and SIGTERM */
#define LONGEST_LOOK_MS 2000   /* silence while the worker was busy elsewhere */
#define TICK_MS 1000
#define REAP_INTERVAL_MS 20		/* while we wait for a process to end */
#define MAX_LINES_PER_TICK 5000 /* what is above is read in the next second */
#define MAX_FINAL_READS 16		/* what a dead engine's socket can hold, and more */
#define CRASHES_TO_QUARANTINE 2

CctvEngine *
cctv_engine_create(int number)
{
	CctvEngine *engine = MemoryContextAllocZero(TopMemoryContext, sizeof(CctvEngine));

	engine->number = number;
	engine->state = CCTV_ENGINE_DOWN;
	engine->channel.fd = -1;
	return engine;
}

static void
replace_document(CctvEngine *engine, const char *document)
{
	if (engine->document != NULL)
	{
		explicit_bzero(engine->document, strlen(engine->document));
		pfree(engine->document);
	}
	engine->document = document ? MemoryContextStrdup(TopMemoryContext, document) : NULL;
}

static void
set_message(CctvEngine *engine, const char *message)
{
	if (engine->message != NULL)
		pfree(engine->message);
	engine->message = message ? MemoryContextStrdup(TopMemoryContext, message) : NULL;
}

void
cctv_engine_free(CctvEngine *engine)
{
	Assert(engine->state == CCTV_ENGINE_DOWN);
	replace_document(engine, NULL);
	set_message(engine, NULL);
	if (engine->cameras != NULL)
		pfree(engine->cameras);
	pfree(engine);
}

CctvEngineCamera *
cctv_engine_camera(CctvEngine *engine, int32 camera_id)
{
	for (int i = 0; i < engine->ncameras; i++)
	{
		if (engine->cameras[i].camera_id == camera_id)
			return &engine->cameras[i];
	}
	return NULL;
}

static int
assigned_cameras(const CctvEngine *engine)
{
	int count = 0;

	for (int i = 0; i < engine->ncameras; i++)
		count += engine->cameras[i].assigned;
	return count;
}

/* The process has been told of the cameras that are assigned now. */
static void
note_served(CctvEngine *engine)
{
	for (int i = 0; i < engine->ncameras; i++)
		engine->cameras[i].served = engine->cameras[i].assigned;
}

/* Does the end of the process interrupt a camera? */
static bool
serves_cameras(const CctvEngine *engine)
{
	for (int i = 0; i < engine->ncameras; i++)
	{
		if (engine->cameras[i].served)
			return true;
	}
	return false;
}

/* Former cameras stay known while the process lives that may still name them. */
static void
assign_cameras(CctvEngine *engine, const int32 *cameras, int count)
{
	Size size;

	for (int i = 0; i < engine->ncameras; i++)
		engine->cameras[i].assigned = false;

	size = (engine->ncameras + count) * sizeof(CctvEngineCamera);
	if (engine->cameras == NULL)
		engine->cameras = MemoryContextAlloc(TopMemoryContext, Max(size, 1));
	else
		engine->cameras = repalloc(engine->cameras, Max(size, 1));

	for (int i = 0; i < count; i++)
	{
		CctvEngineCamera *camera = cctv_engine_camera(engine, cameras[i]);

		if (camera == NULL)
		{
			camera = &engine->cameras[engine->ncameras++];
			camera->camera_id = cameras[i];
			camera->crashes = 0;
			camera->served = false;
		}
		camera->assigned = true;
	}
	/* One that comes back later is served by whoever is told of it then. */
	for (int i = 0; i < engine->ncameras; i++)
		engine->cameras[i].served &= engine->cameras[i].assigned;
}

static void
forget_former_cameras(CctvEngine *engine)
{
	int kept = 0;

	for (int i = 0; i < engine->ncameras; i++)
	{
		if (engine->cameras[i].assigned)
			engine->cameras[kept++] = engine->cameras[i];
	}
	engine->ncameras = kept;
}

/* Has the camera that kept crashing the engine left it for one of its own? */
static bool
culprit_left(CctvEngine *engine)
{
	bool left = false;

	for (int i = 0; i < engine->ncameras; i++)
	{
		CctvEngineCamera *camera = &engine->cameras[i];

		if (camera->assigned || camera->crashes < CRASHES_TO_QUARANTINE)
			continue;
		camera->crashes = 0;
		left = true;
	}
	return left;
}

static void
forget_failures(CctvEngine *engine)
{
	engine->failed_before = false;
	engine->delay_ms = 0;
}

void
cctv_engine_assign(CctvEngine *engine, const int32 *cameras, int count, const char *document)
{
	assign_cameras(engine, cameras, count);
	/* Those that stay need not pay for it. */
	if (engine->state == CCTV_ENGINE_DOWN && culprit_left(engine))
	{
		forget_failures(engine);
		engine->restart_at = 0;
	}
	if (engine->state == CCTV_ENGINE_UP)
		note_served(engine);
	if (engine->document != NULL && document != NULL && strcmp(engine->document, document) == 0)
		return;
	replace_document(engine, document);
	if (engine->document != NULL && engine->state == CCTV_ENGINE_UP)
	{
		cctv_channel_send(&engine->channel, engine->document);
		cctv_channel_flush(&engine->channel);
	}
}

/* Ask the process to end; force follows. */
static void
ask_to_end(CctvEngine *engine)
{
	cctv_socket_remove(engine->number);
	kill(engine->child.pid, SIGTERM);
	engine->state = CCTV_ENGINE_ENDING;
	engine->deadline = cctv_now_ms() + STOP_LIMIT_MS;
}

static void
kill_process(CctvEngine *engine)
{
	cctv_socket_remove(engine->number);
	kill(engine->child.pid, SIGKILL);
	engine->state = CCTV_ENGINE_KILLED;
}

static void
explain_end(CctvEngine *engine, const char *reason)
{
	engine->explained = true;
	set_message(engine, reason);
}

void
cctv_engine_end(CctvEngine *engine, const char *reason)
{
	if (engine->state == CCTV_ENGINE_UP)
	{
		engine->intended = true;
		explain_end(engine, reason);
		ask_to_end(engine);
	}
	else if (engine->state == CCTV_ENGINE_DOWN)
		engine->restart_at = 0;
}

static void
schedule_restart(CctvEngine *engine, int64 now)
{
	if (engine->failed_before)
		engine->delay_ms = cctv_next_delay(engine->delay_ms, FIRST_DELAY_MS, LONGEST_DELAY_MS);
	engine->failed_before = true;
	engine->restart_at = now + engine->delay_ms;
}

static void
start(CctvEngine *engine, int64 now)
{
	int requests = cctv_socket_listen(engine->number);
	bool spawned = cctv_child_spawn(cctv_engine_path, requests, &engine->child);

	if (requests >= 0)
		close(requests);
	if (!spawned)
	{
		cctv_socket_remove(engine->number);
		set_message(engine, "could not be started");
		cctv_ingest_engine_lost(engine->number, "engine could not be started");
		engine->failed_before = true;
		schedule_restart(engine, now);
		return;
	}
	engine->state = CCTV_ENGINE_UP;
	engine->intended = false;
	engine->explained = false;
	engine->ended_stream = false;
	engine->starts++;
	engine->started_at = now;
	engine->watched_at = now;
	engine->silence_ms = 0;
	engine->queued = 0;
	engine->waiting = 0;
	forget_former_cameras(engine);
	note_served(engine);
	cctv_channel_open(&engine->channel, engine->child.control);
	cctv_channel_send(&engine->channel, engine->document);
	cctv_channel_flush(&engine->channel);
	ereport(LOG, (errmsg("pg_cctv started engine %d (PID %d)", engine->number,
						 (int) engine->child.pid)));
}

void
cctv_engine_read(CctvEngine *engine)
{
	if (cctv_channel_read(&engine->channel, cctv_engine_take_line, engine) != CCTV_READ_END)
		return;

	/* It is ending, most likely: let it, so that its status tells the truth. */
	engine->ended_stream = true;
	engine->deadline = cctv_now_ms() + LAST_BREATH_MS;
}

/* The dead process blamed a camera: from the second time on it must live alone. */
static void
note_crash(CctvEngine *engine, int32 camera_id)
{
	CctvEngineCamera *camera = cctv_engine_camera(engine, camera_id);

	if (camera == NULL || !camera->assigned)
		return;
	camera->crashes++;
	if (camera->crashes >= CRASHES_TO_QUARANTINE && assigned_cameras(engine) > 1)
		cctv_ingest_quarantine(
			camera_id, psprintf("crashed engine %d %d times", engine->number, camera->crashes));
}

static char *
describe_status(int status)
{
	if (WIFSIGNALED(status))
		return psprintf("was terminated by signal %d: %s", WTERMSIG(status),
						pg_strsignal(WTERMSIG(status)));
	return psprintf("exited with code %d", WEXITSTATUS(status));
}

/* Log an end that nobody asked for. */
static void
report_failure(CctvEngine *engine, int32 camera_id)
{
	char *words = cctv_child_last_words(&engine->child);

	ereport(WARNING, (errmsg("pg_cctv engine %d (PID %d) %s", engine->number,
							 (int) engine->child.pid, engine->message),
					  camera_id > 0 ? errdetail("It was serving camera %d.", camera_id) : 0,
					  words[0] != '\0' ? errcontext("its last words: %s", words) : 0));
}

/* The process ended: draw the consequences. */
static void
note_end(CctvEngine *engine, int status, int64 now)
{
	int32 camera_id = 0;

	if (!engine->explained)
		set_message(engine, describe_status(status));
	if (engine->intended)
	{
		ereport(LOG, (errmsg("pg_cctv engine %d (PID %d) %s", engine->number,
							 (int) engine->child.pid, engine->message)));
		engine->restart_at = 0;
	}
	else
	{
		/* The note was written by a process that may have been hostile. */
		camera_id = cctv_child_blames(&engine->child);
		if (cctv_engine_camera(engine, camera_id) == NULL)
			camera_id = 0;
		report_failure(engine, camera_id);
		if (now - engine->started_at >= HEALTHY_AFTER_MS)
			forget_failures(engine);
		schedule_restart(engine, now);
	}
	if (serves_cameras(engine))
		cctv_ingest_engine_lost(engine->number, psprintf("engine %s", engine->message));
	/* Only now: what the camera was seeing ends with the engine it was in. */
	note_crash(engine, camera_id);
	if (engine->intended)
		set_message(engine, NULL);
}

/* Has the process ended?  Then clear up after it. */
static void
reap(CctvEngine *engine, int64 now)
{
	int status = 0;
	pid_t reaped = waitpid(engine->child.pid, &status, WNOHANG);

	/* ECHILD would mean that somebody else reaped it: gone all the same. */
	if (reaped == 0 || (reaped < 0 && errno != ECHILD))
		return;

	for (int i = 0; i < MAX_FINAL_READS; i++)
	{
		if (cctv_channel_read(&engine->channel, cctv_engine_take_line, engine) != CCTV_READ_SOME)
			break;
	}
	note_end(engine, status, now);
	cctv_channel_close(&engine->channel);
	cctv_child_close(&engine->child);
	cctv_socket_remove(engine->number);
	engine->state = CCTV_ENGINE_DOWN;
	engine->waiting_for = 0;
}

/*
 * Count silence only as far as we listened: not while a transaction kept us
 * from reading, nor while ingest was full.
 */
static void
watch_silence(CctvEngine *engine, int64 now)
{
	if (cctv_engine_interest(engine) & WL_SOCKET_READABLE)
		engine->silence_ms += Min(now - engine->watched_at, LONGEST_LOOK_MS);
	engine->watched_at = now;
	if (engine->silence_ms <= CCTV_SILENCE_LIMIT_MS)
		return;
	explain_end(engine, psprintf("was silent for %d seconds", CCTV_SILENCE_LIMIT_MS / 1000));
	kill_process(engine);
}

void
cctv_engine_supervise(CctvEngine *engine, int64 now)
{
	if (engine->state != CCTV_ENGINE_DOWN)
		reap(engine, now);

	switch (engine->state)
	{
		case CCTV_ENGINE_DOWN:
			if (engine->wanted && now >= engine->restart_at)
				start(engine, now);
			break;
		case CCTV_ENGINE_UP:
			watch_silence(engine, now);
			if (engine->ended_stream && now >= engine->deadline)
				ask_to_end(engine);
			break;
		case CCTV_ENGINE_ENDING:
			if (now >= engine->deadline)
				kill_process(engine);
			break;
		case CCTV_ENGINE_KILLED:
			break;
	}
}

long
cctv_engine_delay(const CctvEngine *engine, int64 now)
{
	switch (engine->state)
	{
		case CCTV_ENGINE_DOWN:
			return engine->wanted ? Max(0, engine->restart_at - now) : 0;
		case CCTV_ENGINE_UP:
			return engine->ended_stream ? REAP_INTERVAL_MS : TICK_MS;
		case CCTV_ENGINE_ENDING:
		case CCTV_ENGINE_KILLED:
			break;
	}
	return REAP_INTERVAL_MS;
}

int
cctv_engine_interest(const CctvEngine *engine)
{
	int interest = 0;

	if (engine->state == CCTV_ENGINE_DOWN || engine->ended_stream)
		return 0;
	if (!cctv_ingest_is_full() && engine->lines < MAX_LINES_PER_TICK)
		interest |= WL_SOCKET_READABLE;
	if (cctv_channel_has_output(&engine->channel))
		interest |= WL_SOCKET_WRITEABLE;
	return interest;
}

void
cctv_engine_tick(CctvEngine *engine)
{
	engine->lines = 0;
}

/* Queue its figures; a process that is not running has none. */
static void
report_figures(CctvEngine *engine, bool runs, int64 rss, int64 cpu_ms)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"type\": \"engine\", \"engine\": %d, \"restarts\": %d"
					 ", \"refused_lines\": " INT64_FORMAT,
					 engine->number, Max(0, engine->starts - 1), engine->refused_lines);
	if (runs)
		appendStringInfo(&json,
						 ", \"pid\": %d, \"rss\": " INT64_FORMAT ", \"cpu_ms\": " INT64_FORMAT
						 ", \"queued\": %d, \"waiting\": %d",
						 (int) engine->child.pid, rss, cpu_ms, engine->queued, engine->waiting);
	if (engine->message != NULL)
	{
		appendStringInfoString(&json, ", \"message\": ");
		escape_json(&json, engine->message);
	}
	appendStringInfoChar(&json, '}');
	cctv_ingest_engine(engine->number, json.data);
}

void
cctv_engine_report(CctvEngine *engine)
{
	int64 cpu_ms = 0;
	int64 rss = 0;
	int64 rss_mb;
	bool runs = engine->state == CCTV_ENGINE_UP && cctv_child_usage(&engine->child, &cpu_ms, &rss);

	if (engine->wanted)
		report_figures(engine, runs, rss, cpu_ms);

	rss_mb = rss / (1024 * 1024);
	if (runs && cctv_engine_memory_limit > 0 && rss_mb > cctv_engine_memory_limit)
	{
		explain_end(engine,
					psprintf("used %d MB, more than \"cctv.engine_memory_limit\"", (int) rss_mb));
		ask_to_end(engine);
	}
}
