/*
 * sink.h
 *		A server that takes a stream: RTSP (ANNOUNCE and RECORD), RTMP or SRT.
 *
 * A Sink belongs to one thread.  Every call ends when *stop is set or its
 * deadline passes; only the resolver of host names waits for its own time-outs.
 */
#ifndef CCTV_SINK_H
#define CCTV_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>

#include "packet_ring.h"

typedef enum SinkResult
{
	SINK_OK,
	SINK_LOST,	 /* worth another attempt soon */
	SINK_WRONG,	 /* an attempt soon will hardly mend it */
	SINK_STOPPED /* *stop was set */
} SinkResult;

typedef struct Sink Sink;

/* Returns false with a reason when nothing can be published to such a URL. */
extern bool sink_supports(const char *url, char *reason, size_t reason_size);

/*
 * Connect to the server and announce a stream.  parameters of sound may be NULL;
 * sound that the protocol cannot carry is left out with a log line.  username and
 * password may be NULL; of SRT they are the end of the streamid, and a password
 * without a name is the passphrase.  Anything but SINK_OK comes with a one-line
 * reason for people, and *sink is NULL.
 */
extern SinkResult sink_open(Sink **sink, const char *url, const char *username,
							const char *password,
							const AVCodecParameters *const parameters[PACKET_KINDS],
							int64_t timeout_us, const atomic_bool *stop, char *reason,
							size_t reason_size);

/*
 * Send a packet whose times are in microseconds; it is consumed.  A server that
 * does not take it by deadline_us (monotonic) counts as lost.
 */
extern SinkResult sink_write(Sink *sink, PacketKind kind, AVPacket *packet, int64_t deadline_us,
							 char *reason, size_t reason_size);

/* Say goodbye, within a moment. */
extern void sink_close(Sink *sink);

#endif /* CCTV_SINK_H */
