/*
 * live_frame.c
 *		Requests: a camera's newest picture, as bytes or as a file.
 */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "media_path.h"
#include "picture.h"

/* A picture that takes longer to come does not come. */
#define AWAIT_US (5 * CLOCK_SECOND)

#define MAX_WIDTH 16384

/* Pictures of the same millisecond take the next that is free. */
#define MAX_ATTEMPTS 20

static bool
is_annotated(const Request *request)
{
	return json_is_true(json_object_get(request->arguments, "annotated"));
}

/* What there is to see of the camera that the request names. */
static LiveResult
look(Request *request, LivePicture *picture)
{
	int64_t deadline_us = clock_monotonic_us() + AWAIT_US;
	json_int_t camera_id = json_integer_value(json_object_get(request->arguments, "camera_id"));
	Live *live = live_find(request->world->live, (int) camera_id);
	LiveResult result;

	if (live == NULL)
	{
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "the camera does not run");
		return LIVE_NOTHING;
	}
	if (deadline_us > request->deadline_us)
		deadline_us = request->deadline_us;
	result = live_look(live, is_annotated(request), deadline_us, &request->cancelled, picture);
	live_unref(live);
	if (result == LIVE_NO_MEMORY)
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the engine is out of memory");
	else if (result != LIVE_OK)
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "no picture comes from the camera");
	return result;
}

/* Draw what was asked for and compress. */
static int
render(Request *request, const LivePicture *picture, unsigned char **jpeg, size_t *length,
	   Canvas *canvas)
{
	json_int_t width = json_integer_value(json_object_get(request->arguments, "max_width"));
	json_int_t camera_id = json_integer_value(json_object_get(request->arguments, "camera_id"));
	int code;

	if (width < 0 || width > MAX_WIDTH)
		width = 0;
	*canvas = (Canvas){0};
	code = picture_from_frame(picture->frame, (int) width, canvas);
	if (code == 0 && is_annotated(request))
	{
		for (int i = 0; i < picture->nobjects; i++)
			draw_object(canvas, &picture->objects[i].box, picture->objects[i].caption);
		picture_sign(canvas, (int) camera_id, picture->at_us);
	}
	if (code == 0)
		code = picture_compress(canvas, jpeg, length);
	free(canvas->data);
	canvas->data = NULL;
	if (code != 0)
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the picture could not be made");
	return code;
}

static json_t *
describe(const LivePicture *picture, const Canvas *canvas)
{
	char at[CLOCK_TEXT];

	clock_format(picture->at_us, at);
	return json_pack("{s:s, s:i, s:i}", "at", at, "width", canvas->width, "height", canvas->height);
}

void
request_live_frame(Request *request)
{
	LivePicture picture;
	Canvas canvas;
	unsigned char *jpeg;
	size_t length;

	if (look(request, &picture) != LIVE_OK)
		return;
	if (render(request, &picture, &jpeg, &length, &canvas) == 0)
	{
		request_answer(request, describe(&picture, &canvas));
		request_attach(request, jpeg, length);
	}
	av_frame_free(&picture.frame);
}

static int
write_all(int fd, const unsigned char *bytes, size_t length)
{
	while (length > 0)
	{
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0)
		{
			bytes += written;
			length -= written;
		}
	}
	return 0;
}

/* Write a new file, or none.  Returns 0 or a negative errno value. */
static int
store(const char *media_dir, char path[MEDIA_PATH], int camera_id, int64_t at_us,
	  const unsigned char *jpeg, size_t length)
{
	int fd = -EEXIST;
	int code;

	for (int i = 0; fd == -EEXIST && i < MAX_ATTEMPTS; i++)
	{
		media_path_snapshot(path, camera_id, at_us + i * 1000, 0);
		fd = media_create(media_dir, path);
	}
	if (fd < 0)
		return fd;
	code = write_all(fd, jpeg, length);
	if (close(fd) != 0 && code == 0)
		code = -errno;
	if (code != 0)
		media_remove(media_dir, path);
	return code;
}

void
request_snapshot(Request *request)
{
	json_int_t camera_id = json_integer_value(json_object_get(request->arguments, "camera_id"));
	LivePicture picture;
	Canvas canvas;
	unsigned char *jpeg = NULL;
	size_t length;
	char path[MEDIA_PATH];
	json_t *answer;
	int code;

	if (request->world->media_dir == NULL)
	{
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "there is no media directory");
		return;
	}
	if (look(request, &picture) != LIVE_OK)
		return;
	if (render(request, &picture, &jpeg, &length, &canvas) == 0)
	{
		code = store(request->world->media_dir, path, (int) camera_id, picture.at_us, jpeg, length);
		if (code == 0)
		{
			answer = describe(&picture, &canvas);
			json_object_set_new(answer, "path", json_string(path));
			json_object_set_new(answer, "bytes", json_integer((json_int_t) length));
			request_answer(request, answer);
		}
		else
			request_fail(request, CCTV_ERROR_FAILED, "Look at \"cctv.media_dir\".",
						 "the picture could not be written: %s", strerror(-code));
		free(jpeg);
	}
	av_frame_free(&picture.frame);
}
