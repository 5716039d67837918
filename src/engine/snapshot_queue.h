/*
 * snapshot_queue.h
 *		The thread that writes snapshots, so that no disk delays an alert.
 */
#ifndef CCTV_SNAPSHOT_QUEUE_H
#define CCTV_SNAPSHOT_QUEUE_H

#include "event.h"
#include "snapshot.h"

typedef struct SnapshotQueue SnapshotQueue;

/*
 * Write below the directory media_dir, which is made if its parent exists.
 * NULL when out of memory or threads.
 */
extern SnapshotQueue *snapshot_queue_start(const char *media_dir);

/* Write what waits, and end the thread. */
extern void snapshot_queue_stop(SnapshotQueue *queue);

/*
 * Write a snapshot soon, and tell it on events.  The frame is referenced and
 * the label copied.  When too many wait, this one is given up with a log line, and
 * false is returned.
 */
extern bool snapshot_queue_put(SnapshotQueue *queue, const Snapshot *snapshot, EventStream *events);

/* Wait until nothing that would be told on events is left. */
extern void snapshot_queue_wait(SnapshotQueue *queue, const EventStream *events);

/* Write a snapshot on the calling thread, and tell it on events. */
extern void snapshot_queue_write_now(SnapshotQueue *queue, const Snapshot *snapshot,
									 EventStream *events);

#endif /* CCTV_SNAPSHOT_QUEUE_H */
