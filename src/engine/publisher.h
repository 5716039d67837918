/*
 * publisher.h
 *		Sends a camera's stream on to a server, with what was found drawn into it or
 *		as it comes.
 *
 * A thread of its own connects, sends, and connects again; the camera never waits
 * for it.  Calls are the camera's thread's, except publisher_status().
 */
#ifndef CCTV_PUBLISHER_H
#define CCTV_PUBLISHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "desired_state.h"
#include "event.h"
#include "live.h"
#include "source.h"

typedef struct Publisher Publisher;

/* live and stall_timeout_us outlive it.  NULL when out of memory. */
extern Publisher *publisher_create(int camera_id, Live *live, const atomic_llong *stall_timeout_us);

/* Publish nothing any more: end the thread, and wait for that. */
extern void publisher_stop(Publisher *publisher);
extern void publisher_free(Publisher *publisher);

/* Publish as this configuration says from now on, or not at all. */
extern void publisher_configure(Publisher *publisher, CameraConfig *config);

/* A connection to the camera has been made.  Returns 0 or an AVERROR. */
extern int publisher_connect(Publisher *publisher, const Source *source);

/* A packet of it has been read; it stays the caller's. */
extern void publisher_packet(Publisher *publisher, const Source *source, const AVPacket *packet);

/* How it does, for any thread but one at a time: rates are since the last call. */
extern void publisher_status(Publisher *publisher, EventPublish *status);

#endif /* CCTV_PUBLISHER_H */
