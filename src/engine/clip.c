/*
 * clip.c
 *		A clip: what was recorded of a camera, in one file, without re-encoding.
 *
 * Three lines of time meet here: each segment counts from its own zero, footage
 * from the Unix epoch, the clip from its first picture.  Where nothing was
 * recorded the clip goes on with what follows; the gap is told instead.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "footage.h"
#include "segment_reader.h"

/* Segments this near to each other follow each other: clocks are not exact. */
#define CONTINUOUS_US (CLOCK_SECOND / 2)

/* What overlaps by more was recorded twice. */
#define OVERLAP_US (CLOCK_SECOND / 20)

/* Sound may lie this far behind the picture in a file. */
#define AUDIO_LAG_US (4 * CLOCK_SECOND)

typedef struct Clip
{
	const Footage *footage;
	const atomic_bool *cancelled;
	ExportProgress *progress;
	ExportResult *result;
	AVPacket *packet;
	ExportFile *file;	 /* being written; NULL: none yet */
	ExportPart part;	 /* what will be said of it */
	int64_t base_us;	 /* the file's zero, since the Unix epoch, shifted by gaps */
	int64_t covered_us;	 /* up to here there is footage, or a gap is told */
	int64_t ended_us;	 /* of the segment copied last, as its row has it */
	const char *problem; /* with the segments since then; NULL: none */
} Clip;

/* The segment being copied. */
typedef struct Copy
{
	SegmentReader *reader;
	int64_t started_us;
	int64_t ended_us; /* as far as is known */
	int64_t key_us;	  /* begin at the keyframe shown then, from the file's zero */
	bool begun;
	bool video_done;
} Copy;

/*
 * When is the keyframe shown at which copying begins, from the segment's zero?
 * The last one that is not after from_us; for a segment that overlaps what is
 * copied already, the first one that is not before it.  -1: none.
 */
static int64_t
find_start(Clip *clip, const FootageSegment *segment)
{
	bool overlaps = clip->file != NULL || clip->result->nparts > 0;
	int64_t wanted_us = clip->covered_us - segment->started_us;
	int64_t start_us = -1;
	SegmentReader *reader;
	PacketKind kind;

	if (segment_reader_open(clip->footage->media_dir, segment->path, &reader) < 0)
		return -1;
	segment_reader_only_keys(reader);
	while (!*clip->cancelled && segment_reader_next(reader, clip->packet, &kind) > 0)
	{
		if (overlaps && clip->packet->dts < wanted_us - OVERLAP_US)
			continue;
		/* The first one of all is the best there is when none is early enough. */
		if (!overlaps && start_us >= 0 && clip->packet->pts > wanted_us)
			break;
		start_us = clip->packet->pts;
		if (overlaps)
			break;
	}
	av_packet_unref(clip->packet);
	segment_reader_close(reader);
	return start_us;
}

static int
fail(Clip *clip, int error, const char *what)
{
	snprintf(clip->result->reason, sizeof(clip->result->reason), "%s: %s", what, strerror(-error));
	return error;
}

/* ---- files ---- */

static int
finish_file(Clip *clip)
{
	ExportPart *part;
	ExportFile *file = clip->file;
	int64_t end_us;
	int error;

	if (file == NULL)
		return 0;
	end_us = export_file_end(file);
	clip->file = NULL;
	clip->progress->phase = EXPORT_FINISHING;
	error = export_file_close(file, &clip->part.file);
	clip->progress->phase = EXPORT_READING;
	if (error < 0)
		return fail(clip, error, "the clip could not be completed");
	/* With B-frames the last pictures are shown a little later than decoded. */
	clip->part.ended_us = clip->covered_us + clip->part.file.duration_us - end_us;
	part = export_result_part(clip->result);
	if (part == NULL)
	{
		media_remove(clip->footage->media_dir, clip->part.file.path);
		return fail(clip, -E2BIG, "codec or picture size change too often");
	}
	*part = clip->part;
	return 0;
}

