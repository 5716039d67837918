/*
 * functions.h
 *		What functions for SQL have in common.
 */
#ifndef CCTV_FUNCTIONS_H
#define CCTV_FUNCTIONS_H

/* Error, with what to set, unless cameras can run in this database. */
extern void cctv_check_worker(void);

#endif /* CCTV_FUNCTIONS_H */
