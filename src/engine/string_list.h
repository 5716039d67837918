/*
 * string_list.h
 *		A list of strings.
 */
#ifndef CCTV_STRING_LIST_H
#define CCTV_STRING_LIST_H

#include <stdbool.h>

/* All malloc'd; {0} is empty. */
typedef struct StringList
{
	int count;
	char **items;
} StringList;

/* Free the strings and leave the list empty. */
extern void string_list_free(StringList *list);
extern bool string_list_equal(const StringList *a, const StringList *b);

#endif /* CCTV_STRING_LIST_H */