/* Begin a file with the packet at hand, which was decoded at this moment. */
static int
begin_file(Clip *clip, const Copy *copy, const AVCodecParameters *const parameters[PACKET_KINDS])
{
	/* Without a list of edits a file cannot begin before its zero. */
	bool edited = export_file_is_indexed(clip->footage->upto_us - copy->started_us);
	int64_t at_us = copy->started_us + (edited ? clip->packet->pts : clip->packet->dts);
	ExportFileSpec spec = {
		.media_dir = clip->footage->media_dir,
		.camera_id = clip->footage->camera_id,
		.kind = "clip",
		.at_us = at_us,
		.length_us = clip->footage->upto_us - copy->started_us,
		.parameters = {parameters[PACKET_VIDEO], parameters[PACKET_AUDIO]},
	};
	const AVCodecParameters *video = parameters[PACKET_VIDEO];
	int error = export_file_open(&spec, &clip->file);

	if (error < 0)
		return fail(clip, error, "the clip could not be written");
	clip->part = (ExportPart){
		.started_us = at_us,
		.width = video->width,
		.height = video->height,
		.first_gap = clip->result->ngaps,
	};
	snprintf(clip->part.codec, sizeof(clip->part.codec), "%s", avcodec_get_name(video->codec_id));
	clip->base_us = at_us;
	return 0;
}

/* Tell of the time from covered_us to then that is in no segment. */
static int
tell_gap(Clip *clip, int64_t upto_us)
{
	ExportGap gap = {
		.from_us = clip->covered_us,
		.upto_us = upto_us,
		.position_us = clip->file != NULL ? export_file_end(clip->file) : 0,
		.why = clip->problem != NULL ? clip->problem : "not recorded",
	};

	clip->problem = NULL;
	clip->covered_us = upto_us;
	return export_result_gap(clip->result, &gap) == 0 ? 0 : fail(clip, -ENOMEM, "no clip");
}

/* ---- packets ---- */

/* The first picture of a segment: place the segment on the clip's line. */
static int
begin_copy(Clip *clip, Copy *copy)
{
	const AVCodecParameters *parameters[PACKET_KINDS];
	int64_t at_us = copy->started_us + clip->packet->dts;
	bool gap;
	int error = 0;

	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		const AVStream *stream = segment_reader_stream(copy->reader, kind);

		parameters[kind] = stream != NULL ? stream->codecpar : NULL;
	}
	copy->begun = true;
	gap = at_us - clip->covered_us > CONTINUOUS_US;
	if (clip->file != NULL && !export_file_takes(clip->file, parameters))
		error = finish_file(clip);
	if (error == 0 && clip->file == NULL)
	{
		error = begin_file(clip, copy, parameters);
		if (error == 0 && gap)
			error = tell_gap(clip, at_us);
		return error;
	}
	if (error == 0 && gap)
		error = tell_gap(clip, at_us);
	/* Go on where the clip ends, unless that is where the segment begins. */
	if (gap || at_us - clip->base_us < export_file_end(clip->file))
		clip->base_us = at_us - export_file_end(clip->file);
	return error;
}

/* Is there nothing more of the segment to be copied, or not of this kind? */
static bool
is_beyond(const Clip *clip, Copy *copy, PacketKind kind)
{
	if (copy->started_us + clip->packet->dts < clip->footage->upto_us)
		return kind == PACKET_VIDEO && copy->video_done;
	if (kind == PACKET_VIDEO)
		copy->video_done = true;
	return true;
}

