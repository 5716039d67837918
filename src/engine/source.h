/*
 * source.h
 *		Open a camera's URL and read the packets of its video, and of its sound where
 *		they are asked for.
 *
 * A Source belongs to one thread.  Every blocking call ends when *stop is set
 * or the deadline passes.
 */
#ifndef CCTV_SOURCE_H
#define CCTV_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavformat/avformat.h>

#include "desired_state.h"
#include "packet_ring.h"
#include "url.h"

typedef enum SourceResult
{
	SOURCE_OK,
	SOURCE_END,	   /* a file has been read to its end */
	SOURCE_LOST,   /* worth another attempt soon */
	SOURCE_WRONG,  /* an attempt soon will hardly mend it */
	SOURCE_STOPPED /* *stop was set */
} SourceResult;

typedef struct Source Source;

/*
 * Open the stream that config describes, within timeout_us; a file only if it
 * lies in one of source_paths (NULL: anywhere).  Anything but SOURCE_OK comes
 * with a one-line reason for people, and *source is NULL.
 */
extern SourceResult source_open(Source **source, const CameraConfig *config,
								const StringList *source_paths, int64_t timeout_us,
								const atomic_bool *stop, char *reason, size_t reason_size);
extern void source_close(Source *source);

/* Is it a stream that comes at its own pace? */
extern bool source_live(const Source *source);

/* Are its timestamps worth anything? */
extern bool source_has_timestamps(const Source *source);
extern const AVStream *source_video(const Source *source);

/* NULL: there is none, or config->sound was not set. */
extern const AVStream *source_audio(const Source *source);

/*
 * Read the next packet, of the video or the sound.  The caller unrefs it.  A
 * live source gives up at deadline_us of the monotonic clock.
 */
extern SourceResult source_read(Source *source, AVPacket *packet, int64_t deadline_us, char *reason,
								size_t reason_size);
extern PacketKind source_packet_kind(const Source *source, const AVPacket *packet);

#endif /* CCTV_SOURCE_H */
