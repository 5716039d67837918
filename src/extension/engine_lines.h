/*
 * engine_lines.h
 *		What becomes of a line from an engine: refused, logged, or kept for ingest.
 */
#ifndef CCTV_ENGINE_LINES_H
#define CCTV_ENGINE_LINES_H

#include "engine_process.h"

/* A CctvLineCallback for an engine's channel; engine is a CctvEngine.  Never raises for what is in the line. */
extern void cctv_engine_take_line(void *engine, const char *data, int length);

#endif /* CCTV_ENGINE_LINES_H */
