/*
 * event_queue.h
 *		Event lines on their way to the worker: bounded, and what overflows is
 *		dropped in order of worth and counted per camera.
 */
#ifndef CCTV_EVENT_QUEUE_H
#define CCTV_EVENT_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is dropped first when the queue overflows, the oldest of its kind. */
typedef enum EventWorth
{
	EVENT_OBJECTS, /* the next frame says it again */
	EVENT_CHATTER, /* stats, motion, log */
	EVENT_LASTING, /* state, track_end, snapshot: said only once */
	EVENT_KEPT	   /* never: its camera waits for room instead */
} EventWorth;

typedef struct EventQueue EventQueue;

/* Bounds in lines and in bytes of text.  Returns NULL when out of memory. */
extern EventQueue *event_queue_create(size_t max_lines, size_t max_bytes);
extern void event_queue_free(EventQueue *queue);

/*
 * Append a line (malloc'd, newline included; the queue owns it from here on).
 * camera_id is 0 for lines about no camera.  When the queue is full something
 * is dropped, the line itself if nothing queued is worth less.
 */
extern void event_queue_push(EventQueue *queue, char *line, int camera_id, EventWorth worth);

/*
 * Append a line that nothing may displace (EVENT_KEPT), after waiting until the
 * queue is less than half full; once *cancel is set it waits no longer.  Whoever
 * sets *cancel calls event_queue_wake.
 */
extern void event_queue_push_wait(EventQueue *queue, char *line, int camera_id,
								  const atomic_bool *cancel);
extern void event_queue_wake(EventQueue *queue);

/*
 * Take the oldest line, waiting until deadline_us of the monotonic clock.
 * Returns NULL at the deadline, or when the queue is closed and empty.  The
 * caller frees it.
 */
extern char *event_queue_pop(EventQueue *queue, int64_t deadline_us);

/* No line is taken in any more; those queued can still be popped. */
extern void event_queue_close(EventQueue *queue);
extern bool event_queue_drained(EventQueue *queue);

/* Lines that wait. */
extern size_t event_queue_depth(EventQueue *queue);

/* Lines of this camera dropped so far. */
extern uint64_t event_queue_dropped(EventQueue *queue, int camera_id);

#endif /* CCTV_EVENT_QUEUE_H */
