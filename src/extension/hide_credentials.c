/*
 * hide_credentials.c
 *		Keeps passwords of cameras out of the server's log and pg_stat_activity.
 *
 * A password that is part of a statement is, without this, logged with the
 * statement: always when the statement fails, as log_min_error_statement is
 * error, and at once with log_statement.  So a hook of the log rewrites what is
 * about to be logged, and two of the executor what pg_stat_activity shows.
 *
 * What counts as a secret:
 * - what stands before the last @ in a URL of a camera's scheme, or, when there
 *   is no @ and the port is no number, the rest of the line;
 * - in a statement about cameras also what stands between its first string and
 *   its last @, as an address may come without a scheme;
 * - in a statement that sets credentials or probes, all from its first string on;
 * - in EXECUTE what would be one in the statement that was prepared.
 * It hides rather too much: nothing here parses SQL, so that nothing in a
 * statement, and be it broken, can lead it astray.  Comparison is byte by byte,
 * as ASCII is itself in every encoding of a server.
 */
#include "postgres.h"

#include "commands/prepare.h"
#include "compat.h"
#include "executor/executor.h"
#include "guc.h"
#include "hide_credentials.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/elog.h"

/* A statement longer than this is not searched, but hidden whole. */
#define LONGEST_SEARCHED (1024 * 1024)
#define HIDDEN "***"

typedef enum Secrecy
{
	HIDE_URLS,
	HIDE_ADDRESSES, /* and all up to the last @ */
	HIDE_STRINGS,	/* and all of them */
} Secrecy;

static emit_log_hook_type next_log_hook;
static post_parse_analyze_hook_type next_analyze_hook;
static ExecutorStart_hook_type next_start_hook;

/* ---- what to hide ---- */

/* Does the statement call cctv.probe()?  The word alone is one of many others. */
static bool
calls_probe(const char *statement)
{
	while ((statement = strcasestr(statement, "probe")) != NULL)
	{
		statement += strlen("probe");
		if (statement[strspn(statement, "\" \t\r\n")] == '(')
			return true;
	}
	return false;
}

/* By the words of the statement itself. */
static Secrecy
secrecy_of_words(const char *statement)
{
	static const char *const secrets[] = {"set_credentials", "store_credentials", "camera_secrets",
										  "publish_secrets"};
	static const char *const addresses[] = {"camera", "find_stream", "split_url",
											"split_publish_url"};

	for (int i = 0; i < lengthof(secrets); i++)
	{
		if (strcasestr(statement, secrets[i]))
			return HIDE_STRINGS;
	}
	if (calls_probe(statement))
		return HIDE_STRINGS;
	for (int i = 0; i < lengthof(addresses); i++)
	{
		if (strcasestr(statement, addresses[i]))
			return HIDE_ADDRESSES;
	}
	return HIDE_URLS;
}

/* The name that begins here, as the parser would fold it; "" if none does. */
static void
fold_name(char name[NAMEDATALEN], const char *text)
{
	bool quoted = *text == '"';
	size_t length = 0;

	for (text += quoted; length < NAMEDATALEN - 1; text++)
	{
		if (quoted ? *text == '"' || *text == '\0'
				   : !IS_HIGHBIT_SET(*text) && !isalnum((unsigned char) *text) && *text != '_')
			break;
		name[length++] = quoted ? *text : pg_ascii_tolower((unsigned char) *text);
	}
	name[length] = '\0';
}

/* EXECUTE has the strings, and what they are for stands in what was prepared. */
static Secrecy
secrecy_of(const char *statement)
{
	Secrecy secrecy = secrecy_of_words(statement);

	while ((statement = strcasestr(statement, "execute")) != NULL)
	{
		char name[NAMEDATALEN];
		PreparedStatement *prepared;

		statement += strlen("execute");
		fold_name(name, statement + strspn(statement, " \t\r\n"));
		prepared = FetchPreparedStatement(name, false);
		if (prepared != NULL)
			secrecy = Max(secrecy, secrecy_of_words(prepared->plansource->query_string));
	}
	return secrecy;
}

/* Is what ends here (before "://") the scheme of a camera? */
static bool
is_scheme(const char *text, const char *end)
{
	static const char *const schemes[] = {"rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt"};

	for (int i = 0; i < lengthof(schemes); i++)
	{
		size_t length = strlen(schemes[i]);

		if ((size_t) (end - text) >= length &&
			pg_strncasecmp(end - length, schemes[i], length) == 0 &&
			((size_t) (end - text) == length || !isalnum((unsigned char) *(end - length - 1))))
			return true;
	}
	return false;
}

static const char *
last_at(const char *text, const char *end)
{
	while (end > text)
	{
		if (*--end == '@')
			return end;
	}
	return NULL;
}

/* Where the first quoted string begins, behind its quote; NULL if there is none. */
static const char *
first_string(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if (*text == '\'' || (*text == '$' && !isdigit((unsigned char) text[1])))
			return text + 1;
	}
	return NULL;
}

/*
 * The end of what is secret of a URL behind its "://"; NULL if nothing is.  It
 * looks as far as the string reaches, which ends at a quote, and if there is a
 * host with a password for a port (the @ was forgotten, or stands behind a quote)
 * as far as the line.
 */
