/*
 * database_lock.h
 *		Does somebody want this database for themselves?
 */
#ifndef CCTV_DATABASE_LOCK_H
#define CCTV_DATABASE_LOCK_H

/*
 * Is the database being dropped, renamed, moved or copied?  Those statements hold
 * a lock on it while they wait, for five seconds, until nobody is connected any
 * more.  Must be called outside a transaction; waits for nothing.
 */
extern bool cctv_database_is_claimed(void);

#endif /* CCTV_DATABASE_LOCK_H */
