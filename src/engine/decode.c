/*
 * decode.c
 *		Packets to pictures, in software, on the calling thread.
 *
 * One camera has one thread; frame threading would add a picture of delay and
 * of memory for each of its threads.
 */
#include "decode.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "clock.h"
#include "timeline.h"

/* A stream that claims more pixels is a mistake or an attack. */
#define MAX_PIXELS (8192 * 8192)

/* A decoder that fails this often on what it was given wants new data. */
#define MAX_FAILURES 16

struct Decoder
{
	AVCodecContext *codec;
	AVRational time_base;
	AVRational frame_rate;

	/* Only for raw pictures without a luma plane, as some devices give. */
	struct SwsContext *planar;
};

/* What cameras and recorders send.  A codec that is not here is not attacked here. */
static bool
is_supported(enum AVCodecID id)
{
	switch (id)
	{
		case AV_CODEC_ID_H264:
		case AV_CODEC_ID_HEVC:
		case AV_CODEC_ID_MJPEG:
		case AV_CODEC_ID_MPEG4:
		case AV_CODEC_ID_MSMPEG4V2:
		case AV_CODEC_ID_MSMPEG4V3:
		case AV_CODEC_ID_H263:
		case AV_CODEC_ID_MPEG2VIDEO:
		case AV_CODEC_ID_MPEG1VIDEO:
		case AV_CODEC_ID_VP8:
		case AV_CODEC_ID_VP9:
		case AV_CODEC_ID_AV1:
		case AV_CODEC_ID_RAWVIDEO:
			return true;
		default:
			return false;
	}
}

Decoder *
decoder_open(const AVStream *stream, char *reason, size_t reason_size)
{
	enum AVCodecID id = stream->codecpar->codec_id;
	const AVCodec *codec = is_supported(id) ? avcodec_find_decoder(id) : NULL;
	Decoder *decoder;
	int code = AVERROR(ENOMEM);

	if (codec == NULL)
	{
		snprintf(reason, reason_size, "the codec %s is not supported", avcodec_get_name(id));
		return NULL;
	}
	decoder = calloc(1, sizeof(*decoder));
	if (decoder == NULL)
		goto fail;
	decoder->time_base = stream->time_base;
	decoder->frame_rate = stream->avg_frame_rate;
	decoder->codec = avcodec_alloc_context3(codec);
	if (decoder->codec == NULL ||
		(code = avcodec_parameters_to_context(decoder->codec, stream->codecpar)) < 0)
		goto fail;
	decoder->codec->pkt_timebase = stream->time_base;
	decoder->codec->thread_count = 1;
	decoder->codec->max_pixels = MAX_PIXELS;
	if ((code = avcodec_open2(decoder->codec, codec, NULL)) < 0)
		goto fail;
	return decoder;

fail:
	snprintf(reason, reason_size, "the %s decoder does not start: %s", codec->name,
			 av_err2str(code));
	decoder_close(decoder);
	return NULL;
}

void
decoder_close(Decoder *decoder)
{
	if (decoder == NULL)
		return;
	sws_freeContext(decoder->planar);
	avcodec_free_context(&decoder->codec);
	free(decoder);
}

const char *
decoder_codec(const Decoder *decoder)
{
	return avcodec_get_name(decoder->codec->codec_id);
}

void
decoder_send(Decoder *decoder, const AVPacket *packet)
{
	/* What it refuses, it has logged. */
	(void) avcodec_send_packet(decoder->codec, packet);
}

void
decoder_flush(Decoder *decoder)
{
	avcodec_flush_buffers(decoder->codec);
}

/* Is the first plane luma of 8 bits or more, and nothing else? */
static bool
has_luma_plane(enum AVPixelFormat format)
{
	const AVPixFmtDescriptor *description = av_pix_fmt_desc_get(format);

	if (description == NULL || description->comp[0].depth < 8 || description->comp[0].depth > 16 ||
		(description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER |
							   AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_FLOAT)) != 0)
		return false;
	return description->nb_components == 1 ||
		   (description->comp[1].plane != 0 && description->comp[2].plane != 0);
}

/* Replace a packed, RGB, palette or bitmap picture by a planar one. */
static int
make_planar(Decoder *decoder, AVFrame *frame)
{
	AVFrame *planar = av_frame_alloc();
	int code = AVERROR(ENOMEM);

	if (planar == NULL)
		return code;
	planar->format = AV_PIX_FMT_YUV420P;
	planar->width = frame->width;
	planar->height = frame->height;
	decoder->planar = sws_getCachedContext(decoder->planar, frame->width, frame->height,
										   frame->format, frame->width, frame->height,
										   AV_PIX_FMT_YUV420P, SWS_POINT, NULL, NULL, NULL);
	if (decoder->planar != NULL && (code = av_frame_get_buffer(planar, 0)) >= 0 &&
		(code = av_frame_copy_props(planar, frame)) >= 0 &&
		(code = sws_scale(decoder->planar, (const uint8_t *const *) frame->data, frame->linesize, 0,
						  frame->height, planar->data, planar->linesize)) >= 0)
	{
		av_frame_unref(frame);
		av_frame_move_ref(frame, planar);
	}
	av_frame_free(&planar);
	return code;
}

int
decoder_receive(Decoder *decoder, AVFrame *frame, int64_t *pts_us)
{
	int failures;

	for (failures = 0; failures < MAX_FAILURES; failures++)
	{
		int code = avcodec_receive_frame(decoder->codec, frame);

		if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
			return 0;
		if (code >= 0 && !has_luma_plane(frame->format))
			code = make_planar(decoder, frame);
		if (code >= 0)
			break;
		av_frame_unref(frame);
	}
	if (failures == MAX_FAILURES)
		return 0;
	*pts_us = TIMELINE_NO_PTS;
	if (frame->best_effort_timestamp != AV_NOPTS_VALUE)
		*pts_us = av_rescale_q(frame->best_effort_timestamp, decoder->time_base, AV_TIME_BASE_Q);
	return 1;
}

int
decoder_decode_alone(Decoder *decoder, const AVPacket *packet, AVFrame *frame, int64_t *pts_us)
{
	int got;

	decoder_flush(decoder);
	decoder->codec->skip_loop_filter = AVDISCARD_ALL;
	decoder_send(decoder, packet);
	/* Where pictures are reordered it comes out only at the end. */
	decoder_send(decoder, NULL);
	got = decoder_receive(decoder, frame, pts_us);
	decoder_flush(decoder);
	decoder->codec->skip_loop_filter = AVDISCARD_DEFAULT;
	if (got && (frame->pict_type == AV_PICTURE_TYPE_P || frame->pict_type == AV_PICTURE_TYPE_B))
	{
		av_frame_unref(frame);
		got = 0;
	}
	return got;
}

int64_t
decoder_duration_us(const Decoder *decoder)
{
	AVRational rate = decoder->frame_rate;

	if (rate.num <= 0 || rate.den <= 0)
		return 0;
	return av_rescale(CLOCK_SECOND, rate.den, rate.num);
}
