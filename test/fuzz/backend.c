/*
 * backend.c
 *		Functions that t/052_fuzz.pl loads into a real server: changed texts, and
 *		changed event lines put to the worker's own checks.
 *
 * Each line lies before a page that cannot be read, so that a byte read beyond it
 * ends the server, and the test with it.
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "event_line.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "mutate.h"
#include "protocol.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

/* So many of the lines that pass are given back. */
#define MAX_PASSED 2000

PG_FUNCTION_INFO_V1(fuzz_text);
PG_FUNCTION_INFO_V1(fuzz_event_lines);

typedef struct Seeds
{
	Datum *texts;
	bool *nulls;
	int count;
} Seeds;

static Seeds
read_seeds(ArrayType *array)
{
	Seeds seeds;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &seeds.texts, &seeds.nulls,
					  &seeds.count);
	if (seeds.count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there are no seeds")));
	return seeds;
}

/* A changed copy of one of the seeds, of at most max bytes; returns its length. */
static size_t
change_one(const Seeds *seeds, unsigned char *data, size_t max, uint64_t *state)
{
	text *base = DatumGetTextPP(seeds->texts[(mutate_random(state) >> 16) % seeds->count]);
	text *other = DatumGetTextPP(seeds->texts[(mutate_random(state) >> 16) % seeds->count]);
	size_t size = Min((size_t) VARSIZE_ANY_EXHDR(base), max);

	memcpy(data, VARDATA_ANY(base), size);
	return mutate(data, size, max, (const unsigned char *) VARDATA_ANY(other),
				  VARSIZE_ANY_EXHDR(other), state);
}

/* fuzz_text(seeds text[], seed bigint): one of the seeds, changed; valid text. */
Datum
fuzz_text(PG_FUNCTION_ARGS)
{
	Seeds seeds = read_seeds(PG_GETARG_ARRAYTYPE_P(0));
	uint64_t state = (uint64_t) PG_GETARG_INT64(1) * 2 + 1;
	unsigned char data[4096];
	size_t size;

	do
		size = change_one(&seeds, data, sizeof(data), &state);
	while (memchr(data, '\0', size) != NULL ||
		   !pg_verify_mbstr(GetDatabaseEncoding(), (const char *) data, size, true));
	PG_RETURN_TEXT_P(cstring_to_text_with_len((const char *) data, size));
}

/* Lines against a page that cannot be read. */
typedef struct Edge
{
	unsigned char *begin;
	unsigned char *end; /* of what can be read */
} Edge;

static Edge
make_edge(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	Edge edge;

	edge.begin = mmap(NULL, CCTV_MAX_EVENT_LINE + page, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (edge.begin == MAP_FAILED ||
		mprotect(edge.begin + CCTV_MAX_EVENT_LINE, page, PROT_NONE) != 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not map memory: %m")));
	edge.end = edge.begin + CCTV_MAX_EVENT_LINE;
	return edge;
}

/* What must hold of a line that passed. */
static void
look_at(const CctvEventLine *line)
{
	if (!JB_ROOT_IS_OBJECT(line->json) || line->camera_id < 0 ||
		(line->camera_id == 0 && line->type != CCTV_STATS && line->type != CCTV_LOG))
		elog(ERROR, "a line passed that must not");
	if (strlen(cctv_event_line_text(line, "message")) > 500 * 4)
		elog(ERROR, "a text is longer than what fits the log");
	if (cctv_event_line_count(line, "run") < 0)
		elog(ERROR, "a count is negative");
}

/*
 * fuzz_event_lines(seeds text[], seed bigint, runs integer): put so many changed
 * lines to the check; returns some of those that pass.
 */
Datum
fuzz_event_lines(PG_FUNCTION_ARGS)
{
	Seeds seeds = read_seeds(PG_GETARG_ARRAYTYPE_P(0));
	uint64_t state = (uint64_t) PG_GETARG_INT64(1) * 2 + 1;
	int runs = PG_GETARG_INT32(2);
	Edge edge = make_edge();
	unsigned char *data = palloc(CCTV_MAX_EVENT_LINE);
	Datum *passed = palloc(MAX_PASSED * sizeof(Datum));
	int npassed = 0;
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);

	for (int i = 0; i < runs; i++)
	{
		size_t size = change_one(&seeds, data, CCTV_MAX_EVENT_LINE, &state);
		char *line = (char *) edge.end - size;
		CctvEventLine event;
		MemoryContext before;

		CHECK_FOR_INTERRUPTS();
		memcpy(line, data, size);
		before = MemoryContextSwitchTo(scratch);
		(void) cctv_printable(line, size);
		if (cctv_event_line_check(line, size, &event) == NULL)
		{
			look_at(&event);
			MemoryContextSwitchTo(before);
			if (npassed < MAX_PASSED)
				passed[npassed++] =
					PointerGetDatum(cstring_to_text(JsonbToCString(NULL, &event.json->root, 0)));
		}
		MemoryContextSwitchTo(before);
		MemoryContextReset(scratch);
	}
	munmap(edge.begin, edge.end - edge.begin + sysconf(_SC_PAGESIZE));
	PG_RETURN_ARRAYTYPE_P(construct_array(passed, npassed, TEXTOID, -1, false, TYPALIGN_INT));
}
