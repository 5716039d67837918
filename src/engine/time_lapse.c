/*
 * time_lapse.c
 *		A time-lapse: one frame for each interval of what was recorded.
 *
 * Footage is read by keyframes alone where the interval is long enough for
 * that, so a day takes seconds.  Frames go through the same way as every
 * picture, so what is private is black in them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "clock.h"
#include "footage.h"
#include "picture.h"
#include "segment_reader.h"
#include "timeline.h"

/* From this interval on a keyframe is near enough. */
#define KEYFRAMES_US (10 * CLOCK_SECOND)

/* Footage that is missing for less is not told. */
#define CONTINUOUS_US (CLOCK_SECOND / 2)

#define KEYFRAME_EVERY_S 2
#define QUALITY "23"
#define MPEG4_QUALITY 4

typedef struct Lapse
{
	const Footage *footage;
	const TimeLapse *settings;
	const atomic_bool *cancelled;
	ExportProgress *progress;
	ExportResult *result;
	AVCodecContext *encoder; /* NULL: no frame yet */
	struct SwsContext *converter;
	int canvas_width; /* of what the converter takes */
	int canvas_height;
	AVFrame *picture; /* as the encoder takes it */
	AVFrame *frame;
	AVPacket *packet;
	ExportFile *file;
	ExportPart part;
	int64_t next_us;	 /* the next frame is the first one from here on */
	int64_t covered_us;	 /* up to here there is footage, or a gap is told */
	int64_t written;	 /* frames */
	const char *problem; /* with the segments since covered_us */
} Lapse;

static int
fail(Lapse *lapse, int error, const char *what)
{
	snprintf(lapse->result->reason, sizeof(lapse->result->reason), "%s: %s", what,
			 strerror(-error));
	return error;
}

/* ---- encoding ---- */

/* libx264 is what there is where FFmpeg was built with it (GPL). */
static const AVCodec *
find_codec(void)
{
	const AVCodec *codec = avcodec_find_encoder_by_name("libx264");

	if (codec == NULL)
		codec = avcodec_find_encoder_by_name("libopenh264");
	return codec != NULL ? codec : avcodec_find_encoder(AV_CODEC_ID_MPEG4);
}

static int
open_encoder(Lapse *lapse, const Canvas *canvas)
{
	const AVCodec *codec = find_codec();
	AVCodecContext *encoder = codec != NULL ? avcodec_alloc_context3(codec) : NULL;
	AVDictionary *options = NULL;
	int result;

	if (encoder == NULL)
		return fail(lapse, codec == NULL ? -ENOSYS : -ENOMEM, "no encoder");
	lapse->encoder = encoder;
	/* Chroma is halved. */
	encoder->width = canvas->width / 2 * 2;
	encoder->height = canvas->height / 2 * 2;
	encoder->pix_fmt = AV_PIX_FMT_YUV420P;
	encoder->colorspace = encoder->height > 576 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
	encoder->color_range = AVCOL_RANGE_MPEG;
	encoder->time_base = (AVRational){1, lapse->settings->fps};
	encoder->framerate = (AVRational){lapse->settings->fps, 1};
	encoder->gop_size = lapse->settings->fps * KEYFRAME_EVERY_S;
	encoder->max_b_frames = 0;
	/* Cameras come first; and each thread would hold frames of its own. */
	encoder->thread_count = 1;
	encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	if (codec->id == AV_CODEC_ID_H264)
	{
		av_dict_set(&options, "preset", "veryfast", 0);
		av_dict_set(&options, "crf", QUALITY, 0);
	}
	else
	{
		encoder->flags |= AV_CODEC_FLAG_QSCALE;
		encoder->global_quality = MPEG4_QUALITY * FF_QP2LAMBDA;
	}
	result = avcodec_open2(encoder, codec, &options);
	av_dict_free(&options);
	return result >= 0 ? 0 : fail(lapse, -EINVAL, "the encoder does not start");
}

