/*
 * event_writer.h
 *		The thread that writes queued event lines to a descriptor.
 */
#ifndef CCTV_EVENT_WRITER_H
#define CCTV_EVENT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "event_queue.h"

typedef struct EventWriter EventWriter;

/*
 * Start writing what arrives in the queue to fd, which stays the caller's.
 * Returns NULL when out of memory or threads.
 */
extern EventWriter *event_writer_start(EventQueue *queue, int fd);

/* The reader is gone, or writing failed. */
extern bool event_writer_broken(const EventWriter *writer);

/*
 * Close the queue, write what it holds for at most grace_us, and end the
 * thread.
 */
extern void event_writer_stop(EventWriter *writer, int64_t grace_us);

#endif /* CCTV_EVENT_WRITER_H */
