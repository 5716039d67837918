/*
 * ffmpeg_compat.h
 *		What differs between the releases of FFmpeg, from 5.1 on.
 */
#ifndef CCTV_FFMPEG_COMPAT_H
#define CCTV_FFMPEG_COMPAT_H

#include <stdint.h>

#include <libavformat/version.h>

/* What a muxer hands to the writer of an AVIOContext is constant since 7.0. */
#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t WrittenByte;
#else
typedef uint8_t WrittenByte;
#endif

#endif /* CCTV_FFMPEG_COMPAT_H */
