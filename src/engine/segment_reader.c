/*
 * segment_reader.c
 *		Reads a recording as far as its parts are complete.
 *
 * libavformat sees the file through a descriptor that was opened without
 * following a link, and never more of it than what is whole: a part that is
 * being written would give half a picture.
 */
#include "segment_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/intreadwrite.h>

#include "media_path.h"

#define READ_SIZE 65536
#define BOX_HEADER 8

struct SegmentReader
{
	AVFormatContext *format;
	AVIOContext *io;
	int fd;
	bool owns_fd;
	int64_t at;
	int64_t size;
	int streams[PACKET_KINDS]; /* index, -1: none */
	int64_t last_dts[PACKET_KINDS];
	int64_t step[PACKET_KINDS]; /* from the packet before it */
};

int64_t
segment_complete_bytes(int fd, int64_t size)
{
	int64_t complete = 0;
	int64_t at = 0;
	uint8_t header[2 * BOX_HEADER];

	while (at + BOX_HEADER <= size && pread(fd, header, sizeof(header), at) >= BOX_HEADER)
	{
		/* 1: the length is too large for its field, and follows. */
		uint64_t length = AV_RB32(header) == 1 ? AV_RB64(header + BOX_HEADER) : AV_RB32(header);

		if (length < BOX_HEADER || length > (uint64_t) (size - at))
			break;
		at += length;
		if (memcmp(header + 4, "mdat", 4) == 0)
			complete = at;
	}
	return complete;
}

static int
read_bytes(void *arg, uint8_t *buffer, int size)
{
	SegmentReader *reader = arg;
	int64_t left = reader->size - reader->at;
	ssize_t got;

	if (left <= 0)
		return AVERROR_EOF;
	got = pread(reader->fd, buffer, left < size ? (size_t) left : (size_t) size, reader->at);
	if (got <= 0)
		return got == 0 ? AVERROR_EOF : AVERROR(errno);
	reader->at += got;
	return (int) got;
}

static int64_t
seek_bytes(void *arg, int64_t offset, int whence)
{
	SegmentReader *reader = arg;

	if (whence == AVSEEK_SIZE)
		return reader->size;
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return AVERROR(EINVAL);
	reader->at = whence == SEEK_SET ? offset : reader->at + offset;
	return reader->at;
}

/* The first stream of each kind. */
static bool
find_streams(SegmentReader *reader)
{
	static const enum AVMediaType types[PACKET_KINDS] = {AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO};

	for (int kind = 0; kind < PACKET_KINDS; kind++)
	{
		reader->streams[kind] = -1;
		for (unsigned i = 0; i < reader->format->nb_streams && reader->streams[kind] < 0; i++)
			if (reader->format->streams[i]->codecpar->codec_type == types[kind])
				reader->streams[kind] = (int) i;
	}
	return reader->streams[PACKET_VIDEO] >= 0;
}

static int
open_demuxer(SegmentReader *reader)
{
	uint8_t *buffer = av_malloc(READ_SIZE);

	reader->format = avformat_alloc_context();
	if (buffer != NULL)
		reader->io = avio_alloc_context(buffer, READ_SIZE, 0, reader, read_bytes, NULL, seek_bytes);
	if (reader->io == NULL || reader->format == NULL)
	{
		if (reader->io == NULL)
			av_free(buffer);
		return -ENOMEM;
	}
	reader->format->pb = reader->io;
	/* On failure it frees the context. */
	if (avformat_open_input(&reader->format, NULL, av_find_input_format("mp4"), NULL) < 0 ||
		!find_streams(reader))
		return -EBADMSG;
	return 0;
}

int
segment_reader_attach(int fd, int64_t size, SegmentReader **result)
{
	SegmentReader *reader = calloc(1, sizeof(*reader));
	int error;

	if (reader == NULL)
		return -ENOMEM;
	reader->fd = fd;
	reader->size = size;
	error = size > 0 ? open_demuxer(reader) : -EBADMSG;
	if (error < 0)
	{
		segment_reader_close(reader);
		return error;
	}
	*result = reader;
	return 0;
}

int
segment_reader_open(const char *media_dir, const char *path, SegmentReader **reader)
{
	struct stat status;
	int fd = media_open(media_dir, path);
	int error;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) != 0)
		error = -errno;
	else
		error = segment_reader_attach(fd, segment_complete_bytes(fd, status.st_size), reader);
	if (error < 0)
		close(fd);
	else
		(*reader)->owns_fd = true;
	return error;
}

void
segment_reader_close(SegmentReader *reader)
{
	if (reader == NULL)
		return;
	avformat_close_input(&reader->format);
	if (reader->io != NULL)
		av_freep(&reader->io->buffer);
	avio_context_free(&reader->io);
	if (reader->owns_fd)
		close(reader->fd);
	free(reader);
}

const AVStream *
segment_reader_stream(const SegmentReader *reader, PacketKind kind)
{
	return reader->streams[kind] < 0 ? NULL : reader->format->streams[reader->streams[kind]];
}

Decoder *
segment_reader_decoder(const SegmentReader *reader, char *reason, size_t reason_size)
{
	AVStream stream = *segment_reader_stream(reader, PACKET_VIDEO);

	stream.time_base = AV_TIME_BASE_Q;
	return decoder_open(&stream, reason, reason_size);
}

void
segment_reader_only_keys(SegmentReader *reader)
{
	for (unsigned i = 0; i < reader->format->nb_streams; i++)
		reader->format->streams[i]->discard =
			(int) i == reader->streams[PACKET_VIDEO] ? AVDISCARD_NONKEY : AVDISCARD_ALL;
}

/* The demuxer does not always know how long the first packet of a part lasts. */
static void
complete_duration(SegmentReader *reader, AVPacket *packet, PacketKind kind)
{
	if (packet->dts > reader->last_dts[kind])
		reader->step[kind] = packet->dts - reader->last_dts[kind];
	if (packet->duration <= 0)
		packet->duration = reader->step[kind];
	reader->last_dts[kind] = packet->dts;
}

int
segment_reader_next(SegmentReader *reader, AVPacket *packet, PacketKind *kind)
{
	for (;;)
	{
		av_packet_unref(packet);
		if (av_read_frame(reader->format, packet) < 0)
			return 0;
		for (int k = 0; k < PACKET_KINDS; k++)
		{
			if (packet->stream_index != reader->streams[k] || packet->dts == AV_NOPTS_VALUE ||
				packet->pts == AV_NOPTS_VALUE)
				continue;
			*kind = k;
			av_packet_rescale_ts(packet, reader->format->streams[reader->streams[k]]->time_base,
								 AV_TIME_BASE_Q);
			complete_duration(reader, packet, k);
			return 1;
		}
	}
}
