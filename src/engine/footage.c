/*
 * footage.c
 *		What an export has made so far.
 */
#include "footage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

int
export_result_gap(ExportResult *result, const ExportGap *gap)
{
	result->missing_us += gap->upto_us - gap->from_us;
	if (result->ngaps == EXPORT_MAX_GAPS)
	{
		result->gaps_left_out++;
		return 0;
	}
	if (result->gaps == NULL && (result->gaps = calloc(EXPORT_MAX_GAPS, sizeof(ExportGap))) == NULL)
		return -ENOMEM;
	result->gaps[result->ngaps++] = *gap;
	return 0;
}

ExportPart *
export_result_part(ExportResult *result)
{
	if (result->parts == NULL &&
		(result->parts = calloc(EXPORT_MAX_FILES, sizeof(ExportPart))) == NULL)
		return NULL;
	return result->nparts < EXPORT_MAX_FILES ? &result->parts[result->nparts++] : NULL;
}

void
export_result_discard(ExportResult *result, const char *media_dir)
{
	for (int i = 0; i < result->nparts; i++)
	{
		int error = media_remove(media_dir, result->parts[i].file.path);

		if (error < 0)
			log_warning("could not remove %s: %s", result->parts[i].file.path, strerror(-error));
	}
	result->nparts = 0;
}

void
export_result_free(ExportResult *result)
{
	free(result->parts);
	free(result->gaps);
	result->parts = NULL;
	result->gaps = NULL;
	result->nparts = result->ngaps = 0;
}
