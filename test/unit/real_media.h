/*
 * real_media.h
 *		Real pictures and videos for tests, and what to do without them.
 */
#ifndef REAL_MEDIA_H
#define REAL_MEDIA_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

#define RUNTIME "build/deps/onnxruntime/lib/libonnxruntime.so.1"

/* A street with pedestrians: vtest.avi of OpenCV, unless PG_CCTV_MEDIA names another. */
static inline const char *
media_path_of_video(void)
{
	const char *path = getenv("PG_CCTV_MEDIA");

	return path != NULL ? path : "build/media/vtest.mp4";
}

/* Skip the running test, saying why, when something is missing. */
static inline void
need_file(const char *path)
{
	if (access(path, R_OK) != 0)
	{
		print_message("# SKIP: there is no %s\n", path);
		skip();
	}
}

/* A group's set-up: the ONNX Runtime that was fetched, if it was. */
static inline int
use_fetched_runtime(void **state)
{
	(void) state;
	if (access(RUNTIME, R_OK) == 0)
		setenv("PG_CCTV_ORT", RUNTIME, 0);
	return 0;
}

/* Takes a frame and its time; returns whether there shall be more. */
typedef bool (*FrameFunction)(AVFrame *frame, double seconds, void *context);

/* Hand each frame of a video to a function until it wants no more. */
static inline void
each_frame(const char *path, FrameFunction function, void *context)
{
	AVFormatContext *input = NULL;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	const AVCodec *codec = NULL;
	AVCodecContext *decoder;
	bool more = true;
	bool last = false;
	int index;

	assert_int_equal(avformat_open_input(&input, path, NULL, NULL), 0);
	assert_true(avformat_find_stream_info(input, NULL) >= 0);
	index = av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
	assert_true(index >= 0);
	decoder = avcodec_alloc_context3(codec);
	avcodec_parameters_to_context(decoder, input->streams[index]->codecpar);
	decoder->thread_count = 1;
	assert_int_equal(avcodec_open2(decoder, codec, NULL), 0);
	while (more && !last)
	{
		last = av_read_frame(input, packet) < 0;
		if (last || packet->stream_index == index)
			avcodec_send_packet(decoder, last ? NULL : packet);
		av_packet_unref(packet);
		while (more && avcodec_receive_frame(decoder, frame) >= 0)
			more = function(frame,
							frame->best_effort_timestamp * av_q2d(input->streams[index]->time_base),
							context);
	}
	av_frame_free(&frame);
	av_packet_free(&packet);
	avcodec_free_context(&decoder);
	avformat_close_input(&input);
}

typedef struct FrameWanted
{
	double seconds;
	AVFrame *frame; /* the newest so far */
} FrameWanted;

static inline bool
is_wanted(AVFrame *frame, double seconds, void *context)
{
	FrameWanted *wanted = context;

	av_frame_free(&wanted->frame);
	wanted->frame = av_frame_clone(frame);
	return seconds < wanted->seconds;
}

/*
 * The frame of a video at so many seconds (of a picture, 0), or its last; the
 * caller frees it.
 */
static inline AVFrame *
video_frame(const char *path, double seconds)
{
	FrameWanted wanted = {.seconds = seconds};

	each_frame(path, is_wanted, &wanted);
	assert_non_null(wanted.frame);
	return wanted.frame;
}

/* A grey frame in which a picture lies at even pixels, scaled; the caller frees it. */
static inline AVFrame *
picture_in_frame(const char *path, int width, int height, int x, int y, int w, int h)
{
	AVFrame *picture = video_frame(path, 0);
	AVFrame *frame = av_frame_alloc();
	struct SwsContext *scaler = sws_getContext(picture->width, picture->height, picture->format, w,
											   h, AV_PIX_FMT_YUV420P, SWS_AREA, NULL, NULL, NULL);
	uint8_t *planes[4] = {NULL};

	frame->format = AV_PIX_FMT_YUV420P;
	frame->width = width;
	frame->height = height;
	assert_non_null(scaler);
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	for (int i = 0; i < 3; i++)
	{
		int shift = i > 0 ? 1 : 0;

		memset(frame->data[i], 128, (size_t) frame->linesize[i] * (height >> shift));
		planes[i] = frame->data[i] + (y >> shift) * frame->linesize[i] + (x >> shift);
	}
	sws_scale(scaler, (const uint8_t *const *) picture->data, picture->linesize, 0, picture->height,
			  planes, frame->linesize);
	sws_freeContext(scaler);
	av_frame_free(&picture);
	return frame;
}

#endif /* REAL_MEDIA_H */