static const char *
secret_end(const char *host)
{
	const char *string = host + strcspn(host, "'\n");
	const char *line = host + strcspn(host, "\n");
	const char *at = last_at(host, string);
	size_t name;
	const char *port;

	if (at != NULL)
		return at;
	name = *host == '[' ? strcspn(host, "]/?#'\n ") + 1 : strcspn(host, ":/?#'\n ");
	if (name > (size_t) (line - host) || host[name] != ':')
		return NULL;
	port = host + name + 1;
	port += strspn(port, "0123456789");
	if (*port == '\0' || strchr("/?#'\"\n ),;.", *port) != NULL)
		return NULL;
	return line;
}

/* ---- hiding it ---- */

/* Replace what is secret in URLs; returns whether something was. */
static bool
hide_in_urls(StringInfo to, const char *text)
{
	const char *begin = text;
	const char *mark;
	bool hidden = false;

	while ((mark = strstr(text, "://")) != NULL)
	{
		const char *host = mark + 3;
		const char *end = is_scheme(begin, mark) ? secret_end(host) : NULL;

		appendBinaryStringInfo(to, text, host - text);
		text = host;
		if (end != NULL)
		{
			appendStringInfoString(to, HIDDEN);
			text = end;
			hidden = true;
		}
	}
	appendStringInfoString(to, text);
	return hidden;
}

char *
cctv_hide_credentials_in(const char *text, const char *statement)
{
	Secrecy secrecy;
	const char *string;
	const char *end;
	StringInfoData result;

	/* What most texts are is found out without a copy. */
	if (text == NULL ||
		(strchr(text, '\'') == NULL && strchr(text, '$') == NULL && strstr(text, "://") == NULL))
		return NULL;
	if (strnlen(text, LONGEST_SEARCHED + 1) > LONGEST_SEARCHED)
		return strstr(text, "://") != NULL ? pstrdup(HIDDEN) : NULL;
	secrecy = secrecy_of(statement != NULL ? statement : text);
	string = secrecy == HIDE_URLS ? NULL : first_string(text);
	end = string == NULL			? NULL
		  : secrecy == HIDE_STRINGS ? strchr(text, '\0')
									: last_at(string, strchr(text, '\0'));
	initStringInfo(&result);
	if (end != NULL)
	{
		appendBinaryStringInfo(&result, text, string - text);
		appendStringInfoString(&result, HIDDEN);
		text = end;
	}
	if (!hide_in_urls(&result, text) && end == NULL)
	{
		pfree(result.data);
		return NULL;
	}
	return result.data;
}

/* ---- hooks ---- */

/* Let pg_stat_activity show the statement without its secrets. */
static void
hide_in_activity(const char *statement)
{
	char *safe = cctv_hide_credentials_in(statement, NULL);

	if (safe == NULL)
		return;
	pgstat_report_activity(STATE_RUNNING, safe);
	pfree(safe);
}

static void
hide_in(char **field, const char *statement)
{
	char *safe = cctv_hide_credentials_in(*field, statement);

	if (safe != NULL)
		*field = safe;
}

/* A misplaced quote, or a password where a number belongs, is quoted in the error. */
static void
hide_quoted(ErrorData *edata)
{
	const char *quote = strchr(edata->message, '"');

	if (quote != NULL && (edata->sqlerrcode == ERRCODE_SYNTAX_ERROR ||
						  ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_DATA_EXCEPTION))
		edata->message =
			psprintf("%.*s\"" HIDDEN "\"", (int) (quote - edata->message), edata->message);
}

static void
log_without_credentials(ErrorData *edata)
{
	const char *statement = debug_query_string != NULL ? debug_query_string : "";
	/* A logged statement is part of the message itself, its parameters of the detail. */
	const char *about = edata->elevel == LOG ? statement : "";

	if (cctv_hide_credentials)
	{
		char *safe = cctv_hide_credentials_in(statement, NULL);

		if (safe != NULL)
		{
			edata->hide_stmt = true;
			if (edata->elevel >= ERROR)
			{
				hide_quoted(edata);
				pgstat_report_activity(STATE_RUNNING, safe);
			}
			pfree(safe);
		}
		hide_in(&edata->message, about);
		hide_in(&edata->detail, about);
		hide_in(&edata->detail_log, about);
		hide_in(&edata->context, statement);
		hide_in(&edata->internalquery, statement);
	}
	if (next_log_hook != NULL)
		next_log_hook(edata);
}

static void
analyze_without_credentials(CCTV_ANALYZE_HOOK_PARAMETERS)
{
	if (cctv_hide_credentials && pstate->p_sourcetext != NULL &&
		pstate->p_sourcetext == debug_query_string)
		hide_in_activity(debug_query_string);
	if (next_analyze_hook != NULL)
		next_analyze_hook(CCTV_ANALYZE_HOOK_ARGUMENTS);
}

/* The extended protocol tells the statement anew when it is executed. */
static void
start_without_credentials(QueryDesc *query, int flags)
{
	if (cctv_hide_credentials && query->sourceText != NULL && debug_query_string != NULL &&
		(query->sourceText == debug_query_string ||
		 strcmp(query->sourceText, debug_query_string) == 0))
		hide_in_activity(debug_query_string);
	if (next_start_hook != NULL)
		next_start_hook(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

void
cctv_hide_credentials_install(void)
{
	next_log_hook = emit_log_hook;
	emit_log_hook = log_without_credentials;
	next_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = analyze_without_credentials;
	next_start_hook = ExecutorStart_hook;
	ExecutorStart_hook = start_without_credentials;
}
