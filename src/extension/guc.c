/*
 * guc.c
 *		The settings cctv.*: definitions, checks, and their form as JSON.
 *
 * docs/configuration.md describes them to users.
 */
#include "postgres.h"

#include <limits.h>

#include "compat.h"
#include "frame.h"
#include "guc.h"
#include "media_dir.h"
#include "miscadmin.h"
#include "network.h"
#include "port.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/varlena.h"

char *cctv_engine_path;
int cctv_cameras_per_engine;
int cctv_engine_memory_limit;
bool cctv_hide_credentials = true;
int cctv_max_image_bytes;

static char *databases;
static char *source_paths;
static char *allowed_networks;
static char *media_dir;
static char *models_dir;
static int detector_threads;
static int stall_timeout_ms;
static int segment_duration;
static int media_max_megabytes;
static int media_min_free;
static int engine_nice;
static bool sandbox;
static int log_level;
static int notify_detail;
static int notify_severity;

/* This and the severity are read by the schema's functions with current_setting(). */
enum
{
	NOTIFY_FULL,
	NOTIFY_ID
};

static const struct config_enum_entry notify_details[] = {
	{"full", NOTIFY_FULL, false},
	{"id", NOTIFY_ID, false},
	{NULL, 0, false},
};

static const struct config_enum_entry severities[] = {
	{"info", 0, false},
	{"warning", 1, false},
	{"critical", 2, false},
	{NULL, 0, false},
};

/* By the words of the protocol, most important first. */
static const struct config_enum_entry log_levels[] = {
	{"error", 0, false}, {"warning", 1, false}, {"info", 2, false},
	{"debug", 3, false}, {NULL, 0, false},
};

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char *copy = pstrdup(*newval);
	List *names;
	bool valid = SplitGUCList(copy, ',', &names);

	if (!valid)
		GUC_check_errdetail("The list of database names cannot be parsed.");
	list_free(names);
	pfree(copy);
	return valid;
}

/* Words that stand alone for all networks or no network. */
static bool
is_network_keyword(const char *word)
{
	return pg_strcasecmp(word, "any") == 0 || pg_strcasecmp(word, "none") == 0;
}

static bool
check_source_paths(char **newval, void **extra, GucSource source)
{
	char *copy = pstrdup(*newval);
	List *paths = NIL;
	ListCell *cell;
	bool valid = SplitDirectoriesString(copy, ',', &paths);

	if (!valid)
		GUC_check_errdetail("The list of paths cannot be parsed.");
	foreach (cell, paths)
	{
		const char *path = lfirst(cell);

		if (!is_absolute_path(path))
		{
			GUC_check_errdetail("Path \"%s\" is not absolute.", path);
			valid = false;
		}
	}
	list_free_deep(paths);
	pfree(copy);
	return valid;
}

/*
 * "any", "none", or networks.  The empty string is refused, since some would take
 * it for the one and some for the other.
 */
static bool
check_allowed_networks(char **newval, void **extra, GucSource source)
{
	char *copy = pstrdup(*newval);
	List *words;
	ListCell *cell;
	char reason[256] = "The list cannot be parsed";
	bool valid = SplitGUCList(copy, ',', &words);

	if (valid && words == NIL)
	{
		strlcpy(reason, "The list is empty", sizeof(reason));
		valid = false;
	}
	else if (valid && list_length(words) > CCTV_MAX_NETWORKS)
	{
		snprintf(reason, sizeof(reason), "The list has more than %d networks", CCTV_MAX_NETWORKS);
		valid = false;
	}
	foreach (cell, valid ? words : NIL)
	{
		const char *word = lfirst(cell);
		CctvNetwork network;

		if (list_length(words) == 1 && is_network_keyword(word))
			break;
		if (!cctv_network_parse(word, &network, reason, sizeof(reason)))
		{
			valid = false;
			break;
		}
	}
	if (!valid)
	{
		GUC_check_errdetail("%s.", reason);
		GUC_check_errhint(
			"Name networks in CIDR notation and addresses, separated by commas, as in "
			"\"10.1.0.0/16, 2001:db8::/32\"; or \"any\", or \"none\".");
	}
	list_free(words);
	pfree(copy);
	return valid;
}

