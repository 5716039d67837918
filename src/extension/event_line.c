/*
 * event_line.c
 *		One line from an engine, checked (docs/protocol.md).
 */
#include "postgres.h"

#include <ctype.h>

#include "event_line.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "protocol.h"
#include "utils/builtins.h"

#define DEEPEST_NESTING 16
#define LONGEST_EXPONENT 3
#define LONGEST_LOGGED 500

static const char *const type_names[] = {
	[CCTV_STATE] = CCTV_EVENT_STATE,		 [CCTV_OBJECTS] = CCTV_EVENT_OBJECTS,
	[CCTV_TRACK_END] = CCTV_EVENT_TRACK_END, [CCTV_MOTION] = CCTV_EVENT_MOTION,
	[CCTV_RECORDING] = CCTV_EVENT_RECORDING, [CCTV_SNAPSHOT] = CCTV_EVENT_SNAPSHOT,
	[CCTV_STATS] = CCTV_EVENT_STATS,		 [CCTV_LOG] = CCTV_EVENT_LOG,
};

/*
 * What a JSON parser would accept but should not be given: deep nesting, and
 * numbers like 1e131000, which are short here and 131 kB long as text.
 */
static const char *
check_shape(const char *data, int length)
{
	bool in_string = false;
	int depth = 0;

	for (int i = 0; i < length; i++)
	{
		char c = data[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
		{
			if (++depth > DEEPEST_NESTING)
				return "nested too deeply";
		}
		else if (c == '}' || c == ']')
			depth--;
		else if ((c == 'e' || c == 'E') && i > 0 && isdigit((unsigned char) data[i - 1]))
		{
			int digits = 0;

			if (i + 1 < length && (data[i + 1] == '+' || data[i + 1] == '-'))
				i++;
			while (i + 1 < length && isdigit((unsigned char) data[i + 1]))
			{
				i++;
				digits++;
			}
			if (digits > LONGEST_EXPONENT)
				return "number out of range";
		}
	}
	return NULL;
}

/*
 * UTF-8 JSON as ASCII JSON, for databases of another encoding: the JSON parser
 * converts the escapes itself, without needing a transaction.
 */
static char *
escape_non_ascii(const char *data)
{
	StringInfoData ascii;

	initStringInfo(&ascii);
	while (*data != '\0')
	{
		if (!IS_HIGHBIT_SET(*data))
		{
			appendStringInfoChar(&ascii, *data++);
			continue;
		}
		else
		{
			uint32 code = utf8_to_unicode((const unsigned char *) data);

			if (code >= 0x10000)
			{
				code -= 0x10000;
				appendStringInfo(&ascii, "\\u%04x\\u%04x", 0xD800 + (code >> 10),
								 0xDC00 + (code & 0x3FF));
			}
			else
				appendStringInfo(&ascii, "\\u%04x", code);
			data += pg_encoding_mblen(PG_UTF8, data);
		}
	}
	return ascii.data;
}

/* Parse a terminated line; NULL if it is no JSON. */
static Jsonb *
parse(char *text)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb *volatile json = NULL;

	/*
	 * Parsing holds no lock, no buffer and no file, so its error can be dropped
	 * without a subtransaction.  Interrupts must not be among what is dropped.
	 */
	HOLD_INTERRUPTS();
	PG_TRY();
	{
		json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
		RESUME_INTERRUPTS();
	}
	PG_CATCH();
	{
		/* the error reset the count of held interrupts */
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	return json;
}

static JsonbValue *
get_field(Jsonb *json, const char *field)
{
	JsonbValue key;

	key.type = jbvString;
	key.val.string.val = unconstify(char *, field);
	key.val.string.len = strlen(field);
	return findJsonbValueFromContainer(&json->root, JB_FOBJECT, &key);
}

static bool
equals(const JsonbValue *value, const char *text)
{
	return value->val.string.len == (int) strlen(text) &&
		   memcmp(value->val.string.val, text, value->val.string.len) == 0;
}

/* The value as a positive integer; 0 if it is none. */
static int32
positive_integer(const JsonbValue *value)
{
	char *digits;
	int64 number = 0;

	if (value->type != jbvNumeric)
		return 0;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	for (const char *c = digits; *c != '\0'; c++)
	{
		if (!isdigit((unsigned char) *c))
			return 0;
		number = number * 10 + (*c - '0');
		if (number > PG_INT32_MAX)
			return 0;
	}
	pfree(digits);
	return (int32) number;
}

static bool
find_type(Jsonb *json, CctvEventType *type)
{
	JsonbValue *value = get_field(json, "type");

	if (value == NULL || value->type != jbvString)
		return false;
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (equals(value, type_names[i]))
		{
			*type = (CctvEventType) i;
			return true;
		}
	}
	return false;
}

const char *
cctv_event_line_check(const char *data, int length, CctvEventLine *line)
{
	const char *problem;
	char *text;
	JsonbValue *camera;

	if (memchr(data, '\0', length) != NULL || !pg_verify_mbstr(PG_UTF8, data, length, true))
		return "not valid UTF-8";
	problem = check_shape(data, length);
	if (problem != NULL)
		return problem;

	text = pnstrdup(data, length);
	if (GetDatabaseEncoding() != PG_UTF8)
		text = escape_non_ascii(text);
	line->json = parse(text);
	if (line->json == NULL)
		return "not valid JSON";
	if (!JB_ROOT_IS_OBJECT(line->json))
		return "not a JSON object";
	if (!find_type(line->json, &line->type))
		return "unknown type";

	line->camera_id = 0;
	camera = get_field(line->json, "camera_id");
	if (camera != NULL && camera->type != jbvNull)
	{
		line->camera_id = positive_integer(camera);
		if (line->camera_id == 0)
			return "camera_id is not a positive integer";
	}
	else if (line->type != CCTV_STATS && line->type != CCTV_LOG)
		return "camera_id is missing";
	return NULL;
}

char *
cctv_printable(const char *data, int length)
{
	bool is_text = pg_verify_mbstr(GetDatabaseEncoding(), data, length, true);
	bool is_utf8 = is_text && GetDatabaseEncoding() == PG_UTF8;
	bool is_narrow = pg_database_encoding_max_length() == 1;
	char *text;

	length = is_text ? pg_mbcliplen(data, length, LONGEST_LOGGED) : Min(length, LONGEST_LOGGED);
	text = palloc(length + 1);
	memcpy(text, data, length);
	text[length] = '\0';
	for (int i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) data[i];
		unsigned char next = (unsigned char) text[i + 1];

		if (c < ' ' || c == 0x7f)
			text[i] = ' ';
		else if (is_utf8 && c == 0xc2 && next >= 0x80 && next <= 0x9f)
		{
			/* The control characters U+0080 to U+009F, among them the CSI of terminals. */
			text[i++] = ' ';
			text[i] = ' ';
		}
		else if (is_narrow && c >= 0x80 && c <= 0x9f)
			text[i] = '?'; /* the same in ISO 8859; elsewhere it may be a letter */
		else if (IS_HIGHBIT_SET(c) && !is_text)
			text[i] = '?';
	}
	return text;
}

char *
cctv_event_line_text(const CctvEventLine *line, const char *field)
{
	JsonbValue *value = get_field(line->json, field);

	if (value == NULL || value->type != jbvString)
		return pstrdup("");
	return cctv_printable(value->val.string.val, value->val.string.len);
}

int32
cctv_event_line_count(const CctvEventLine *line, const char *field)
{
	JsonbValue *value = get_field(line->json, field);

	return value != NULL ? positive_integer(value) : 0;
}