static int
open_file(Lapse *lapse, int64_t at_us)
{
	AVCodecParameters *parameters = avcodec_parameters_alloc();
	int fps = lapse->settings->fps;
	ExportFileSpec spec = {
		.media_dir = lapse->footage->media_dir,
		.camera_id = lapse->footage->camera_id,
		.kind = "timelapse",
		.at_us = at_us,
		.length_us =
			(lapse->footage->upto_us - at_us) / lapse->settings->interval_us * CLOCK_SECOND / fps,
		.parameters = {parameters},
		.frame_rate = {fps, 1},
	};
	int error = -ENOMEM;

	if (parameters != NULL && avcodec_parameters_from_context(parameters, lapse->encoder) >= 0)
		error = export_file_open(&spec, &lapse->file);
	avcodec_parameters_free(&parameters);
	if (error < 0)
		return fail(lapse, error, "the time-lapse could not be written");
	lapse->part = (ExportPart){
		.started_us = at_us,
		.width = lapse->encoder->width,
		.height = lapse->encoder->height,
	};
	snprintf(lapse->part.codec, sizeof(lapse->part.codec), "%s",
			 avcodec_get_name(lapse->encoder->codec_id));
	return 0;
}

/* The frame that the encoder takes, of the size of the first picture. */
static int
make_picture(Lapse *lapse)
{
	AVFrame *picture = lapse->picture;

	if (picture->data[0] != NULL && av_frame_is_writable(picture))
		return 0;
	av_frame_unref(picture);
	picture->format = lapse->encoder->pix_fmt;
	picture->width = lapse->encoder->width;
	picture->height = lapse->encoder->height;
	picture->colorspace = lapse->encoder->colorspace;
	picture->color_range = lapse->encoder->color_range;
	return av_frame_get_buffer(picture, 0) < 0 ? -ENOMEM : 0;
}

