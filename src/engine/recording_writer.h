/*
 * recording_writer.h
 *		The thread that writes the recordings of all cameras, so that no disk holds
 *		up a camera.
 */
#ifndef CCTV_RECORDING_WRITER_H
#define CCTV_RECORDING_WRITER_H

#include "recording.h"

typedef struct RecordingWriter RecordingWriter;

/*
 * Segments are of segment_us.  NULL, with a log line, when out of memory or
 * threads.  media_dir is copied.
 */
extern RecordingWriter *recording_writer_start(const char *media_dir, int64_t segment_us);

/* Every recording must have been ended. */
extern void recording_writer_stop(RecordingWriter *writer);
extern void recording_writer_set_segment(RecordingWriter *writer, int64_t segment_us);

/* Has the media directory been replaced by one that this engine may not write to? */
extern bool recording_writer_shut_out(const RecordingWriter *writer);

/* A recording that is written from here on.  NULL when out of memory. */
extern Recording *recording_begin(RecordingWriter *writer, int camera_id, EventStream *events);

/* Write what is left of it, on this thread, and free it. */
extern void recording_end(RecordingWriter *writer, Recording *recording);

#endif /* CCTV_RECORDING_WRITER_H */
