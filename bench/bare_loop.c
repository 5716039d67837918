/*
 * bare_loop.c
 *		The least that a program can do with a stream: read and decode it.
 *
 *		bare_loop URL...
 *
 * One thread for each URL, one libavcodec thread in it, every frame thrown
 * away: what bench/decode holds the engine's memory against.  Runs until
 * killed; prints "decoding" once every stream has yielded a frame.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

static atomic_int waiting;

static void
fail(const char *what, int error)
{
	fprintf(stderr, "bare_loop: %s: %s\n", what, av_err2str(error));
	exit(1);
}

static AVFormatContext *
open_stream(const char *url)
{
	AVFormatContext *format = NULL;
	AVDictionary *options = NULL;
	int error;

	av_dict_set(&options, "rtsp_transport", "tcp", 0);
	error = avformat_open_input(&format, url, NULL, &options);
	av_dict_free(&options);
	if (error < 0)
		fail(url, error);
	error = avformat_find_stream_info(format, NULL);
	if (error < 0)
		fail(url, error);
	return format;
}

static AVCodecContext *
open_decoder(const AVStream *stream)
{
	const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
	AVCodecContext *decoder = codec == NULL ? NULL : avcodec_alloc_context3(codec);
	int error = AVERROR_DECODER_NOT_FOUND;

	if (decoder == NULL)
		fail("decoder", error);
	decoder->thread_count = 1;
	error = avcodec_parameters_to_context(decoder, stream->codecpar);
	if (error >= 0)
		error = avcodec_open2(decoder, codec, NULL);
	if (error < 0)
		fail("decoder", error);
	return decoder;
}

static void *
loop(void *url)
{
	AVFormatContext *format = open_stream(url);
	int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
	AVCodecContext *decoder;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	bool first = true;

	if (video < 0)
		fail(url, video);
	if (packet == NULL || frame == NULL)
		fail(url, AVERROR(ENOMEM));
	decoder = open_decoder(format->streams[video]);
	for (;;)
	{
		int error = av_read_frame(format, packet);

		if (error < 0)
			fail(url, error);
		if (packet->stream_index == video)
			avcodec_send_packet(decoder, packet);
		av_packet_unref(packet);
		while (avcodec_receive_frame(decoder, frame) == 0)
		{
			if (first && atomic_fetch_sub(&waiting, 1) == 1)
			{
				puts("decoding");
				fflush(stdout);
			}
			first = false;
		}
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t thread;

	av_log_set_level(AV_LOG_ERROR);
	waiting = argc - 1;
	for (int i = 1; i < argc; i++)
		if (pthread_create(&thread, NULL, loop, argv[i]) != 0)
			fail("thread", AVERROR(EAGAIN));
	for (;;)
		pause();
}
