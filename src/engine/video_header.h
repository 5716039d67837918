/*
 * video_header.h
 *		What the header of a file must say about a video stream: codec parameters
 *		with the parameter sets in force, taken from the stream itself where the
 *		connection did not give them.
 */
#ifndef CCTV_VIDEO_HEADER_H
#define CCTV_VIDEO_HEADER_H

#include <stdbool.h>

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>

typedef struct VideoHeader VideoHeader;

/* Can this codec be copied into MP4? */
extern bool video_header_supports(enum AVCodecID codec);

/* Copies the parameters.  Returns NULL when out of memory. */
extern VideoHeader *video_header_create(const AVCodecParameters *parameters);
extern void video_header_free(VideoHeader *header);

/*
 * Look at a keyframe.  Returns 1 when what it carries differs from the header
 * so far, which then follows it; 0 when nothing changed; AVERROR(ENOMEM).
 */
extern int video_header_update(VideoHeader *header, const AVPacket *keyframe);

/* Is everything known that a file needs? */
extern bool video_header_complete(const VideoHeader *header);

/* The parameters in force; the header's own, valid until the next update. */
extern const AVCodecParameters *video_header_parameters(const VideoHeader *header);

#endif /* CCTV_VIDEO_HEADER_H */
