/*
 * audio_track.c
 *		A camera's sound made fit for MP4.
 */
#include "audio_track.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavutil/channel_layout.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>

#define MAX_CHANNELS 2
#define AAC_BITS_PER_CHANNEL_AND_SAMPLE 4

/* Sound that is further from where it should be than this was interrupted. */
#define MAX_DRIFT_US 100000

struct AudioTrack
{
	AVCodecParameters *parameters; /* of what comes out */

	/* Sound that is copied: a filter that takes ADTS headers off, or none. */
	AVBSFContext *filter;

	/* Sound that is encoded. */
	AVCodecContext *decoder;
	AVCodecContext *encoder;
	AVFrame *decoded;
	AVFrame *frame;		 /* the encoder's next input, being filled */
	int filled;			 /* samples in it */
	int64_t frame_us;	 /* when it begins */
	int64_t next_sample; /* the encoder's clock, in samples */
	int64_t clock_us;	 /* when its sample 0 was */
};

/*
 * The two bytes that describe AAC (ISO 14496-3, AudioSpecificConfig), for
 * streams that carry the same in an ADTS header on every packet.
 */
static int
make_aac_config(AVCodecParameters *parameters)
{
	static const int rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
								22050, 16000, 12000, 11025, 8000,  7350};
	int object_type = parameters->profile >= 0 ? parameters->profile + 1 : 2;
	int channels = parameters->ch_layout.nb_channels;

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
	{
		if (rates[i] != parameters->sample_rate || channels < 1 || channels > 6 || object_type > 4)
			continue;
		parameters->extradata = av_mallocz(2 + AV_INPUT_BUFFER_PADDING_SIZE);
		if (parameters->extradata == NULL)
			return AVERROR(ENOMEM);
		parameters->extradata_size = 2;
		AV_WB16(parameters->extradata, object_type << 11 | (int) i << 7 | channels << 3);
		return 0;
	}
	return AVERROR(EINVAL);
}

/* The Opus identification header (RFC 7845, section 5.1), which RTP lacks. */
static int
make_opus_head(AVCodecParameters *parameters)
{
	int channels = parameters->ch_layout.nb_channels;
	uint8_t *head;

	if (channels < 1 || channels > MAX_CHANNELS)
		return AVERROR(EINVAL);
	head = av_mallocz(19 + AV_INPUT_BUFFER_PADDING_SIZE);
	if (head == NULL)
		return AVERROR(ENOMEM);
	memcpy(head, "OpusHead", 8);
	head[8] = 1;
	head[9] = channels;
	AV_WL32(head + 12, 48000);
	parameters->extradata = head;
	parameters->extradata_size = 19;
	return 0;
}

/* Sound that stays as it is.  Returns 0, or an AVERROR when it cannot. */
static int
open_copy(AudioTrack *track, const AVCodecParameters *source)
{
	const AVBitStreamFilter *filter;
	int result = avcodec_parameters_copy(track->parameters, source);

	if (result < 0)
		return result;
	track->parameters->codec_tag = 0;
	if (source->codec_id != AV_CODEC_ID_AAC || source->extradata_size > 0)
		filter = av_bsf_get_by_name("null");
	else
		filter = av_bsf_get_by_name("aac_adtstoasc");
	if (filter == NULL)
		return AVERROR_BSF_NOT_FOUND;
	if (source->extradata_size == 0)
	{
		if (source->codec_id == AV_CODEC_ID_AAC)
			result = make_aac_config(track->parameters);
		else if (source->codec_id == AV_CODEC_ID_OPUS)
			result = make_opus_head(track->parameters);
	}
	if (result < 0 || (result = av_bsf_alloc(filter, &track->filter)) < 0)
		return result;
	result = avcodec_parameters_copy(track->filter->par_in, source);
	return result < 0 ? result : av_bsf_init(track->filter);
}

static int
open_decoder(AudioTrack *track, const AVCodecParameters *source)
{
	const AVCodec *codec = avcodec_find_decoder(source->codec_id);
	int result;

	if (codec == NULL)
		return AVERROR_DECODER_NOT_FOUND;
	track->decoder = avcodec_alloc_context3(codec);
	if (track->decoder == NULL)
		return AVERROR(ENOMEM);
	result = avcodec_parameters_to_context(track->decoder, source);
	if (result < 0)
		return result;
	track->decoder->thread_count = 1;
	return avcodec_open2(track->decoder, codec, NULL);
}

static int
open_encoder(AudioTrack *track, const AVCodecParameters *source)
{
	const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
	AVCodecContext *encoder;
	int result;

	if (codec == NULL)
		return AVERROR_ENCODER_NOT_FOUND;
	encoder = track->encoder = avcodec_alloc_context3(codec);
	if (encoder == NULL)
		return AVERROR(ENOMEM);
	encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
	encoder->sample_rate = source->sample_rate;
	encoder->time_base = (AVRational){1, source->sample_rate};
	av_channel_layout_default(&encoder->ch_layout, source->ch_layout.nb_channels);
	encoder->bit_rate = (int64_t) source->sample_rate * source->ch_layout.nb_channels *
						AAC_BITS_PER_CHANNEL_AND_SAMPLE;
	encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	encoder->thread_count = 1;
	result = avcodec_open2(encoder, codec, NULL);
	if (result < 0)
		return result;

	track->decoded = av_frame_alloc();
	track->frame = av_frame_alloc();
	if (track->decoded == NULL || track->frame == NULL)
		return AVERROR(ENOMEM);
	return avcodec_parameters_from_context(track->parameters, encoder);
}