static bool
check_absolute_path(char **newval, void **extra, GucSource source)
{
	if (is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The path must be absolute.");
	return false;
}

/* Engines may write there, so it must not hold the database. */
static bool
check_media_dir(char **newval, void **extra, GucSource source)
{
	char path[MAXPGPATH];

	if (strlen(*newval) >= MAXPGPATH)
		return false;
	strlcpy(path, *newval, sizeof(path));
	canonicalize_path(path);

	if (path[0] == '\0' || strcmp(path, ".") == 0 || path_contains_parent_reference(path))
	{
		GUC_check_errdetail("It must name a directory of its own, without \"..\".");
		return false;
	}
	if (is_absolute_path(path) && DataDir != NULL && path_is_prefix_of_path(path, DataDir))
	{
		GUC_check_errdetail("The data directory must not lie within it.");
		return false;
	}
	return true;
}

static void
define_paths(void)
{
	/* Boot values must outlive this call. */
	static char default_engine[MAXPGPATH];
	static char default_models[MAXPGPATH];

	strlcpy(default_engine, my_exec_path, MAXPGPATH);
	get_parent_directory(default_engine);
	join_path_components(default_engine, default_engine, "pg_cctv_engine");
	DefineCustomStringVariable("cctv.engine_path", "The engine's executable.", NULL,
							   &cctv_engine_path, default_engine, PGC_SIGHUP, 0,
							   check_absolute_path, NULL, NULL);

	get_share_path(my_exec_path, default_models);
	join_path_components(default_models, default_models, "pg_cctv/models");
	DefineCustomStringVariable("cctv.models_dir", "Directory of the detectors' weights.", NULL,
							   &models_dir, default_models, PGC_SIGHUP, 0, check_absolute_path,
							   NULL, NULL);

	DefineCustomStringVariable("cctv.media_dir", "Directory of snapshots and recordings.",
							   "A relative path is relative to the data directory; each "
							   "database has a directory in it.",
							   &media_dir, "pg_cctv", PGC_SIGHUP, 0, check_media_dir, NULL, NULL);

	DefineCustomStringVariable("cctv.source_paths",
							   "Directories and devices that cameras may read.",
							   "Empty: network cameras only.", &source_paths, "", PGC_SIGHUP,
							   GUC_LIST_INPUT, check_source_paths, NULL, NULL);
}

/*
 * At a start a value that the check refuses leaves the default, which is every
 * network: whoever wrote a list that cannot be read did not mean that.
 */
static void
define_allowed_networks(void)
{
	const char *given = GetConfigOption("cctv.allowed_networks", true, false);

	if (given != NULL)
		given = pstrdup(given);
	DefineCustomStringVariable("cctv.allowed_networks", "Networks that engines may talk to.",
							   "In CIDR notation; \"any\" or \"none\".", &allowed_networks, "any",
							   PGC_SIGHUP, GUC_LIST_INPUT, check_allowed_networks, NULL, NULL);
	if (given == NULL || strcmp(given, allowed_networks) == 0)
		return;
	SetConfigOption("cctv.allowed_networks", "none", PGC_SIGHUP, PGC_S_DYNAMIC_DEFAULT);
	ereport(WARNING, (errcode(ERRCODE_CONFIG_FILE_ERROR),
					  errmsg("engines may talk to no network until \"cctv.allowed_networks\" is "
							 "mended")));
}

void
cctv_define_settings(void)
{
	define_paths();
	define_allowed_networks();

	DefineCustomStringVariable("cctv.databases", "Databases in which cameras run.", NULL,
							   &databases, "", PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL,
							   NULL);
	DefineCustomIntVariable("cctv.cameras_per_engine", "Cameras that share an engine process.",
							NULL, &cctv_cameras_per_engine, 16, 1, 256, PGC_SIGHUP, 0, NULL, NULL,
							NULL);
	DefineCustomIntVariable("cctv.detector_threads", "Detector threads of each engine.",
							"0: one per processor core.", &detector_threads, 0, 0, 256, PGC_SIGHUP,
							0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"cctv.stall_timeout", "A stream without a frame for this long is opened again.", NULL,
		&stall_timeout_ms, 10000, 1000, 3600000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"cctv.segment_duration", "A recording is cut at the first keyframe after this long.", NULL,
		&segment_duration, 60, 1, 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	/* These two are read by the schema's functions with current_setting(). */
	DefineCustomIntVariable("cctv.media_max_bytes",
							"Recordings and pictures beyond this are deleted, oldest first.",
							"0: no limit.", &media_max_megabytes, 0, 0, INT_MAX, PGC_SIGHUP,
							GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("cctv.media_min_free",
							"Percentage of the media directory's file system that is kept free.",
							"Recordings and pictures are deleted for it, oldest first; 0: none.",
							&media_min_free, 10, 0, 90, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("cctv.engine_memory_limit",
							"An engine that uses more memory is restarted.", "0: no limit.",
							&cctv_engine_memory_limit, 0, 0, MAX_KILOBYTES / 1024, PGC_SIGHUP,
							GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomBoolVariable("cctv.hide_credentials",
							 "Hide passwords of cameras in the server's log and pg_stat_activity.",
							 NULL, &cctv_hide_credentials, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("cctv.max_image_bytes", "Largest image that cctv.analyze() takes.",
							NULL, &cctv_max_image_bytes, 32 * 1024 * 1024, 1024,
							CCTV_FRAME_MAX_BINARY, PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("cctv.engine_nice", "Scheduling priority of engines, as of nice(1).",
							NULL, &engine_nice, 5, 0, 19, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("cctv.sandbox", "Confine engines with Landlock and seccomp.", NULL,
							 &sandbox, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("cctv.notify_detail", "What notifications carry.",
							 "\"id\": identifiers only, for databases where roles may not see each "
							 "other's cameras.",
							 &notify_detail, NOTIFY_FULL, notify_details, PGC_SIGHUP, 0, NULL, NULL,
							 NULL);
	DefineCustomEnumVariable(
		"cctv.notify_severity", "Alerts of at least this severity become notifications for people.",
		NULL, &notify_severity, 2, severities, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("cctv.log_level", "Engine messages that reach the server log.", NULL,
							 &log_level, 2, log_levels, PGC_SIGHUP, 0, NULL, NULL, NULL);

	MarkGUCPrefixReserved("cctv");
}

List *
cctv_database_names(void)
{
	List *names;
	List *copies = NIL;
	ListCell *cell;
	char *copy = pstrdup(databases);

	if (!SplitGUCList(copy, ',', &names))
		return NIL; /* the check hook let it through, so it cannot be */
	foreach (cell, names)
		copies = lappend(copies, pstrdup(lfirst(cell)));
	list_free(names);
	pfree(copy);
	return copies;
}

char *
cctv_databases_with(const char *name)
{
	StringInfoData list;
	ListCell *cell;

	initStringInfo(&list);
	foreach (cell, cctv_database_names())
		appendStringInfo(&list, "%s, ", quote_identifier(lfirst(cell)));
	appendStringInfoString(&list, quote_identifier(name));
	return quote_literal_cstr(list.data);
}

char *
cctv_absolute_media_dir(void)
{
	char path[MAXPGPATH];

	if (is_absolute_path(media_dir))
		strlcpy(path, media_dir, sizeof(path));
	else
		join_path_components(path, DataDir, media_dir);
	canonicalize_path(path);
	return pstrdup(path);
}

static void
append_source_paths(StringInfo json)
{
	List *paths;
	ListCell *cell;
	const char *separator = "";
	char *copy = pstrdup(source_paths);

	appendStringInfoChar(json, '[');
	if (SplitDirectoriesString(copy, ',', &paths))
	{
		foreach (cell, paths)
		{
			appendStringInfoString(json, separator);
			escape_json(json, lfirst(cell));
			separator = ", ";
		}
		list_free_deep(paths);
	}
	appendStringInfoChar(json, ']');
	pfree(copy);
}

/* null for any network, else a list of those allowed. */
static void
append_allowed_networks(StringInfo json)
{
	List *words;
	ListCell *cell;
	const char *separator = "";
	char *copy = pstrdup(allowed_networks);

	if (SplitGUCList(copy, ',', &words) && list_length(words) == 1 &&
		pg_strcasecmp(linitial(words), "any") == 0)
		appendStringInfoString(json, "null");
	else
	{
		appendStringInfoChar(json, '[');
		foreach (cell, words)
		{
			if (is_network_keyword(lfirst(cell)))
				continue;
			appendStringInfoString(json, separator);
			escape_json(json, lfirst(cell));
			separator = ", ";
		}
		appendStringInfoChar(json, ']');
	}
	list_free(words);
	pfree(copy);
}

/* Those that an engine reads once, before its first thread. */
static void
append_fixed_settings(StringInfo json)
{
	char *media = cctv_database_media_dir();

	appendStringInfoString(json, "\"models_dir\": ");
	escape_json(json, models_dir);
	appendStringInfoString(json, ", \"media_dir\": ");
	escape_json(json, media);
	appendStringInfoString(json, ", \"source_paths\": ");
	append_source_paths(json);
	appendStringInfoString(json, ", \"allowed_networks\": ");
	append_allowed_networks(json);
	appendStringInfo(json, ", \"sandbox\": %s, \"nice\": %d, \"memory_limit\": " INT64_FORMAT,
					 sandbox ? "true" : "false", engine_nice,
					 (int64) cctv_engine_memory_limit * 1024 * 1024);
	pfree(media);
}

void
cctv_append_settings(StringInfo json)
{
	appendStringInfoChar(json, '{');
	append_fixed_settings(json);
	appendStringInfo(json, ", \"detector_threads\": %d, \"stall_timeout\": %d.%03d",
					 detector_threads, stall_timeout_ms / 1000, stall_timeout_ms % 1000);
	appendStringInfo(json, ", \"segment_duration\": %d, \"log_level\": \"%s\"}", segment_duration,
					 log_levels[log_level].name);
}

char *
cctv_engine_fixed_settings(void)
{
	StringInfoData fixed;

	initStringInfo(&fixed);
	appendStringInfo(&fixed, "%s ", cctv_engine_path);
	append_fixed_settings(&fixed);
	return fixed.data;
}
