/*
 * media_bytes.c
 *		What SQL sees of the files below the media directory: bytes and hashes for
 *		people, sizes, removal and free space for maintenance.
 *
 * Functions for people take the key of a row and read it with the rights of
 * the caller, row security included: whoever may not see the row does not get
 * the file.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "guc.h"
#include "media_dir.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* What one call hands out at most: a bytea is held in memory whole, twice. */
#define LARGEST_PART (256 * 1024 * 1024)
#define READ_BYTES (1024 * 1024)
/* Entries of a directory that are looked at: a day of pictures every second. */
#define MOST_ENTRIES 100000

PG_FUNCTION_INFO_V1(cctv_media);
PG_FUNCTION_INFO_V1(cctv_media_sha256);
PG_FUNCTION_INFO_V1(cctv_media_stat);
PG_FUNCTION_INFO_V1(cctv_media_list);
PG_FUNCTION_INFO_V1(cctv_media_remove);
PG_FUNCTION_INFO_V1(cctv_media_space);
PG_FUNCTION_INFO_V1(cctv_media_claim_sql);
PG_FUNCTION_INFO_V1(cctv_media_directory);

/* The path of a recording that the current user may see, palloc'd; else an error. */
static char *
path_of_recording(int64 recording)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid types[1] = {INT8OID};
	Datum values[1];
	char *path = NULL;

	values[0] = Int64GetDatum(recording);
	SPI_connect();
	/* Not read-only: it may be a row that the same statement has made. */
	if (SPI_execute_with_args("select path from cctv.recordings where recording_id = $1", 1, types,
							  values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for recording " INT64_FORMAT, recording);
	if (SPI_processed == 1)
		path = MemoryContextStrdup(caller,
								   SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	if (path == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("recording " INT64_FORMAT " does not exist", recording)));
	return path;
}

/* Read up to length bytes from offset, as many as there are. */
static size_t
read_part(int fd, const char *path, char *buffer, size_t length, off_t offset)
{
	size_t done = 0;

	while (done < length)
	{
		ssize_t n = pread(fd, buffer + done, Min(length - done, READ_BYTES), offset + done);

		if (n < 0 && errno != EINTR)
			ereport(ERROR, (errcode_for_file_access(),
							errmsg("could not read media file \"%s\": %m", path)));
		if (n == 0)
			break;
		if (n > 0)
			done += n;
		CHECK_FOR_INTERRUPTS();
	}
	return done;
}

static bytea *
part_of_file(int fd, const char *path, int64 size, int64 offset, int64 length)
{
	bytea *part;

	length = Min(length, Max(0, size - offset));
	if (length > LARGEST_PART)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("media file \"%s\" is too large to be read at once", path),
						errhint("Read it in parts of up to %d bytes, by offset and length.",
								LARGEST_PART)));
	part = palloc(VARHDRSZ + length);
	SET_VARSIZE(part, VARHDRSZ + read_part(fd, path, VARDATA(part), length, offset));
	return part;
}

/* cctv.media(recording_id bigint, "offset" bigint, length integer): bytes of its file. */
Datum
cctv_media(PG_FUNCTION_ARGS)
{
	int64 offset = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
	int64 length = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT32(2);
	char *path;
	struct stat status;
	int fd;
	bytea *volatile part = NULL;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (offset < 0 || length < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("offset and length must not be negative")));

	path = path_of_recording(PG_GETARG_INT64(0));
	fd = cctv_media_open(path, &status);
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open media file \"%s\": %m", path)));
	PG_TRY();
	{
		part = part_of_file(fd, path, status.st_size, offset, length);
	}
	PG_FINALLY();
	{
		close(fd);
	}
	PG_END_TRY();
	PG_RETURN_BYTEA_P(part);
}

static void
hash_file(int fd, const char *path, uint8 digest[PG_SHA256_DIGEST_LENGTH])
{
	char *buffer = palloc(READ_BYTES);
	CctvSha256 *hash = cctv_sha256_begin();
	off_t offset = 0;
	size_t n;

	while ((n = read_part(fd, path, buffer, READ_BYTES, offset)) > 0)
	{
		cctv_sha256_add(hash, (uint8 *) buffer, n);
		offset += n;
	}
	cctv_sha256_end(hash, digest);
	pfree(buffer);
}

