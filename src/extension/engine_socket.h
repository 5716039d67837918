/*
 * engine_socket.h
 *		The Unix-domain sockets on which engines serve requests of backends.
 *
 * One for each life of an engine, made by the worker before the fork, so that
 * an engine needs no right to make it.  They lie in a directory of mode 0700
 * in the data directory and are named by relative paths, since every process
 * of the server works there: no data directory is too deep for them.
 */
#ifndef CCTV_ENGINE_SOCKET_H
#define CCTV_ENGINE_SOCKET_H

#include "nodes/pg_list.h"

/*
 * The worker: a listening socket for its engine `number`.  Returns -1, with the
 * reason logged, when there can be none.  The caller closes it.
 */
extern int cctv_socket_listen(int number);
extern void cctv_socket_remove(int number);

/* The worker: remove all sockets of this database, whoever has left them. */
extern void cctv_socket_remove_all(void);

/* Numbers of this database's engines that have a socket, ascending; palloc'd. */
extern List *cctv_socket_list(void);

/*
 * A backend: connect to an engine of this database.  Returns a non-blocking
 * socket, or -1 with errno: ENOENT and ECONNREFUSED when no engine listens,
 * EAGAIN when too many others wait to be served.
 */
extern int cctv_socket_connect(int number);

#endif /* CCTV_ENGINE_SOCKET_H */
