/*
 * event_line.h
 *		One line from an engine, checked (docs/protocol.md).
 *
 * An engine decodes streams that strangers send, so its lines are taken for
 * hostile.  Checking one never raises an error.
 */
#ifndef CCTV_EVENT_LINE_H
#define CCTV_EVENT_LINE_H

#include "utils/jsonb.h"

typedef enum CctvEventType
{
	CCTV_STATE,
	CCTV_OBJECTS,
	CCTV_TRACK_END,
	CCTV_MOTION,
	CCTV_RECORDING,
	CCTV_SNAPSHOT,
	CCTV_STATS,
	CCTV_LOG
} CctvEventType;

typedef struct CctvEventLine
{
	CctvEventType type;
	int32 camera_id; /* 0: about no camera, in stats and log only */
	Jsonb *json;	 /* an object, in the caller's memory context */
} CctvEventLine;

/*
 * Check a line without its newline.  NULL and *line filled, or what is wrong
 * with it.  Needs no transaction.
 */
extern const char *cctv_event_line_check(const char *data, int length, CctvEventLine *line);

/* A text field fit for the log (one line, bounded), "" if absent; palloc'd. */
extern char *cctv_event_line_text(const CctvEventLine *line, const char *field);

/* A whole number from 1 that fits, 0 if the field is anything else. */
extern int32 cctv_event_line_count(const CctvEventLine *line, const char *field);

/* Hostile bytes fit for the log: control characters blanked, clipped; palloc'd. */
extern char *cctv_printable(const char *data, int length);

#endif /* CCTV_EVENT_LINE_H */
