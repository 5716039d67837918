/*
 * decode.h
 *		Packets to pictures, in software, on the calling thread.
 */
#ifndef CCTV_DECODE_H
#define CCTV_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include <libavformat/avformat.h>
#include <libavutil/frame.h>

typedef struct Decoder Decoder;

/* Returns NULL with a one-line reason when the codec is not one of those decoded. */
extern Decoder *decoder_open(const AVStream *stream, char *reason, size_t reason_size);
extern void decoder_close(Decoder *decoder);

/* "h264", "hevc", "mjpeg" ... */
extern const char *decoder_codec(const Decoder *decoder);

/*
 * Feed one packet (NULL: the end; what is still inside comes out).  A packet
 * that cannot be decoded is logged and forgotten.
 */
extern void decoder_send(Decoder *decoder, const AVPacket *packet);

/*
 * Take the next picture into frame (the caller unrefs it), with its timestamp
 * in microseconds or TIMELINE_NO_PTS.  Returns 1, or 0 when there is none yet.
 */
extern int decoder_receive(Decoder *decoder, AVFrame *frame, int64_t *pts_us);

/* Forget what came before: packets were left out. */
extern void decoder_flush(Decoder *decoder);

/*
 * Decode one packet by itself, roughly (without the loop filter), and forget it
 * again.  Returns 1 with its picture as decoder_receive() gives it, or 0 when
 * there is none that needs no other.
 */
extern int decoder_decode_alone(Decoder *decoder, const AVPacket *packet, AVFrame *frame,
								int64_t *pts_us);

/* How long a picture usually lasts, 0 when unknown. */
extern int64_t decoder_duration_us(const Decoder *decoder);

#endif /* CCTV_DECODE_H */
