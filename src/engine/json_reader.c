/*
 * json_reader.c
 *		An object of JSON, read and checked key by key.
 */
#define _GNU_SOURCE
#include "json_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define MAX_TIME 64

void
reader_complain(JsonReader *reader, const char *format, ...)
{
	va_list args;

	if (reader->problem != NULL)
		return;
	va_start(args, format);
	if (vasprintf(&reader->problem, format, args) < 0)
		reader->problem = NULL;
	va_end(args);
}

json_t *
reader_value(JsonReader *reader, const char *key)
{
	json_t *value = json_object_get(reader->object, key);

	return json_is_null(value) ? NULL : value;
}

char *
reader_string(JsonReader *reader, const char *key, size_t max, const char *fallback)
{
	json_t *value = reader_value(reader, key);
	char *copy = NULL;

	if (value != NULL && !json_is_string(value))
		reader_complain(reader, "%s must be a string", key);
	else if (value != NULL && json_string_length(value) > max)
		reader_complain(reader, "%s is longer than %zu bytes", key, max);
	else if (value != NULL)
		fallback = json_string_value(value);
	if (fallback != NULL && (copy = strdup(fallback)) == NULL)
		reader_complain(reader, "out of memory");
	return copy;
}

double
reader_number(JsonReader *reader, const char *key, double min, double max, double fallback)
{
	json_t *value = reader_value(reader, key);
	double number;

	if (value == NULL)
		return fallback;
	number = json_number_value(value);
	if (json_is_number(value) && number >= min && number <= max)
		return number;
	reader_complain(reader, "%s must be a number from %g to %g", key, min, max);
	return fallback;
}

int64_t
reader_integer(JsonReader *reader, const char *key, int64_t min, int64_t max, int64_t fallback)
{
	json_t *value = reader_value(reader, key);
	int64_t number;

	if (value == NULL)
		return fallback;
	number = json_integer_value(value);
	if (json_is_integer(value) && number >= min && number <= max)
		return number;
	reader_complain(reader, "%s must be a whole number from %lld to %lld", key, (long long) min,
					(long long) max);
	return fallback;
}

bool
reader_bool(JsonReader *reader, const char *key, bool fallback)
{
	json_t *value = reader_value(reader, key);

	if (value == NULL)
		return fallback;
	if (!json_is_boolean(value))
		reader_complain(reader, "%s must be true or false", key);
	return json_is_true(value);
}

void
reader_strings(JsonReader *reader, const char *key, size_t max_count, size_t max_length,
			   StringList *list)
{
	json_t *array = reader_value(reader, key);
	size_t count = json_array_size(array);

	*list = (StringList){0};
	if (array == NULL)
		return;
	if (!json_is_array(array) || count > max_count)
	{
		reader_complain(reader, "%s must be an array of at most %zu strings", key, max_count);
		return;
	}
	list->items = calloc(count + 1, sizeof(*list->items));
	for (size_t i = 0; list->items != NULL && i < count; i++)
	{
		json_t *item = json_array_get(array, i);

		if (!json_is_string(item) || json_string_length(item) == 0 ||
			json_string_length(item) > max_length)
		{
			reader_complain(reader, "%s must hold strings of 1 to %zu bytes", key, max_length);
			return;
		}
		if ((list->items[i] = strdup(json_string_value(item))) == NULL)
			break;
		list->count++;
	}
	if ((size_t) list->count < count || list->items == NULL)
		reader_complain(reader, "out of memory");
}

int64_t
reader_time(JsonReader *reader, const char *key)
{
	char *text = reader_string(reader, key, MAX_TIME, NULL);
	int64_t us = 0;

	if (text != NULL && !clock_parse(text, &us))
		reader_complain(reader, "%s must be a time such as 2026-11-20T06:00:00Z", key);
	free(text);
	return us;
}
