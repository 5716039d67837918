/*
 * export_file.c
 *		An MP4 that is exported: it gets its name once it is complete.
 */
#include "export_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include "ffmpeg_compat.h"
#include "log.h"

#define IO_BUFFER (256 * 1024)
#define FRAGMENT_US "10000000"
#define VIDEO_TIMESCALE "90000"

/* Names to try: those of the next milliseconds. */
#define MAX_NAME_TRIES 1000

struct ExportFile
{
	char *media_dir;
	char path[MEDIA_PATH];
	char temporary[MEDIA_PATH + sizeof(MEDIA_TEMPORARY)];
	int fd;
	int64_t at;
	int error; /* of writing, -errno */
	AVFormatContext *muxer;
	AVIOContext *io;
	bool begun; /* the header is written */
	int index[PACKET_KINDS];
	int64_t last_dts[PACKET_KINDS];
	int64_t end_us;	  /* where decoding of the video ends */
	int64_t shown_us; /* where showing it ends */
	int64_t frames;
	bool has_audio;
};

/* ---- the file, for libavformat ---- */

static int
write_bytes(void *arg, WrittenByte *data, int size)
{
	ExportFile *file = arg;
	int done = 0;

	while (file->error == 0 && done < size)
	{
		ssize_t n = pwrite(file->fd, data + done, size - done, file->at);

		if (n > 0)
		{
			done += (int) n;
			file->at += n;
		}
		else if (n == 0)
			file->error = -EIO;
		else if (errno != EINTR)
			file->error = -errno;
	}
	return file->error == 0 ? size : AVERROR(-file->error);
}

static int64_t
seek_bytes(void *arg, int64_t offset, int whence)
{
	ExportFile *file = arg;
	struct stat status;

	if (whence == AVSEEK_SIZE)
		return fstat(file->fd, &status) == 0 ? status.st_size : AVERROR(errno);
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return AVERROR(EINVAL);
	file->at = whence == SEEK_SET ? offset : file->at + offset;
	return file->at;
}

/* Where the muxer reads back what it moves to make room for the index. */
typedef struct ReadBack
{
	int fd;
	int64_t at;
} ReadBack;

static int
read_back(void *arg, uint8_t *buffer, int size)
{
	ReadBack *back = arg;
	ssize_t got = pread(back->fd, buffer, size, back->at);

	if (got <= 0)
		return got == 0 ? AVERROR_EOF : AVERROR(errno);
	back->at += got;
	return (int) got;
}

static int64_t
seek_back(void *arg, int64_t offset, int whence)
{
	ReadBack *back = arg;

	if (whence != SEEK_SET && whence != SEEK_CUR)
		return AVERROR(EINVAL);
	back->at = whence == SEEK_SET ? offset : back->at + offset;
	return back->at;
}

/* The muxer asks for nothing but its own file, and that for reading. */
static int
open_back(AVFormatContext *muxer, AVIOContext **io, const char *url, int flags,
		  AVDictionary **options)
{
	const ExportFile *file = muxer->opaque;
	ReadBack *back;
	uint8_t *buffer;

	*io = NULL;
	if (file->error != 0)
		return AVERROR(-file->error);
	back = calloc(1, sizeof(*back));
	buffer = av_malloc(IO_BUFFER);
	if (flags == AVIO_FLAG_READ && back != NULL && buffer != NULL)
	{
		back->fd = file->fd;
		*io = avio_alloc_context(buffer, IO_BUFFER, 0, back, read_back, NULL, seek_back);
	}
	if (*io != NULL)
		return 0;
	free(back);
	av_free(buffer);
	return AVERROR(ENOMEM);
}

static int
close_back(AVFormatContext *muxer, AVIOContext *io)
{
	if (io == NULL)
		return 0;
	free(io->opaque);
	av_freep(&io->buffer);
	avio_context_free(&io);
	return 0;
}

/* ---- opening ---- */

static void
free_file(ExportFile *file)
{
	if (file->muxer != NULL)
		avformat_free_context(file->muxer);
	if (file->io != NULL)
		av_freep(&file->io->buffer);
	avio_context_free(&file->io);
	if (file->fd >= 0)
		close(file->fd);
	free(file->media_dir);
	free(file);
}

