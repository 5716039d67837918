/*
 * video_fixture.h
 *		Small videos that tests make themselves.
 */
#ifndef VIDEO_FIXTURE_H
#define VIDEO_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

/* A picture of one colour with a bright square whose place depends on n. */
static inline void
video_paint(AVFrame *frame, int n)
{
	int side = frame->height / 4;
	int x = n * 4 % (frame->width - side);

	for (int y = 0; y < frame->height; y++)
		memset(frame->data[0] + y * frame->linesize[0], 60, frame->width);
	for (int y = side; y < 2 * side; y++)
		memset(frame->data[0] + y * frame->linesize[0] + x, 200, side);
	for (int plane = 1; plane < 3; plane++)
		for (int y = 0; y < frame->height / 2; y++)
			memset(frame->data[plane] + y * frame->linesize[plane], 128, frame->width / 2);
}

static inline void
video_drain(AVCodecContext *encoder, AVFormatContext *output, AVPacket *packet)
{
	while (avcodec_receive_packet(encoder, packet) >= 0)
	{
		packet->duration = 1;
		av_packet_rescale_ts(packet, encoder->time_base, output->streams[0]->time_base);
		if (av_interleaved_write_frame(output, packet) < 0)
			abort();
	}
}

/* Write an MPEG-4 video of the given frames to path (its name says which container). */
static inline void
video_write(const char *path, int width, int height, int fps, int frames)
{
	AVFormatContext *output = NULL;
	AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MPEG4));
	AVFrame *frame = av_frame_alloc();
	AVPacket *packet = av_packet_alloc();
	AVStream *stream;

	avformat_alloc_output_context2(&output, NULL, NULL, path);
	stream = avformat_new_stream(output, NULL);
	encoder->width = frame->width = width;
	encoder->height = frame->height = height;
	encoder->pix_fmt = frame->format = AV_PIX_FMT_YUV420P;
	encoder->time_base = stream->time_base = (AVRational){1, fps};
	encoder->bit_rate = 1000000;
	if (output->oformat->flags & AVFMT_GLOBALHEADER)
		encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	if (avcodec_open2(encoder, NULL, NULL) < 0 ||
		avcodec_parameters_from_context(stream->codecpar, encoder) < 0 ||
		avio_open(&output->pb, path, AVIO_FLAG_WRITE) < 0 ||
		avformat_write_header(output, NULL) < 0 || av_frame_get_buffer(frame, 0) < 0)
		abort();
	for (int n = 0; n < frames; n++)
	{
		if (av_frame_make_writable(frame) < 0)
			abort();
		video_paint(frame, n);
		frame->pts = n;
		avcodec_send_frame(encoder, frame);
		video_drain(encoder, output, packet);
	}
	avcodec_send_frame(encoder, NULL);
	video_drain(encoder, output, packet);
	av_write_trailer(output);
	avio_closep(&output->pb);
	avcodec_free_context(&encoder);
	avformat_free_context(output);
	av_packet_free(&packet);
	av_frame_free(&frame);
}

#endif /* VIDEO_FIXTURE_H */
