/*
 * string_list.c
 *		A list of strings.
 */
#include "string_list.h"

#include <stdlib.h>
#include <string.h>

void
string_list_free(StringList *list)
{
	for (int i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (StringList){0};
}

bool
string_list_equal(const StringList *a, const StringList *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}
