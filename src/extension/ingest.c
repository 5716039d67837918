/*
 * ingest.c
 *		What the engines reported, on its way into the database, in order.
 *
 * Lines go to cctv.ingest() in batches.  A batch that fails for a reason that
 * passes is tried again, whole, after a pause; no socket is read meanwhile once
 * enough waits.  One that fails for what is in it is tried again by halves, so
 * that a bad line is found in a few steps, logged and dropped, and the rest goes
 * through.  Deaths of engines and quarantines take their place in the same
 * queue: what a dead engine said comes before the news of its death.
 */
#include "postgres.h"

#include "access/xact.h"
#include "action.h"
#include "catalog/pg_type.h"
#include "clock.h"
#include "compat.h"
#include "executor/spi.h"
#include "ingest.h"
#include "lib/ilist.h"
#include "protocol.h"
#include "rate_limit.h"
#include "utils/builtins.h"

#define MAX_BATCH_BYTES (8 * 1024 * 1024)
#define FIRST_RETRY_MS 100
#define LONGEST_RETRY_MS 5000
/* Failures that might be the schema's (an upgrade under way) before we blame the lines. */
#define PATIENCE 3
/* While somebody removes a rule with much history a batch may meet some, seconds in all. */
#define MANY_DEADLOCKS 5

typedef enum EntryKind
{
	ENTRY_LINE,
	ENTRY_ENGINE_LOST,
	ENTRY_QUARANTINE
} EntryKind;

typedef struct Entry
{
	dlist_node node;
	EntryKind kind;
	int number; /* engine, or camera for ENTRY_QUARANTINE */
	bool reassigns;
	Jsonb *line;  /* ENTRY_LINE */
	char *reason; /* the others */
} Entry;

typedef struct Batch
{
	int nlines; /* 0: the entry at the head is no line */
	bool notify;
} Batch;

static struct
{
	MemoryContext context; /* of everything that waits */
	dlist_head entries;
	int count;
	Size bytes;
	int batch_limit; /* lines, halved when a batch is bad */
	int failures;	 /* of the batch at the head, for what is in it */
	int deadlocks;	 /* of that batch */
	bool without_notify;
	int retry_delay;
	int64 retry_at;
	CctvRateLimit log_limit;
} queue;

static CctvIngestFigures figures;

void
cctv_ingest_init(void)
{
	queue.context =
		AllocSetContextCreate(TopMemoryContext, "pg_cctv events", ALLOCSET_DEFAULT_SIZES);
	cctv_ingest_clear();
}

/* The head of the queue has been dealt with, one way or another. */
static void
start_afresh(void)
{
	queue.failures = 0;
	queue.deadlocks = 0;
	queue.without_notify = false;
	queue.retry_delay = 0;
	queue.retry_at = 0;
}

void
cctv_ingest_clear(void)
{
	MemoryContextReset(queue.context);
	dlist_init(&queue.entries);
	queue.count = 0;
	queue.bytes = 0;
	queue.batch_limit = CCTV_MAX_BATCH_LINES;
	start_afresh();
}

static Size
size_of(const Entry *entry)
{
	return sizeof(Entry) + (entry->line != NULL ? VARSIZE(entry->line) : strlen(entry->reason));
}

static Entry *
append_entry(EntryKind kind, int number, const Jsonb *line, const char *reason)
{
	MemoryContext caller = MemoryContextSwitchTo(queue.context);
	Entry *entry = palloc0(sizeof(Entry));

	entry->kind = kind;
	entry->number = number;
	entry->reassigns = kind != ENTRY_LINE;
	if (line != NULL)
	{
		entry->line = palloc(VARSIZE(line));
		memcpy(entry->line, line, VARSIZE(line));
	}
	if (reason != NULL)
		entry->reason = pstrdup(reason);
	MemoryContextSwitchTo(caller);

	dlist_push_tail(&queue.entries, &entry->node);
	queue.count++;
	queue.bytes += size_of(entry);
	return entry;
}

static Entry *
first_entry(void)
{
	return dlist_container(Entry, node, dlist_head_node(&queue.entries));
}

static void
drop_first_entry(void)
{
	Entry *entry = first_entry();

	dlist_delete(&entry->node);
	queue.count--;
	queue.bytes -= size_of(entry);
	if (entry->line != NULL)
		pfree(entry->line);
	if (entry->reason != NULL)
		pfree(entry->reason);
	pfree(entry);
	if (queue.count == 0)
		MemoryContextReset(queue.context);
}

