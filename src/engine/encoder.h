/*
 * encoder.h
 *		H.264 of pictures that somebody watches now: no delay, no B-frames, bounded
 *		bits a second, one thread.
 *
 * Belongs to one thread.  The encoder is libavcodec's libx264 (GPL) where it has
 * it, else whatever it has for H.264.
 */
#ifndef CCTV_ENCODER_H
#define CCTV_ENCODER_H

#include <stdbool.h>
#include <stddef.h>

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>
#include <libavutil/frame.h>

typedef struct Encoder Encoder;

/*
 * For pictures like this one (YUV 4:2:0), about so many a second.  NULL with a
 * one-line reason.
 */
extern Encoder *encoder_open(const AVFrame *like, double fps, char *reason, size_t reason_size);
extern void encoder_free(Encoder *encoder);

/* Can this picture be the next? */
extern bool encoder_takes(const Encoder *encoder, const AVFrame *picture);

/* What comes out; the encoder's own. */
extern const AVCodecParameters *encoder_parameters(const Encoder *encoder);

/*
 * Encode a picture of the time at_us, which only rises (NULL: the end), then take
 * packets until AVERROR(EAGAIN) or the end: usually one.  Their times are in microseconds too.  Return 0
 * or an AVERROR.
 */
extern int encoder_send(Encoder *encoder, AVFrame *picture, int64_t at_us);
extern int encoder_receive(Encoder *encoder, AVPacket *packet);

#endif /* CCTV_ENCODER_H */