AudioTrack *
audio_track_create(const AVCodecParameters *source, const char **reason)
{
	AudioTrack *track = calloc(1, sizeof(*track));
	int result;

	*reason = "it could not be set up";
	if (track == NULL || (track->parameters = avcodec_parameters_alloc()) == NULL)
	{
		free(track);
		return NULL;
	}
	switch (source->codec_id)
	{
		case AV_CODEC_ID_AAC:
		case AV_CODEC_ID_MP3:
		case AV_CODEC_ID_OPUS:
			result = open_copy(track, source);
			break;
		case AV_CODEC_ID_PCM_ALAW:
		case AV_CODEC_ID_PCM_MULAW:
		case AV_CODEC_ID_PCM_S16BE:
		case AV_CODEC_ID_PCM_S16LE:
			if (source->ch_layout.nb_channels < 1 || source->ch_layout.nb_channels > MAX_CHANNELS)
			{
				result = AVERROR(EINVAL);
				*reason = "it has more than two channels";
			}
			else if ((result = open_decoder(track, source)) == 0)
				result = open_encoder(track, source);
			break;
		default:
			result = AVERROR(EINVAL);
			*reason = "MP4 cannot hold it";
	}
	if (result < 0)
	{
		audio_track_free(track);
		return NULL;
	}
	return track;
}

void
audio_track_free(AudioTrack *track)
{
	if (track == NULL)
		return;
	avcodec_parameters_free(&track->parameters);
	av_bsf_free(&track->filter);
	avcodec_free_context(&track->decoder);
	avcodec_free_context(&track->encoder);
	av_frame_free(&track->decoded);
	av_frame_free(&track->frame);
	free(track);
}

const AVCodecParameters *
audio_track_parameters(const AudioTrack *track)
{
	return track->parameters;
}

/* A fresh, silent frame for the encoder. */
static int
renew_frame(AudioTrack *track)
{
	AVFrame *frame = track->frame;
	int result;

	av_frame_unref(frame);
	frame->format = track->encoder->sample_fmt;
	frame->sample_rate = track->encoder->sample_rate;
	frame->nb_samples = track->encoder->frame_size;
	result = av_channel_layout_copy(&frame->ch_layout, &track->encoder->ch_layout);
	if (result == 0)
		result = av_frame_get_buffer(frame, 0);
	if (result < 0)
		return result;
	for (int channel = 0; channel < frame->ch_layout.nb_channels; channel++)
		memset(frame->extended_data[channel], 0, frame->nb_samples * sizeof(float));
	track->filled = 0;
	return 0;
}

static int64_t
samples_to_us(const AudioTrack *track, int64_t samples)
{
	return av_rescale(samples, 1000000, track->encoder->sample_rate);
}

/* Hand the frame to the encoder, silence and all. */
static int
encode_frame(AudioTrack *track)
{
	AVFrame *frame = track->frame;
	int result;

	frame->pts = track->next_sample;
	track->next_sample += frame->nb_samples;
	result = avcodec_send_frame(track->encoder, frame);
	if (result < 0)
		return result;
	track->frame_us += samples_to_us(track, frame->nb_samples);
	return renew_frame(track);
}

/*
 * Make the frame being filled go on at pts.  After an interruption, what was
 * there is sent with silence behind it, and the clock is set anew.
 */
static int
continue_at(AudioTrack *track, int64_t pts)
{
	bool begun = track->frame->nb_samples > 0;
	int64_t expected = track->frame_us + samples_to_us(track, track->filled);
	int result = 0;

	if (begun && llabs(pts - expected) <= MAX_DRIFT_US)
		return 0;
	if (begun && track->filled > 0)
		result = encode_frame(track);
	else if (!begun)
		result = renew_frame(track);
	track->frame_us = pts;
	track->clock_us = pts - samples_to_us(track, track->next_sample);
	return result;
}

static int
encode_samples(AudioTrack *track, const AVFrame *pcm, int64_t pts)
{
	int channels = track->encoder->ch_layout.nb_channels;
	const int16_t *samples = (const int16_t *) pcm->data[0];
	int result = continue_at(track, pts);

	for (int i = 0; i < pcm->nb_samples && result == 0; i++)
	{
		for (int channel = 0; channel < channels; channel++)
			((float *) track->frame->extended_data[channel])[track->filled] =
				samples[i * channels + channel] / 32768.0f;
		if (++track->filled == track->frame->nb_samples)
			result = encode_frame(track);
	}
	return result;
}

int
audio_track_send(AudioTrack *track, AVPacket *packet)
{
	int64_t pts = packet->pts;
	int result;

	if (track->filter != NULL)
	{
		result = av_bsf_send_packet(track->filter, packet);
		av_packet_unref(packet);
		return result;
	}
	result = avcodec_send_packet(track->decoder, packet);
	av_packet_unref(packet);
	while (result == 0 && (result = avcodec_receive_frame(track->decoder, track->decoded)) == 0)
	{
		/* A stream that changes its channels in its course is not followed. */
		if (track->decoded->format == AV_SAMPLE_FMT_S16 &&
			track->decoded->ch_layout.nb_channels == track->encoder->ch_layout.nb_channels)
			result = encode_samples(track, track->decoded, pts);
		pts += samples_to_us(track, track->decoded->nb_samples);
		av_frame_unref(track->decoded);
	}
	return result == AVERROR(EAGAIN) ? 0 : result;
}

int
audio_track_receive(AudioTrack *track, AVPacket *packet)
{
	int result;

	if (track->filter != NULL)
	{
		result = av_bsf_receive_packet(track->filter, packet);
		return result == AVERROR(ENOMEM) || result == 0 ? result : AVERROR(EAGAIN);
	}
	result = avcodec_receive_packet(track->encoder, packet);
	if (result < 0)
		return result;
	packet->pts = track->clock_us + samples_to_us(track, packet->pts);
	packet->dts = packet->pts;
	packet->duration = samples_to_us(track, packet->duration);
	return 0;
}