/* Take a name that neither a file nor another export has. */
static int
take_name(ExportFile *file, const ExportFileSpec *spec)
{
	int fd = -EEXIST;

	for (int i = 0; fd == -EEXIST && i < MAX_NAME_TRIES; i++)
	{
		int taken;

		media_path_recording(file->path, spec->camera_id, spec->at_us + i * 1000, spec->kind);
		taken = media_open(file->media_dir, file->path);
		if (taken >= 0)
		{
			close(taken);
			continue;
		}
		snprintf(file->temporary, sizeof(file->temporary), "%s" MEDIA_TEMPORARY, file->path);
		fd = media_create(file->media_dir, file->temporary);
	}
	if (fd < 0)
		return fd;
	file->fd = fd;
	return 0;
}

static int
add_stream(ExportFile *file, PacketKind kind, const ExportFileSpec *spec)
{
	const AVCodecParameters *parameters = spec->parameters[kind];
	AVStream *stream = avformat_new_stream(file->muxer, NULL);

	if (stream == NULL || avcodec_parameters_copy(stream->codecpar, parameters) < 0)
		return -ENOMEM;
	stream->codecpar->codec_tag = 0;
	/* The tag that every player knows: parameter sets in the header only. */
	if (parameters->codec_id == AV_CODEC_ID_HEVC)
		stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
	if (kind == PACKET_AUDIO)
		stream->time_base = (AVRational){1, parameters->sample_rate};
	else
	{
		stream->time_base = (AVRational){1, 90000};
		stream->avg_frame_rate = spec->frame_rate;
	}
	file->index[kind] = stream->index;
	return 0;
}

bool
export_file_is_indexed(int64_t length_us)
{
	return length_us <= EXPORT_INDEXED_US;
}

static int
open_muxer(ExportFile *file, const ExportFileSpec *spec)
{
	AVDictionary *options = NULL;
	uint8_t *buffer;
	int result;

	if (avformat_alloc_output_context2(&file->muxer, NULL, "mp4", NULL) < 0)
		return -ENOMEM;
	for (int kind = 0; kind < PACKET_KINDS; kind++)
		if (spec->parameters[kind] != NULL && (result = add_stream(file, kind, spec)) < 0)
			return result;
	buffer = av_malloc(IO_BUFFER);
	if (buffer != NULL)
		file->io = avio_alloc_context(buffer, IO_BUFFER, 1, file, NULL, write_bytes, seek_bytes);
	if (file->io == NULL)
	{
		av_free(buffer);
		return -ENOMEM;
	}
	file->muxer->pb = file->io;
	file->muxer->opaque = file;
	file->muxer->io_open = open_back;
	file->muxer->io_close2 = close_back;
	file->muxer->flags |= AVFMT_FLAG_CUSTOM_IO;
	file->muxer->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
	file->muxer->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
	if (export_file_is_indexed(spec->length_us))
		av_dict_set(&options, "movflags", "+faststart", 0);
	else
	{
		/* As segment.c has it. */
		av_dict_set(&options, "movflags",
					"+empty_moov+default_base_moof+frag_keyframe+frag_discont", 0);
		av_dict_set(&options, "use_editlist", "0", 0);
		av_dict_set(&options, "frag_duration", FRAGMENT_US, 0);
		av_dict_set(&options, "min_frag_duration", FRAGMENT_US, 0);
	}
	av_dict_set(&options, "video_track_timescale", VIDEO_TIMESCALE, 0);
	result = avformat_write_header(file->muxer, &options);
	av_dict_free(&options);
	if (result >= 0)
		file->begun = true;
	return result >= 0 ? 0 : file->error != 0 ? file->error : -EINVAL;
}

int
export_file_open(const ExportFileSpec *spec, ExportFile **result)
{
	ExportFile *file = calloc(1, sizeof(*file));
	int error;

	if (file == NULL)
		return -ENOMEM;
	file->fd = -1;
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		file->index[kind] = -1;
		file->last_dts[kind] = INT64_MIN;
	}
	file->media_dir = strdup(spec->media_dir);
	error = file->media_dir != NULL ? take_name(file, spec) : -ENOMEM;
	if (error == 0)
		error = open_muxer(file, spec);
	if (error < 0)
	{
		export_file_discard(file);
		return error;
	}
	*result = file;
	return 0;
}

