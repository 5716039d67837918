/*
 * request_server.h
 *		Serves backends that connect to the engine's Unix socket.
 *
 * One thread talks to all clients without ever waiting for one; a few others,
 * that the scheduler puts behind those of the cameras, do what is asked.
 * Clients, bytes in memory, requests of a kind at a time, and the time each may
 * take are bounded, so that a client that is slow, dead or hostile costs
 * nobody else anything.
 */
#ifndef CCTV_REQUEST_SERVER_H
#define CCTV_REQUEST_SERVER_H

#include <stdbool.h>

#include "request.h"

typedef struct RequestServer RequestServer;

/*
 * Serve whoever connects to listen_fd, a listening stream socket, which is
 * closed at the end.  world outlives the server.  NULL, with a log line, when
 * out of memory or threads.
 */
extern RequestServer *request_server_start(int listen_fd, const RequestWorld *world);

/*
 * Cancel everything and end.  False if a handler did not end in time: then the
 * server is left as it is, and the process should end.
 */
extern bool request_server_stop(RequestServer *server);

#endif /* CCTV_REQUEST_SERVER_H */