/* cctv.media_sha256(recording_id bigint): SHA-256 of its file, NULL if there is none. */
Datum
cctv_media_sha256(PG_FUNCTION_ARGS)
{
	char *path = path_of_recording(PG_GETARG_INT64(0));
	bytea *digest = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	struct stat status;
	int fd = cctv_media_open(path, &status);

	if (fd < 0 && errno == ENOENT)
		PG_RETURN_NULL();
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not open media file \"%s\": %m", path)));
	SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	PG_TRY();
	{
		hash_file(fd, path, (uint8 *) VARDATA(digest));
	}
	PG_FINALLY();
	{
		close(fd);
	}
	PG_END_TRY();
	PG_RETURN_BYTEA_P(digest);
}

static Datum
make_row(FunctionCallInfo fcinfo, int natts, Datum *values, bool *nulls)
{
	TupleDesc shape;

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE || shape->natts != natts)
		elog(ERROR, "return type must be a row of %d columns", natts);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls));
}

/*
 * cctv.media_stat(path text, out bytes bigint, out modified_at timestamptz, out
 * problem text): all NULL for no such file, problem for one out of reach.
 */
Datum
cctv_media_stat(PG_FUNCTION_ARGS)
{
	char *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum values[3] = {0, 0, 0};
	bool nulls[3] = {true, true, true};
	struct stat status;
	int fd = cctv_media_open(path, &status);

	if (fd >= 0)
	{
		close(fd);
		values[0] = Int64GetDatum(status.st_size);
		values[1] = TimestampTzGetDatum(time_t_to_timestamptz(status.st_mtime));
		nulls[0] = nulls[1] = false;
	}
	else if (errno != ENOENT)
	{
		values[2] = CStringGetTextDatum(psprintf("%m"));
		nulls[2] = false;
	}
	PG_RETURN_DATUM(make_row(fcinfo, lengthof(values), values, nulls));
}

/* Names in an open directory, those of directories with a slash behind them. */
static Datum
list_names(DIR *dir)
{
	ArrayBuildState *names = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	struct dirent *entry;

	for (int n = 0; n < MOST_ENTRIES && (entry = readdir(dir)) != NULL; n++)
	{
		struct stat status;

		CHECK_FOR_INTERRUPTS();
		if (entry->d_name[0] == '.' ||
			!pg_verifymbstr(entry->d_name, strlen(entry->d_name), true) ||
			fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(status.st_mode))
			accumArrayResult(names, CStringGetTextDatum(psprintf("%s/", entry->d_name)), false,
							 TEXTOID, CurrentMemoryContext);
		else if (S_ISREG(status.st_mode))
			accumArrayResult(names, CStringGetTextDatum(entry->d_name), false, TEXTOID,
							 CurrentMemoryContext);
	}
	return makeArrayResult(names, CurrentMemoryContext);
}

/* cctv.media_list(directory text) returns text[]: empty when it cannot be read. */
Datum
cctv_media_list(PG_FUNCTION_ARGS)
{
	char *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int fd = cctv_media_open_dir(path);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	volatile Datum names = (Datum) 0;

	if (dir == NULL)
	{
		if (fd >= 0)
			close(fd);
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	}
	PG_TRY();
	{
		names = list_names(dir);
	}
	PG_FINALLY();
	{
		closedir(dir);
	}
	PG_END_TRY();
	PG_RETURN_DATUM(names);
}

/* cctv.media_remove(path text): NULL once the file is gone, else why it is not. */
Datum
cctv_media_remove(PG_FUNCTION_ARGS)
{
	char *path = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (cctv_media_unlink(path) == 0 || errno == ENOENT)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%m")));
}

/* cctv.media_space(out free_bytes bigint, out total_bytes bigint) of the media directory's file system. */
Datum
cctv_media_space(PG_FUNCTION_ARGS)
{
	char *media_dir = cctv_database_media_dir();
	Datum values[2];
	bool nulls[2] = {false, false};
	struct statvfs space;

	if (statvfs(media_dir, &space) < 0)
		nulls[0] = nulls[1] = true;
	values[0] = Int64GetDatum((int64) space.f_bavail * space.f_frsize);
	values[1] = Int64GetDatum((int64) space.f_blocks * space.f_frsize);
	PG_RETURN_DATUM(make_row(fcinfo, lengthof(values), values, nulls));
}

/* cctv.media_claim(path text): was the file moved to where it belongs? */
Datum
cctv_media_claim_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(cctv_media_claim(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/* cctv.media_directory() returns text: where paths are relative to. */
Datum
cctv_media_directory(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(cctv_database_media_dir()));
}
