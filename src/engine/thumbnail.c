/*
 * thumbnail.c
 *		Requests: a small picture of a file that was kept.
 */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/buffer.h>

#include "image.h"
#include "media_path.h"
#include "picture.h"
#include "polygon_json.h"
#include "segment_reader.h"
#include "timeline.h"

#define REASON 256
#define MAX_WIDTH 16384

/* A picture of ours is smaller by far. */
#define MAX_PICTURE_BYTES (64 * 1024 * 1024)

/* The bytes of a file; NULL with a reason. */
static unsigned char *
read_file(const char *media_dir, const char *path, size_t *length, char *reason)
{
	int fd = media_open(media_dir, path);
	struct stat status = {0};
	unsigned char *bytes = NULL;
	ssize_t got = -1;

	if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size <= MAX_PICTURE_BYTES &&
		(bytes = malloc((size_t) status.st_size + 1)) != NULL)
		got = pread(fd, bytes, (size_t) status.st_size, 0);
	if (got < 0)
	{
		snprintf(reason, REASON, "%s", fd < 0 ? strerror(-fd) : "it is too large, or unreadable");
		free(bytes);
		bytes = NULL;
	}
	if (fd >= 0)
		close(fd);
	*length = got < 0 ? 0 : (size_t) got;
	return bytes;
}

static AVFrame *
frame_of_picture(const char *media_dir, const char *path, int width, char *reason)
{
	size_t length;
	unsigned char *bytes = read_file(media_dir, path, &length, reason);
	AVFrame *frame = NULL;
	ImageInfo info;

	if (bytes != NULL &&
		image_decode(bytes, length, width, &frame, &info, reason, REASON) != IMAGE_OK)
		frame = NULL;
	free(bytes);
	return frame;
}

/* The first keyframe that can be decoded. */
static AVFrame *
first_frame(SegmentReader *reader, char *reason)
{
	Decoder *decoder = segment_reader_decoder(reader, reason, REASON);
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	bool opened = decoder != NULL;
	bool found = false;
	PacketKind kind;
	int64_t pts_us;

	segment_reader_only_keys(reader);
	while (opened && packet != NULL && frame != NULL && !found &&
		   segment_reader_next(reader, packet, &kind) > 0)
	{
		decoder_send(decoder, packet);
		decoder_send(decoder, NULL);
		found = decoder_receive(decoder, frame, &pts_us) > 0;
		decoder_flush(decoder);
	}
	av_packet_free(&packet);
	decoder_close(decoder);
	if (!found)
		av_frame_free(&frame);
	if (!found && opened)
		snprintf(reason, REASON, "no picture of it can be decoded");
	return frame;
}

static AVFrame *
frame_of_recording(const char *media_dir, const char *path, char *reason)
{
	SegmentReader *reader;
	AVFrame *frame;
	int error = segment_reader_open(media_dir, path, &reader);

	if (error < 0)
	{
		snprintf(reason, REASON, "%s", strerror(-error));
		return NULL;
	}
	frame = first_frame(reader, reason);
	segment_reader_close(reader);
	return frame;
}

static bool
is_recording(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".mp4") == 0;
}

/* Scale and compress it, what is private left out. */
static void
answer(Request *request, AVFrame *frame, int width, const PolygonList *privacy)
{
	Canvas canvas = {0};
	unsigned char *jpeg = NULL;
	size_t length = 0;

	if (picture_hide(frame, privacy) != 0 || picture_from_frame(frame, width, &canvas) != 0 ||
		picture_compress(&canvas, &jpeg, &length) != 0)
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the picture could not be made");
	else
	{
		request_answer(request,
					   json_pack("{s:i, s:i}", "width", canvas.width, "height", canvas.height));
		request_attach(request, jpeg, length);
	}
	free(canvas.data);
}

void
request_thumbnail(Request *request)
{
	const char *media_dir = request->world->media_dir;
	const char *path = json_string_value(json_object_get(request->arguments, "path"));
	int width = (int) json_integer_value(json_object_get(request->arguments, "max_width"));
	PolygonList privacy = {0};
	char reason[REASON] = "out of memory";
	AVFrame *frame;

	if (media_dir == NULL)
	{
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "there is no media directory");
		return;
	}
	if (path == NULL || width < 16 || width > MAX_WIDTH ||
		polygons_from_json(json_object_get(request->arguments, "privacy"), CAMERA_MAX_POLYGONS,
						   &privacy) != NULL)
	{
		request_fail(request, CCTV_ERROR_INVALID, NULL, "this is no thumbnail that makes sense");
		av_buffer_unref(&privacy.buffer);
		return;
	}
	frame = is_recording(path) ? frame_of_recording(media_dir, path, reason)
							   : frame_of_picture(media_dir, path, width, reason);
	if (frame == NULL)
		request_fail(request, CCTV_ERROR_FAILED, NULL, "media file \"%s\" shows nothing: %s", path,
					 reason);
	else
		answer(request, frame, width, &privacy);
	av_frame_free(&frame);
	av_buffer_unref(&privacy.buffer);
}