static int
copy_packet(Clip *clip, Copy *copy, PacketKind kind)
{
	AVPacket *packet = clip->packet;
	int64_t offset_us;
	int error = 0;

	if (!copy->begun)
	{
		if (kind != PACKET_VIDEO || packet->pts < copy->key_us ||
			(packet->flags & AV_PKT_FLAG_KEY) == 0)
			return 0;
		error = begin_copy(clip, copy);
	}
	if (error < 0)
		return error;
	if (kind == PACKET_VIDEO)
	{
		clip->covered_us = copy->started_us + packet->dts + packet->duration;
		clip->progress->frames++;
	}
	offset_us = copy->started_us - clip->base_us;
	packet->dts += offset_us;
	packet->pts += offset_us;
	/* Sound from before the first picture. */
	if (kind == PACKET_AUDIO && packet->dts < 0)
		return 0;
	error = export_file_write(clip->file, kind, packet);
	return error < 0 ? fail(clip, error, "the clip could not be written") : 0;
}

static int
copy_packets(Clip *clip, Copy *copy)
{
	PacketKind kind;
	int error = 0;

	while (error == 0 && segment_reader_next(copy->reader, clip->packet, &kind) > 0)
	{
		clip->progress->bytes += clip->packet->size;
		if (*clip->cancelled)
			return fail(clip, -ECANCELED, "the export was cancelled");
		if (copy->started_us + clip->packet->dts > clip->footage->upto_us + AUDIO_LAG_US)
			break;
		if (!is_beyond(clip, copy, kind))
			error = copy_packet(clip, copy, kind);
	}
	av_packet_unref(clip->packet);
	if (!copy->video_done && copy->ended_us - clip->covered_us > CONTINUOUS_US)
		clip->problem = "file is damaged";
	return error;
}

static int
copy_segment(Clip *clip, const FootageSegment *segment)
{
	Copy copy = {.started_us = segment->started_us, .ended_us = segment->ended_us};
	int error = segment_reader_open(clip->footage->media_dir, segment->path, &copy.reader);

	if (error < 0)
	{
		clip->problem = error == -ENOENT ? "file is missing" : "file cannot be read";
		return error == -ENOMEM ? fail(clip, error, "no clip") : 0;
	}
	/* One that was cut off the other has all of its pictures, whatever the clocks say. */
	if (segment->started_us < clip->covered_us && segment->started_us != clip->ended_us)
		copy.key_us = find_start(clip, segment);
	if (copy.key_us >= 0)
		error = copy_packets(clip, &copy);
	if (copy.begun)
		clip->ended_us = segment->ended_us;
	segment_reader_close(copy.reader);
	return error;
}

int
clip_make(const Footage *footage, const atomic_bool *cancelled, ExportProgress *progress,
		  ExportResult *result)
{
	Clip clip = {
		.footage = footage,
		.cancelled = cancelled,
		.progress = progress,
		.result = result,
		.packet = av_packet_alloc(),
		.covered_us = footage->from_us,
		.ended_us = INT64_MIN,
	};
	int error = clip.packet != NULL ? 0 : fail(&clip, -ENOMEM, "no clip");

	progress->phase = EXPORT_READING;
	for (int i = 0; error == 0 && i < footage->count; i++)
	{
		if (*cancelled)
			error = fail(&clip, -ECANCELED, "the export was cancelled");
		else if (footage->segments[i].started_us < footage->upto_us)
			error = copy_segment(&clip, &footage->segments[i]);
		progress->segments++;
	}
	if (error == 0 && clip.file == NULL && result->nparts == 0)
		error = fail(&clip, -ENODATA, clip.problem != NULL ? clip.problem : "nothing was recorded");
	if (error == 0 && footage->upto_us - clip.covered_us > CONTINUOUS_US)
	{
		int64_t ended_us = clip.covered_us;

		error = tell_gap(&clip, footage->upto_us);
		clip.covered_us = ended_us;
	}
	if (error == 0)
		error = finish_file(&clip);
	if (error == 0 && *cancelled)
		error = fail(&clip, -ECANCELED, "the export was cancelled");
	export_file_discard(clip.file);
	if (error < 0)
		export_result_discard(result, footage->media_dir);
	av_packet_free(&clip.packet);
	return error;
}
