/*
 * worker.h
 *		The background worker of one database.
 */
#ifndef CCTV_WORKER_H
#define CCTV_WORKER_H

extern PGDLLEXPORT void cctv_worker_main(Datum main_arg);

#endif /* CCTV_WORKER_H */