void
cctv_ingest_line(int engine, const CctvEventLine *line)
{
	Entry *entry = append_entry(ENTRY_LINE, engine, line->json, NULL);

	/* A camera that finished or failed may free its place. */
	entry->reassigns = line->type == CCTV_STATE;
}

void
cctv_ingest_engine(int engine, const char *json)
{
	Datum line;

	/* The next figures will do as well. */
	if (cctv_ingest_is_full())
		return;
	line = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
	append_entry(ENTRY_LINE, engine, DatumGetJsonbP(line), NULL);
}

void
cctv_ingest_engine_gone(int engine)
{
	char *json = psprintf("{\"type\": \"engine\", \"engine\": %d, \"gone\": true}", engine);
	Datum line = DirectFunctionCall1(jsonb_in, CStringGetDatum(json));

	append_entry(ENTRY_LINE, engine, DatumGetJsonbP(line), NULL);
}

void
cctv_ingest_engine_lost(int engine, const char *reason)
{
	append_entry(ENTRY_ENGINE_LOST, engine, NULL, reason);
}

void
cctv_ingest_quarantine(int32 camera_id, const char *reason)
{
	append_entry(ENTRY_QUARANTINE, camera_id, NULL, reason);
}

CctvIngestFigures
cctv_ingest_figures(void)
{
	figures.waiting = queue.count;
	figures.waiting_bytes = queue.bytes;
	return figures;
}

bool
cctv_ingest_is_full(void)
{
	return queue.count >= CCTV_MAX_WAITING_LINES || queue.bytes >= CCTV_MAX_WAITING_BYTES;
}

long
cctv_ingest_delay(int64 now)
{
	if (queue.count == 0)
		return -1;
	return Max(0, queue.retry_at - now);
}

/* How many lines from the head make the next batch. */
static int
choose_batch(void)
{
	dlist_iter iter;
	int nlines = 0;
	Size bytes = 0;

	dlist_foreach(iter, &queue.entries)
	{
		Entry *entry = dlist_container(Entry, node, iter.cur);

		if (entry->kind != ENTRY_LINE || nlines == queue.batch_limit)
			break;
		bytes += size_of(entry);
		if (nlines > 0 && bytes > MAX_BATCH_BYTES)
			break;
		nlines++;
	}
	return nlines;
}

