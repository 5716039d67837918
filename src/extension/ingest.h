/*
 * ingest.h
 *		What the engines reported, on its way into the database, in order.
 */
#ifndef CCTV_INGEST_H
#define CCTV_INGEST_H

#include "event_line.h"
#include "shared_state.h"

/* Beyond this much waiting, no socket is read: the engines feel it and drop. */
#define CCTV_MAX_WAITING_LINES 2000
#define CCTV_MAX_WAITING_BYTES (32 * 1024 * 1024)

extern void cctv_ingest_init(void);

/* Forget everything that waits: the extension has gone. */
extern void cctv_ingest_clear(void);

/* A line of this engine, copied. */
extern void cctv_ingest_line(int engine, const CctvEventLine *line);

/* An engine's figures: a line of the worker's own; dropped when ingest is full. */
extern void cctv_ingest_engine(int engine, const char *json);

/* An engine is no longer needed and has ended: its figures are forgotten. */
extern void cctv_ingest_engine_gone(int engine);

/* An engine that had cameras has died; in order with the lines it left. */
extern void cctv_ingest_engine_lost(int engine, const char *reason);

/* A camera is to have an engine of its own from now on. */
extern void cctv_ingest_quarantine(int32 camera_id, const char *reason);

/* What has become of what was queued since the worker's start, and what waits. */
extern CctvIngestFigures cctv_ingest_figures(void);

extern bool cctv_ingest_is_full(void);

/* Milliseconds until there is something to do, -1 if nothing waits. */
extern long cctv_ingest_delay(int64 now);

/*
 * Write the next batch, if one is due.  Sets *reassign when the assignment of
 * cameras to engines may have changed by it.
 */
extern void cctv_ingest_next(int64 now, bool *reassign);

#endif /* CCTV_INGEST_H */
