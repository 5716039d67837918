/*
 * functions.h
 *		What functions for SQL have in common.
 */
#ifndef CCTV_FUNCTIONS_H
#define CCTV_FUNCTIONS_H

#include "fmgr.h"
#include "utils/tuplestore.h"

/* The rows that a function returns, to be filled; it returns (Datum) 0 itself. */
extern Tuplestorestate *cctv_begin_rows(FunctionCallInfo fcinfo);

/* Error unless what an engine has sent begins like a JPEG. */
extern void cctv_check_jpeg(const bytea *picture);

/* Error, with what to set, unless cameras can run in this database. */
extern void cctv_check_worker(void);

#endif /* CCTV_FUNCTIONS_H */
