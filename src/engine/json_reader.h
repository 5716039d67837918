/*
 * json_reader.h
 *		An object of JSON, read and checked key by key.
 *
 * A key that is missing or null has a fallback.  What does not fit is complained
 * of, and the fallback is read; reading goes on.
 */
#ifndef CCTV_JSON_READER_H
#define CCTV_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "string_list.h"

/* An object being read, and the first thing found wrong with it (malloc'd). */
typedef struct JsonReader
{
	json_t *object;
	char *problem;
} JsonReader;

/* Note a problem, unless there is one already. */
extern void reader_complain(JsonReader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The value of a key, borrowed; NULL when it is missing or null. */
extern json_t *reader_value(JsonReader *reader, const char *key);

/* A malloc'd copy of a string of at most max bytes, or of fallback (which may be NULL). */
extern char *reader_string(JsonReader *reader, const char *key, size_t max, const char *fallback);
extern double reader_number(JsonReader *reader, const char *key, double min, double max,
							double fallback);
extern int64_t reader_integer(JsonReader *reader, const char *key, int64_t min, int64_t max,
							  int64_t fallback);
extern bool reader_bool(JsonReader *reader, const char *key, bool fallback);

/* Strings of an array, to be freed also after a complaint; an absent key gives none. */
extern void reader_strings(JsonReader *reader, const char *key, size_t max_count, size_t max_length,
						   StringList *list);

/* Microseconds of UTC since 1970, 0 when there is no such key. */
extern int64_t reader_time(JsonReader *reader, const char *key);

#endif /* CCTV_JSON_READER_H */