/* ---- writing ---- */

static bool
same_parameters(const AVCodecParameters *a, const AVCodecParameters *b)
{
	return a->codec_id == b->codec_id && a->width == b->width && a->height == b->height &&
		   a->sample_rate == b->sample_rate && a->extradata_size == b->extradata_size &&
		   (a->extradata_size == 0 ||
			memcmp(a->extradata, b->extradata, (size_t) a->extradata_size) == 0);
}

bool
export_file_takes(const ExportFile *file, const AVCodecParameters *const parameters[PACKET_KINDS])
{
	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		if (parameters[kind] == NULL)
			continue;
		if (file->index[kind] < 0 ||
			!same_parameters(parameters[kind], file->muxer->streams[file->index[kind]]->codecpar))
			return false;
	}
	return true;
}

int
export_file_write(ExportFile *file, PacketKind kind, AVPacket *packet)
{
	int64_t end_us = packet->dts + packet->duration;
	int64_t shown_us = packet->pts + packet->duration;
	int result;

	if (file->index[kind] < 0 || packet->size == 0 || packet->dts <= file->last_dts[kind] ||
		packet->pts < packet->dts)
	{
		av_packet_unref(packet);
		return 0;
	}
	file->last_dts[kind] = packet->dts;
	packet->stream_index = file->index[kind];
	packet->pos = -1;
	av_packet_rescale_ts(packet, AV_TIME_BASE_Q,
						 file->muxer->streams[packet->stream_index]->time_base);
	if (kind == PACKET_VIDEO)
	{
		file->frames++;
		file->end_us = end_us;
		if (shown_us > file->shown_us)
			file->shown_us = shown_us;
	}
	else
		file->has_audio = true;
	result = av_interleaved_write_frame(file->muxer, packet);
	av_packet_unref(packet);
	if (file->error == 0 && result == AVERROR(ENOMEM))
		file->error = -ENOMEM;
	return file->error;
}

int64_t
export_file_end(const ExportFile *file)
{
	return file->end_us;
}

/* ---- the end ---- */

static void
describe(const ExportFile *file, int64_t bytes, ExportFileSummary *summary)
{
	snprintf(summary->path, sizeof(summary->path), "%s", file->path);
	summary->bytes = bytes;
	summary->frames = file->frames;
	summary->duration_us = file->shown_us;
	summary->has_audio = file->has_audio;
}

int
export_file_close(ExportFile *file, ExportFileSummary *summary)
{
	struct stat status;
	int code = av_write_trailer(file->muxer);
	int error = 0;

	file->begun = false;
	avio_flush(file->io);
	if (file->error != 0)
		error = file->error;
	else if (code < 0)
		error = -EIO;
	else if (fdatasync(file->fd) != 0 || fstat(file->fd, &status) != 0)
		error = -errno;
	if (error == 0)
		error = media_rename(file->media_dir, file->temporary, file->path);
	if (error == 0)
		error = media_sync(file->media_dir, file->path);
	if (error < 0)
	{
		export_file_discard(file);
		return error;
	}
	/* From here on it is there under its name, also if the engine ends. */
	file->temporary[0] = '\0';
	error = media_hash(file->fd, summary->sha256);
	describe(file, status.st_size, summary);
	if (error < 0)
		media_remove(file->media_dir, file->path);
	free_file(file);
	return error;
}

void
export_file_discard(ExportFile *file)
{
	if (file == NULL)
		return;
	/* It frees what the muxer holds; nothing is written any more. */
	if (file->error == 0)
		file->error = -ECANCELED;
	if (file->begun)
	{
		/* Else the muxer reads its file again, and complains that it may not. */
		av_opt_set(file->muxer->priv_data, "movflags", "-faststart", 0);
		av_write_trailer(file->muxer);
	}
	if (file->fd >= 0 && file->temporary[0] != '\0')
	{
		int error = media_remove(file->media_dir, file->temporary);

		if (error < 0)
			log_warning("could not remove %s: %s", file->temporary, strerror(-error));
	}
	free_file(file);
}
