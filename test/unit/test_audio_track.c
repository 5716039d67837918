/*
 * test_audio_track.c
 *		Sound made fit for MP4: what goes in as G.711 comes out as AAC that sounds
 *		the same, at the same time.
 */
#define _GNU_SOURCE
#include <math.h>

#include "audio_track.h"
#include "media_fixture.h"

/* Its name until FFmpeg 6.1. */
#ifndef AV_PROFILE_UNKNOWN
#define AV_PROFILE_UNKNOWN FF_PROFILE_UNKNOWN
#endif

#define RATE 8000
#define TONE_HZ 500
#define PACKET_SAMPLES 160 /* 20 ms, as RTP sends it */
#define PACKET_US 20000

/* G.711 mu-law of one linear sample (ITU-T G.711). */
static uint8_t
mu_law(int sample)
{
	int sign = sample < 0 ? 0x80 : 0;
	int magnitude = (sign ? -sample : sample) + 132;
	int exponent = 7;

	while (exponent > 0 && !(magnitude & (1 << (exponent + 7))))
		exponent--;
	return ~(sign | exponent << 4 | (magnitude >> (exponent + 3) & 15));
}

static AVCodecParameters *
parameters_of(enum AVCodecID codec, int rate, int channels)
{
	AVCodecParameters *parameters = avcodec_parameters_alloc();

	parameters->codec_type = AVMEDIA_TYPE_AUDIO;
	parameters->codec_id = codec;
	parameters->sample_rate = rate;
	parameters->profile = AV_PROFILE_UNKNOWN;
	av_channel_layout_default(&parameters->ch_layout, channels);
	return parameters;
}

/* A second of silence, then a tone. */
static void
send_packet(AudioTrack *track, int n, int64_t pts)
{
	AVPacket *packet = av_packet_alloc();

	assert_int_equal(av_new_packet(packet, PACKET_SAMPLES), 0);
	for (int i = 0; i < PACKET_SAMPLES; i++)
	{
		int sample = n * PACKET_SAMPLES + i;

		packet->data[i] =
			mu_law(sample < RATE ? 0 : (int) (12000 * sin(sample * 2 * M_PI * TONE_HZ / RATE)));
	}
	packet->pts = packet->dts = pts;
	packet->duration = PACKET_US;
	assert_int_equal(audio_track_send(track, packet), 0);
	av_packet_free(&packet);
}

/* Decoded sound, placed by its packets' times. */
typedef struct Sound
{
	AVCodecContext *decoder;
	AVPacket *packet;
	AVFrame *frame;
	float samples[RATE * 16];
	int64_t next_us; /* end of the last packet; 0: none */
	int gaps;
} Sound;

static void
listen(Sound *sound, AudioTrack *track)
{
	if (sound->decoder == NULL)
	{
		sound->packet = av_packet_alloc();
		sound->frame = av_frame_alloc();
		sound->decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_AAC));
		avcodec_parameters_to_context(sound->decoder, audio_track_parameters(track));
		assert_int_equal(avcodec_open2(sound->decoder, NULL, NULL), 0);
	}
	while (audio_track_receive(track, sound->packet) == 0)
	{
		int64_t pts = sound->packet->pts;

		if (sound->next_us != 0 && llabs(pts - sound->next_us) > 130)
			sound->gaps++;
		sound->next_us = pts + sound->packet->duration;
		assert_int_equal(avcodec_send_packet(sound->decoder, sound->packet), 0);
		while (avcodec_receive_frame(sound->decoder, sound->frame) == 0)
		{
			int64_t at = pts * RATE / CLOCK_SECOND;

			for (int i = 0; i < sound->frame->nb_samples; i++)
				if (at + i >= 0 && at + i < RATE * 16)
					sound->samples[at + i] = ((float *) sound->frame->data[0])[i];
		}
		av_packet_unref(sound->packet);
	}
}

static double
loudness(const Sound *sound, double from, double to)
{
	double sum = 0;

	for (int i = from * RATE; i < (int) (to * RATE); i++)
		sum += sound->samples[i] * sound->samples[i];
	return sqrt(sum / ((to - from) * RATE));
}

static double
pitch(const Sound *sound, double from, double to)
{
	int crossings = 0;

	for (int i = from * RATE; i < (int) (to * RATE); i++)
		crossings += sound->samples[i] < 0 && sound->samples[i + 1] >= 0;
	return crossings / (to - from);
}

static void
sound_free(Sound *sound)
{
	avcodec_free_context(&sound->decoder);
	av_packet_free(&sound->packet);
	av_frame_free(&sound->frame);
	free(sound);
}