static Jsonb *
lines_as_array(int nlines)
{
	JsonbParseState *state = NULL;
	dlist_iter iter;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	dlist_foreach(iter, &queue.entries)
	{
		Entry *entry = dlist_container(Entry, node, iter.cur);
		JsonbValue line;

		if (nlines-- == 0)
			break;
		line.type = jbvBinary;
		line.val.binary.data = &entry->line->root;
		line.val.binary.len = VARSIZE(entry->line) - VARHDRSZ;
		pushJsonbValue(&state, WJB_ELEM, &line);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/*
 * A listener must not hear of what a crash then loses, so a batch that
 * announced something is flushed.  One that did not need not wait for the disk.
 */
static void
choose_durability(int64 announced)
{
	const char *level;

	if (announced == 0)
		level = "off";
	else if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		level = "local";
	else
		return;
	(void) set_config_option("synchronous_commit", level, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

static void
ingest_batch(void *arg)
{
	Batch *batch = arg;
	Oid types[2] = {JSONBOID, BOOLOID};
	Datum values[2];
	Datum announced;
	bool isnull;

	values[0] = JsonbPGetDatum(lines_as_array(batch->nlines));
	values[1] = BoolGetDatum(batch->notify);
	if (SPI_execute_with_args("select cctv.ingest($1, $2)", 2, types, values, NULL, false, 1) !=
			SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "cctv.ingest() returned no row");
	announced = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	choose_durability(isnull ? 0 : DatumGetInt64(announced));
}

static void
ingest_marker(void *arg)
{
	Batch *batch = arg;
	Entry *entry = first_entry();
	Oid types[3] = {INT4OID, TEXTOID, BOOLOID};
	Datum values[3];
	const char *sql = entry->kind == ENTRY_ENGINE_LOST ? "select cctv.engine_lost($1, $2, $3)"
													   : "select cctv.quarantine($1, $2, $3)";

	values[0] = Int32GetDatum(entry->number);
	values[1] = CStringGetTextDatum(entry->reason);
	values[2] = BoolGetDatum(batch->notify);
	if (SPI_execute_with_args(sql, 3, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", sql);
}

/* Say which entry the database refuses. */
static void
report_refused(const Entry *entry, const CctvFailure *failure, int64 now)
{
	char *content;
	int suppressed;

	if (!cctv_rate_limit_allow(&queue.log_limit, now, &suppressed))
		return;
	if (suppressed > 0)
		ereport(LOG, (errmsg("pg_cctv suppressed %d messages about events", suppressed)));
	content = entry->line != NULL ? JsonbToCString(NULL, &entry->line->root, VARSIZE(entry->line))
								  : entry->reason;
	ereport(WARNING, (errcode(failure->sqlstate),
					  errmsg("pg_cctv could not store what engine %d reported: %s", entry->number,
							 failure->message),
					  errdetail("Dropped: %s", cctv_printable(content, strlen(content)))));
}

static void
retry_later(int64 now)
{
	queue.retry_delay = cctv_next_delay(queue.retry_delay, FIRST_RETRY_MS, LONGEST_RETRY_MS);
	queue.retry_at = now + queue.retry_delay;
}

/* The batch at the head failed for what is in it, or for a fault of the schema. */
static void
narrow_down(int nlines, const CctvFailure *failure, int64 now)
{
	int category = ERRCODE_TO_CATEGORY(failure->sqlstate);

	/*
	 * Undefined objects, internal errors: give an administrator's change a chance.
	 * So with a row that is referred to and gone: a rule or a camera that somebody
	 * has deleted since the statement began is not there for the next.
	 */
	if ((category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		 category == ERRCODE_INTERNAL_ERROR ||
		 failure->sqlstate == ERRCODE_FOREIGN_KEY_VIOLATION) &&
		++queue.failures <= PATIENCE)
	{
		cctv_action_report("storing events", failure);
		retry_later(now);
		return;
	}

	if (nlines > 1)
	{
		cctv_action_report("storing events (trying fewer at a time)", failure);
		queue.batch_limit = nlines / 2;
		return;
	}
	report_refused(first_entry(), failure, now);
	drop_first_entry();
	figures.dropped++;
	start_afresh();
}

/* The first nlines entries, or the marker at the head, are committed. */
static void
finish_batch(int nlines, bool *reassign)
{
	figures.batches++;
	figures.stored += nlines;
	for (int i = 0; i < Max(nlines, 1); i++)
	{
		*reassign |= first_entry()->reassigns;
		drop_first_entry();
	}
	queue.batch_limit = Min(queue.batch_limit * 2, CCTV_MAX_BATCH_LINES);
	start_afresh();
}

void
cctv_ingest_next(int64 now, bool *reassign)
{
	Batch batch;
	CctvFailure failure;
	CctvOutcome outcome;

	if (queue.count == 0 || now < queue.retry_at)
		return;

	batch.nlines = choose_batch();
	batch.notify = !queue.without_notify;
	if (batch.nlines > 0)
		outcome = cctv_action_run("cctv.ingest", ingest_batch, &batch, &failure);
	else
		outcome = cctv_action_run("cctv.engine_lost", ingest_marker, &batch, &failure);
	if (outcome != CCTV_DONE)
		figures.retries++;

	switch (outcome)
	{
		case CCTV_DONE:
			finish_batch(batch.nlines, reassign);
			break;
		case CCTV_GONE:
			/* The worker's next look at the extension clears the queue. */
			retry_later(now);
			break;
		case CCTV_NOTIFY_FULL:
			cctv_action_report("notifying (events are stored without)", &failure);
			/* Somebody else's trigger may notify, too: that only time can mend. */
			if (queue.without_notify)
				retry_later(now);
			queue.without_notify = true;
			break;
		case CCTV_RETRY:
			/* To give way in a deadlock is our part, and done; worth a word is one that does not end. */
			if (failure.sqlstate != ERRCODE_T_R_DEADLOCK_DETECTED ||
				++queue.deadlocks > MANY_DEADLOCKS)
				cctv_action_report("storing events", &failure);
			retry_later(now);
			break;
		case CCTV_FAILED:
			narrow_down(batch.nlines, &failure, now);
			break;
	}
}
