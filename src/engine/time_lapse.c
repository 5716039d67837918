/*
 * time_lapse.c
 *		A time-lapse: one frame for each interval of what was recorded.
 *
 * Footage is read by keyframes alone where the interval is long enough for
 * that.  Frames become pictures like all others, so what
 * is private is black in them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encoder.h"
#include "footage.h"
#include "picture.h"
#include "segment_reader.h"
#include "timeline.h"
#include "video_picture.h"

/* From this interval on a keyframe is near enough. */
#define KEYFRAMES_US (10 * CLOCK_SECOND)

/* Footage that is missing for less is not told. */
#define CONTINUOUS_US (CLOCK_SECOND / 2)

typedef struct Lapse
{
	const Footage *footage;
	const TimeLapse *settings;
	const atomic_bool *cancelled;
	ExportProgress *progress;
	ExportResult *result;
	VideoPicture *pictures;
	AVFrame *frame;
	AVPacket *packet;
	Encoder *encoder; /* of the file being written; NULL: none yet */
	ExportFile *file;
	ExportPart part;
	int64_t next_us;	 /* the next frame is the first one from here on */
	int64_t covered_us;	 /* up to here there is footage, or a gap is told */
	int64_t written;	 /* frames of the file */
	const char *problem; /* with the segments since covered_us */
} Lapse;

static int
fail(Lapse *lapse, int error, const char *what)
{
	snprintf(lapse->result->reason, sizeof(lapse->result->reason), "%s: %s", what,
			 strerror(-error));
	return error;
}

static int64_t
frame_us(const Lapse *lapse)
{
	return CLOCK_SECOND / lapse->settings->fps;
}

/* ---- files ---- */

static int
open_file(Lapse *lapse, const AVFrame *picture, int64_t at_us)
{
	int fps = lapse->settings->fps;
	ExportFileSpec spec = {
		.media_dir = lapse->footage->media_dir,
		.camera_id = lapse->footage->camera_id,
		.kind = "timelapse",
		.at_us = at_us,
		.length_us =
			(lapse->footage->upto_us - at_us) / lapse->settings->interval_us * frame_us(lapse),
		.frame_rate = {fps, 1},
	};
	int error;

	lapse->encoder =
		encoder_open(picture, fps, lapse->result->reason, sizeof(lapse->result->reason));
	if (lapse->encoder == NULL)
		return -ENOSYS;
	spec.parameters[PACKET_VIDEO] = encoder_parameters(lapse->encoder);
	error = export_file_open(&spec, &lapse->file);
	if (error < 0)
		return fail(lapse, error, "the time-lapse could not be written");
	lapse->part = (ExportPart){
		.started_us = at_us,
		.width = picture->width,
		.height = picture->height,
		.first_gap = lapse->result->nparts == 0 ? 0 : lapse->result->ngaps,
	};
	snprintf(lapse->part.codec, sizeof(lapse->part.codec), "%s",
			 avcodec_get_name(spec.parameters[PACKET_VIDEO]->codec_id));
	lapse->written = 0;
	return 0;
}

/* Hand a picture (NULL: the end) to the encoder, and what comes out to the file. */
static int
encode(Lapse *lapse, AVFrame *picture)
{
	int error = 0;
	int code = encoder_send(lapse->encoder, picture, lapse->written * frame_us(lapse));

	if (code < 0)
		return fail(lapse, -EIO, "a frame could not be encoded");
	while (error == 0 && encoder_receive(lapse->encoder, lapse->packet) == 0)
	{
		lapse->packet->duration = frame_us(lapse);
		error = export_file_write(lapse->file, PACKET_VIDEO, lapse->packet);
	}
	return error < 0 ? fail(lapse, error, "the time-lapse could not be written") : 0;
}

static int
finish_file(Lapse *lapse)
{
	ExportFile *file = lapse->file;
	ExportPart *part;
	int error = encode(lapse, NULL);

	encoder_free(lapse->encoder);
	lapse->encoder = NULL;
	if (error < 0)
		return error;
	lapse->file = NULL;
	lapse->progress->phase = EXPORT_FINISHING;
	error = export_file_close(file, &lapse->part.file);
	lapse->progress->phase = EXPORT_READING;
	if (error < 0)
		return fail(lapse, error, "the time-lapse could not be completed");
	part = export_result_part(lapse->result);
	if (part == NULL)
	{
		media_remove(lapse->footage->media_dir, lapse->part.file.path);
		return fail(lapse, -E2BIG, "the picture size changes too often");
	}
	*part = lapse->part;
	return 0;
}

/* ---- frames ---- */

/* The frame as it is encoded; NULL with a reason. */
static AVFrame *
draw(Lapse *lapse, int64_t at_us)
{
	AVFrame *picture = NULL;
	Canvas canvas;

	if (picture_hide(lapse->frame, lapse->settings->privacy) == 0)
		picture = video_picture_draw(lapse->pictures, lapse->frame, &canvas);
	if (picture == NULL)
		fail(lapse, -ENOMEM, "a frame could not be converted");
	else if (lapse->settings->annotated)
		picture_sign(&canvas, lapse->footage->camera, at_us, NULL);
	return picture;
}

static int
take_frame(Lapse *lapse, int64_t at_us)
{
	AVFrame *picture = draw(lapse, at_us);
	int error = picture != NULL ? 0 : -ENOMEM;

	if (error == 0 && lapse->encoder != NULL && !encoder_takes(lapse->encoder, picture))
		error = finish_file(lapse);
	if (error == 0 && lapse->encoder == NULL)
		error = open_file(lapse, picture, at_us);
	if (error == 0)
		error = encode(lapse, picture);
	if (error < 0)
		return error;
	lapse->written++;
	lapse->progress->frames++;
	lapse->part.ended_us = at_us;
	/* The next one of the raster, not one interval after a frame that came late. */
	lapse->next_us +=
		(at_us - lapse->next_us) / lapse->settings->interval_us * lapse->settings->interval_us +
		lapse->settings->interval_us;
	return 0;
}

static int
tell_gap(Lapse *lapse, int64_t upto_us)
{
	ExportGap gap = {
		.from_us = lapse->covered_us,
		.upto_us = upto_us,
		.position_us = lapse->written * frame_us(lapse),
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
		.pictures = video_picture_create(settings->max_width),
		.frame = av_frame_alloc(),
		.packet = av_packet_alloc(),
		.next_us = footage->from_us,
		.covered_us = footage->from_us,
	};
	int error = -ENOMEM;

	progress->phase = EXPORT_READING;
	if (lapse.pictures != NULL && lapse.frame != NULL && lapse.packet != NULL)
		error = take_segments(&lapse);
	else
		fail(&lapse, error, "no time-lapse");
	if (error == 0)
		error = finish_file(&lapse);
	if (error == 0 && *cancelled)
		error = fail(&lapse, -ECANCELED, "the export was cancelled");
	export_file_discard(lapse.file);
	if (error < 0)
		export_result_discard(result, footage->media_dir);
	encoder_free(lapse.encoder);
	video_picture_free(lapse.pictures);
	av_frame_free(&lapse.frame);
	av_packet_free(&lapse.packet);
	return error;
}