static void
test_g711_sounds_the_same(void **state)
{
	AVCodecParameters *source = parameters_of(AV_CODEC_ID_PCM_MULAW, RATE, 1);
	const char *reason;
	AudioTrack *track = audio_track_create(source, &reason);
	Sound *sound = calloc(1, sizeof(*sound));
	/* A sine's mean square, of 12000/32768. */
	double expected = 12000 / 32768.0 / sqrt(2);

	assert_non_null(track);
	assert_int_equal(audio_track_parameters(track)->codec_id, AV_CODEC_ID_AAC);
	assert_true(audio_track_parameters(track)->extradata_size > 0);
	for (int i = 0; i < 200; i++)
	{
		/* Jitter within reason is none of the sound's business. */
		send_packet(track, i, i * PACKET_US + (i % 3) * 5000);
		listen(sound, track);
	}
	assert_int_equal(sound->gaps, 0);
	assert_true(sound->next_us >= 200 * PACKET_US - 400000);
	assert_true(loudness(sound, 0.1, 0.9) < 0.01);
	assert_true(fabs(loudness(sound, 1.1, 3) - expected) < expected * 0.1);
	assert_true(fabs(pitch(sound, 1.1, 3) - TONE_HZ) < 3);
	/* The tone begins when it began. */
	assert_true(loudness(sound, 0.9, 0.98) < 0.05);
	assert_true(loudness(sound, 1.02, 1.1) > expected * 0.7);
	sound_free(sound);
	audio_track_free(track);
	avcodec_parameters_free(&source);
}

/* Sound that stops for five seconds goes on five seconds later. */
static void
test_interruption(void **state)
{
	AVCodecParameters *source = parameters_of(AV_CODEC_ID_PCM_MULAW, RATE, 1);
	const char *reason;
	AudioTrack *track = audio_track_create(source, &reason);
	Sound *sound = calloc(1, sizeof(*sound));

	for (int i = 0; i < 300; i++)
	{
		send_packet(track, i, i * PACKET_US + (i >= 100 ? 5 * CLOCK_SECOND : 0));
		listen(sound, track);
	}
	assert_true(sound->gaps >= 1);
	assert_true(loudness(sound, 1.1, 1.6) > 0.2);
	assert_true(loudness(sound, 2.5, 6.5) < 0.01);
	assert_true(loudness(sound, 7.4, 10.5) > 0.2);
	sound_free(sound);
	audio_track_free(track);
	avcodec_parameters_free(&source);
}

/* Codecs that MP4 takes are described even when the connection did not. */
static void
test_copied_codecs(void **state)
{
	static const struct
	{
		enum AVCodecID codec;
		int rate;
		int extradata;
	} codecs[] = {
		{AV_CODEC_ID_AAC, 16000, 2}, {AV_CODEC_ID_OPUS, 48000, 19}, {AV_CODEC_ID_MP3, 44100, 0}};

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
	{
		AVCodecParameters *source = parameters_of(codecs[i].codec, codecs[i].rate, 2);
		const char *reason;
		AudioTrack *track = audio_track_create(source, &reason);

		assert_non_null(track);
		assert_int_equal(audio_track_parameters(track)->codec_id, codecs[i].codec);
		assert_int_equal(audio_track_parameters(track)->extradata_size, codecs[i].extradata);
		audio_track_free(track);
		avcodec_parameters_free(&source);
	}
}

static void
test_refused_codecs(void **state)
{
	AVCodecParameters *g726 = parameters_of(AV_CODEC_ID_ADPCM_G726, 8000, 1);
	AVCodecParameters *surround = parameters_of(AV_CODEC_ID_PCM_ALAW, 8000, 6);
	AVCodecParameters *odd = parameters_of(AV_CODEC_ID_PCM_ALAW, 8123, 1);
	AVCodecParameters *empty = parameters_of(AV_CODEC_ID_AAC, 0, 1);
	const char *reason;

	assert_null(audio_track_create(g726, &reason));
	assert_string_equal(reason, "MP4 cannot hold it");
	assert_null(audio_track_create(surround, &reason));
	assert_string_equal(reason, "it has more than two channels");
	assert_null(audio_track_create(odd, &reason));
	assert_null(audio_track_create(empty, &reason));
	avcodec_parameters_free(&g726);
	avcodec_parameters_free(&surround);
	avcodec_parameters_free(&odd);
	avcodec_parameters_free(&empty);
}

static void
test_garbage_is_dropped(void **state)
{
	static const enum AVCodecID codecs[] = {AV_CODEC_ID_PCM_ALAW, AV_CODEC_ID_AAC,
											AV_CODEC_ID_PCM_S16BE};

	srand(5);
	for (size_t k = 0; k < sizeof(codecs) / sizeof(codecs[0]); k++)
	{
		AVCodecParameters *source = parameters_of(codecs[k], 16000, 2);
		const char *reason;
		AudioTrack *track = audio_track_create(source, &reason);
		AVPacket *packet = av_packet_alloc();

		assert_non_null(track);
		for (int i = 0; i < 500; i++)
		{
			assert_int_equal(av_new_packet(packet, 1 + rand() % 3000), 0);
			for (int n = 0; n < packet->size; n++)
				packet->data[n] = rand();
			packet->pts = packet->dts = (int64_t) i * (rand() % 100000);
			audio_track_send(track, packet);
			assert_int_equal(packet->size, 0);
			while (audio_track_receive(track, packet) == 0)
				av_packet_unref(packet);
		}
		av_packet_free(&packet);
		audio_track_free(track);
		avcodec_parameters_free(&source);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_g711_sounds_the_same), cmocka_unit_test(test_interruption),
		cmocka_unit_test(test_copied_codecs),		 cmocka_unit_test(test_refused_codecs),
		cmocka_unit_test(test_garbage_is_dropped),
	};

	av_log_set_level(AV_LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