/* Later pictures of another size are fitted into the first one's. */
static int
convert(Lapse *lapse, const Canvas *canvas)
{
	int space = lapse->encoder->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_SMPTE170M;
	const uint8_t *from = canvas->data;

	if (make_picture(lapse) < 0)
		return -ENOMEM;
	lapse->converter =
		sws_getCachedContext(lapse->converter, canvas->width, canvas->height, AV_PIX_FMT_BGR24,
							 lapse->picture->width, lapse->picture->height, lapse->encoder->pix_fmt,
							 SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
	if (lapse->converter == NULL)
		return -ENOMEM;
	sws_setColorspaceDetails(lapse->converter, sws_getCoefficients(SWS_CS_DEFAULT), 1,
							 sws_getCoefficients(space), 0, 0, 1 << 16, 1 << 16);
	return sws_scale(lapse->converter, &from, &canvas->stride, 0, canvas->height,
					 lapse->picture->data, lapse->picture->linesize) > 0
			   ? 0
			   : -EINVAL;
}

/* Hand a picture (NULL: the end) to the encoder, and what comes out to the file. */
static int
encode(Lapse *lapse, AVFrame *picture)
{
	int64_t frame_us = CLOCK_SECOND / lapse->settings->fps;
	int error = 0;

	if (avcodec_send_frame(lapse->encoder, picture) < 0)
		return fail(lapse, -EIO, "a frame could not be encoded");
	while (error == 0 && avcodec_receive_packet(lapse->encoder, lapse->packet) == 0)
	{
		av_packet_rescale_ts(lapse->packet, lapse->encoder->time_base, AV_TIME_BASE_Q);
		lapse->packet->duration = frame_us;
		error = export_file_write(lapse->file, PACKET_VIDEO, lapse->packet);
	}
	return error < 0 ? fail(lapse, error, "the time-lapse could not be written") : 0;
}

/* ---- frames ---- */

static int
draw(Lapse *lapse, int64_t at_us, Canvas *canvas)
{
	if (picture_hide(lapse->frame, lapse->settings->privacy) != 0 ||
		picture_from_frame(lapse->frame, lapse->settings->max_width, canvas) != 0)
		return fail(lapse, -ENOMEM, "a frame could not be converted");
	if (canvas->width < 2 || canvas->height < 2)
		return fail(lapse, -EINVAL, "a frame is too small");
	if (lapse->settings->annotated)
		picture_sign(canvas, lapse->footage->camera_id, at_us);
	return 0;
}

static int
take_frame(Lapse *lapse, int64_t at_us)
{
	Canvas canvas = {0};
	int error = draw(lapse, at_us, &canvas);

	if (error == 0 && lapse->encoder == NULL)
	{
		error = open_encoder(lapse, &canvas);
		if (error == 0)
			error = open_file(lapse, at_us);
	}
	if (error == 0 && convert(lapse, &canvas) < 0)
		error = fail(lapse, -ENOMEM, "a frame could not be converted");
	free(canvas.data);
	if (error < 0)
		return error;
	lapse->picture->pts = lapse->written++;
	lapse->picture->pict_type = AV_PICTURE_TYPE_NONE;
	lapse->progress->frames = lapse->written;
	lapse->part.ended_us = at_us;
	/* The next one of the raster, not one interval after a frame that came late. */
	lapse->next_us +=
		(at_us - lapse->next_us) / lapse->settings->interval_us * lapse->settings->interval_us +
		lapse->settings->interval_us;
	return encode(lapse, lapse->picture);
}

static int
tell_gap(Lapse *lapse, int64_t upto_us)
{
	ExportGap gap = {
		.from_us = lapse->covered_us,
		.upto_us = upto_us,
		.position_us = lapse->written * CLOCK_SECOND / lapse->settings->fps,
		.why = lapse->problem != NULL ? lapse->problem : "not recorded",
	};

	lapse->problem = NULL;
	lapse->covered_us = upto_us;
	return export_result_gap(lapse->result, &gap) == 0 ? 0 : fail(lapse, -ENOMEM, "no time-lapse");
}

/* Take what the decoder has that is due. */
static int
take_decoded(Lapse *lapse, Decoder *decoder, int64_t started_us)
{
	int64_t pts_us;
	int error = 0;

	while (error == 0 && decoder_receive(decoder, lapse->frame, &pts_us) > 0)
	{
		int64_t at_us = started_us + pts_us;

		if (pts_us != TIMELINE_NO_PTS && at_us >= lapse->next_us && at_us < lapse->footage->upto_us)
			error = take_frame(lapse, at_us);
		av_frame_unref(lapse->frame);
	}
	return error;
}

static int
decode_segment(Lapse *lapse, SegmentReader *reader, int64_t started_us)
{
	Decoder *decoder =
		segment_reader_decoder(reader, lapse->result->reason, sizeof(lapse->result->reason));
	bool keys = lapse->settings->interval_us >= KEYFRAMES_US;
	PacketKind kind;
	int error = 0;

	if (decoder == NULL)
	{
		lapse->problem = "codec cannot be decoded";
		return 0;
	}
	if (keys)
		segment_reader_only_keys(reader);
	while (error == 0 && segment_reader_next(reader, lapse->packet, &kind) > 0)
	{
		int64_t at_us = started_us + lapse->packet->pts;

		if (*lapse->cancelled)
			error = fail(lapse, -ECANCELED, "the export was cancelled");
		lapse->progress->bytes += lapse->packet->size;
		if (kind != PACKET_VIDEO || error < 0)
			continue;
		if (started_us + lapse->packet->dts >= lapse->footage->upto_us)
			break;
		if (keys && at_us < lapse->next_us)
			continue;
		decoder_send(decoder, lapse->packet);
		if (keys)
		{
			/* A keyframe needs no other: have it now, and forget it. */
			decoder_send(decoder, NULL);
			error = take_decoded(lapse, decoder, started_us);
			decoder_flush(decoder);
		}
		else
			error = take_decoded(lapse, decoder, started_us);
	}
	av_packet_unref(lapse->packet);
	if (error == 0 && !keys)
	{
		decoder_send(decoder, NULL);
		error = take_decoded(lapse, decoder, started_us);
	}
	decoder_close(decoder);
	return error;
}

static int
take_segment(Lapse *lapse, int i)
{
	const Footage *footage = lapse->footage;
	const FootageSegment *segment = &footage->segments[i];
	SegmentReader *reader;
	int error = segment_reader_open(footage->media_dir, segment->path, &reader);

	if (error < 0)
	{
		lapse->problem = error == -ENOENT ? "file is missing" : "file cannot be read";
		return error == -ENOMEM ? fail(lapse, error, "no time-lapse") : 0;
	}
	if (segment->started_us - lapse->covered_us > CONTINUOUS_US)
		error = tell_gap(lapse, segment->started_us);
	if (error == 0)
		error = decode_segment(lapse, reader, segment->started_us);
	/* Keyframes alone do not tell how far it goes. */
	if (error == 0 && lapse->problem == NULL && segment->ended_us > lapse->covered_us)
		lapse->covered_us = segment->ended_us;
	segment_reader_close(reader);
	return error;
}

/* Nothing in it is due before the next one begins, which follows at once. */
static bool
may_be_skipped(Lapse *lapse, int i)
{
	const FootageSegment *segments = lapse->footage->segments;

	if (i + 1 >= lapse->footage->count || lapse->next_us < segments[i + 1].started_us ||
		segments[i + 1].started_us - segments[i].ended_us > CONTINUOUS_US ||
		segments[i].started_us - lapse->covered_us > CONTINUOUS_US)
		return false;
	lapse->covered_us = segments[i].ended_us;
	return true;
}

static int
take_segments(Lapse *lapse)
{
	const Footage *footage = lapse->footage;
	int error = 0;

	for (int i = 0; error == 0 && i < footage->count; i++)
	{
		if (*lapse->cancelled)
			error = fail(lapse, -ECANCELED, "the export was cancelled");
		else if (footage->segments[i].started_us < footage->upto_us && !may_be_skipped(lapse, i))
			error = take_segment(lapse, i);
		lapse->progress->segments++;
	}
	if (error == 0 && lapse->file == NULL)
		return fail(lapse, -ENODATA,
					lapse->problem != NULL ? lapse->problem : "nothing was recorded");
	if (error == 0 && footage->upto_us - lapse->covered_us > CONTINUOUS_US)
		error = tell_gap(lapse, footage->upto_us);
	return error;
}

static int
finish(Lapse *lapse)
{
	ExportPart *part;
	int error = encode(lapse, NULL);

	if (error < 0)
		return error;
	lapse->progress->phase = EXPORT_FINISHING;
	error = export_file_close(lapse->file, &lapse->part.file);
	lapse->file = NULL;
	if (error < 0)
		return fail(lapse, error, "the time-lapse could not be completed");
	part = export_result_part(lapse->result);
	if (part == NULL)
	{
		media_remove(lapse->footage->media_dir, lapse->part.file.path);
		return fail(lapse, -ENOMEM, "no time-lapse");
	}
	*part = lapse->part;
	return *lapse->cancelled ? fail(lapse, -ECANCELED, "the export was cancelled") : 0;
}

int
time_lapse_make(const Footage *footage, const TimeLapse *settings, const atomic_bool *cancelled,
				ExportProgress *progress, ExportResult *result)
{
	Lapse lapse = {
		.footage = footage,
		.settings = settings,
		.cancelled = cancelled,
		.progress = progress,
		.result = result,
		.picture = av_frame_alloc(),
		.frame = av_frame_alloc(),
		.packet = av_packet_alloc(),
		.next_us = footage->from_us,
		.covered_us = footage->from_us,
	};
	int error = -ENOMEM;

	progress->phase = EXPORT_READING;
	if (lapse.picture != NULL && lapse.frame != NULL && lapse.packet != NULL)
		error = take_segments(&lapse);
	else
		fail(&lapse, error, "no time-lapse");
	if (error == 0)
		error = finish(&lapse);
	export_file_discard(lapse.file);
	if (error < 0)
		export_result_discard(result, footage->media_dir);
	sws_freeContext(lapse.converter);
	avcodec_free_context(&lapse.encoder);
	av_frame_free(&lapse.picture);
	av_frame_free(&lapse.frame);
	av_packet_free(&lapse.packet);
	return error;
}
