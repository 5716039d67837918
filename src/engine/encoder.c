/*
 * encoder.c
 *		H.264 of pictures that somebody watches now.
 */
#include "encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

/* Whoever joins sees a picture after this many seconds at most. */
#define KEYFRAME_SECONDS 2

/*
 * Quality is kept as good as people need (CRF 23, x264's own default) as long as
 * it stays below the bound: a seventh of a bit for each pixel, twice what a quiet
 * scene takes.
 */
#define QUALITY "23"
#define BITS_PER_PIXEL 0.15
#define MIN_BIT_RATE 300000
#define MAX_BIT_RATE 12000000

struct Encoder
{
	AVCodecContext *context;
	AVCodecParameters *parameters;
};

static const AVCodec *
find_codec(void)
{
	const AVCodec *codec = avcodec_find_encoder_by_name("libx264");

	return codec != NULL ? codec : avcodec_find_encoder(AV_CODEC_ID_H264);
}

static int64_t
bound_of_bits(const AVFrame *like, double fps)
{
	double bits = BITS_PER_PIXEL * like->width * like->height * fps;

	return (int64_t) fmin(fmax(bits, MIN_BIT_RATE), MAX_BIT_RATE);
}

/*
 * Those of libx264.  Parameter sets go out with every keyframe, too: who joins late
 * may not have heard the description.  Baseline is what every browser decodes.  A
 * change of scene brings no keyframe of its own, which would only cost bits.
 */
static AVDictionary *
options_for(const AVCodec *codec)
{
	AVDictionary *options = NULL;

	if (av_opt_find((void *) &codec->priv_class, "tune", NULL, 0, AV_OPT_SEARCH_FAKE_OBJ) == NULL)
		return options;
	av_dict_set(&options, "profile", "baseline", 0);
	av_dict_set(&options, "preset", "superfast", 0);
	av_dict_set(&options, "tune", "zerolatency", 0);
	av_dict_set(&options, "crf", QUALITY, 0);
	av_dict_set(&options, "x264-params", "repeat-headers=1:scenecut=0", 0);
	return options;
}

static void
configure(AVCodecContext *context, const AVFrame *like, double fps)
{
	context->width = like->width;
	context->height = like->height;
	context->pix_fmt = like->format;
	context->color_range = like->color_range;
	context->colorspace = like->colorspace;
	context->color_primaries = like->color_primaries;
	context->color_trc = like->color_trc;
	context->time_base = AV_TIME_BASE_Q;
	context->framerate = av_d2q(fps, 1000);
	context->gop_size = (int) fmax(1, lrint(fps * KEYFRAME_SECONDS));
	context->max_b_frames = 0;
	context->thread_count = 1;
	/* A second's worth may be sent at once: a keyframe is large. */
	context->rc_max_rate = bound_of_bits(like, fps);
	context->rc_buffer_size = (int) context->rc_max_rate;
	/* Of encoders that keep a rate, not a quality. */
	if (strcmp(context->codec->name, "libx264") != 0)
		context->bit_rate = context->rc_max_rate;
	context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
}

static int
open_codec(Encoder *encoder, const AVFrame *like, double fps)
{
	const AVCodec *codec = find_codec();
	AVDictionary *options;
	int code;

	if (codec == NULL)
		return AVERROR_ENCODER_NOT_FOUND;
	encoder->context = avcodec_alloc_context3(codec);
	encoder->parameters = avcodec_parameters_alloc();
	if (encoder->context == NULL || encoder->parameters == NULL)
		return AVERROR(ENOMEM);
	configure(encoder->context, like, fps);
	options = options_for(codec);
	code = avcodec_open2(encoder->context, codec, &options);
	av_dict_free(&options);
	if (code >= 0)
		code = avcodec_parameters_from_context(encoder->parameters, encoder->context);
	return code;
}

Encoder *
encoder_open(const AVFrame *like, double fps, char *reason, size_t reason_size)
{
	Encoder *encoder = calloc(1, sizeof(*encoder));
	int code = encoder != NULL ? open_codec(encoder, like, fps) : AVERROR(ENOMEM);

	if (code >= 0)
		return encoder;
	if (code == AVERROR_ENCODER_NOT_FOUND)
		snprintf(reason, reason_size, "this FFmpeg has no encoder of H.264");
	else
		snprintf(reason, reason_size, "the encoder of H.264 does not start: %s", av_err2str(code));
	encoder_free(encoder);
	return NULL;
}

void
encoder_free(Encoder *encoder)
{
	if (encoder == NULL)
		return;
	avcodec_free_context(&encoder->context);
	avcodec_parameters_free(&encoder->parameters);
	free(encoder);
}

bool
encoder_takes(const Encoder *encoder, const AVFrame *picture)
{
	const AVCodecContext *context = encoder->context;

	return picture->width == context->width && picture->height == context->height &&
		   picture->colorspace == context->colorspace;
}

const AVCodecParameters *
encoder_parameters(const Encoder *encoder)
{
	return encoder->parameters;
}

int
encoder_send(Encoder *encoder, AVFrame *picture, int64_t at_us)
{
	if (picture != NULL)
	{
		picture->pts = at_us;
		picture->pict_type = AV_PICTURE_TYPE_NONE;
	}
	return avcodec_send_frame(encoder->context, picture);
}

int
encoder_receive(Encoder *encoder, AVPacket *packet)
{
	return avcodec_receive_packet(encoder->context, packet);
}
