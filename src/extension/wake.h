/*
 * wake.h
 *		Wake this database's worker once the current transaction has committed.
 */
#ifndef CCTV_WAKE_H
#define CCTV_WAKE_H

extern void cctv_wake_at_commit(void);

#endif /* CCTV_WAKE_H */
