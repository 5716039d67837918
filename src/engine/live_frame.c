/*
 * live_frame.c
 *		Requests: a camera's newest picture, as bytes or as a file.
 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "media_file.h"
#include "media_path.h"
#include "picture.h"
#include "snapshot.h"

/* A camera that is only recorded shows nothing before its next keyframe. */
#define AWAIT_US (15 * CLOCK_SECOND)

#define MAX_WIDTH 16384

/* Names to try for a picture: those of the next milliseconds. */
#define MAX_ATTEMPTS 20

static bool
is_annotated(const Request *request)
{
	return json_is_true(json_object_get(request->arguments, "annotated"));
}

/* The camera that the request names, a reference; NULL, with the request failed. */
static Live *
find_camera(Request *request)
{
	json_int_t camera_id = json_integer_value(json_object_get(request->arguments, "camera_id"));
	Live *live = live_find(request->world->live, (int) camera_id);

	if (live == NULL)
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "the camera does not run");
	return live;
}

/* What there is to see of it; a failure is the request's. */
static LiveResult
look(Request *request, Live *live, LivePicture *picture)
{
	int64_t deadline_us = clock_monotonic_us() + AWAIT_US;
	LiveResult result;

	if (deadline_us > request->deadline_us)
		deadline_us = request->deadline_us;
	result = live_look(live, deadline_us, &request->cancelled, picture);
	if (result == LIVE_NO_MEMORY)
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the engine is out of memory");
	else if (result != LIVE_OK)
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "no picture comes from the camera");
	return result;
}

/* Draw what was asked for; canvas->data is malloc'd.  A failure is the request's. */
static int
render(Request *request, const LivePicture *picture, Canvas *canvas)
{
	json_int_t width = json_integer_value(json_object_get(request->arguments, "max_width"));

	if (width < 0 || width > MAX_WIDTH)
		width = 0;
	*canvas = (Canvas){0};
	if (picture_from_frame(picture->frame, (int) width, canvas) != 0)
	{
		free(canvas->data);
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the picture could not be made");
		return -1;
	}
	if (!is_annotated(request))
		return 0;
	for (int i = 0; i < picture->nobjects; i++)
		draw_object(canvas, &picture->objects[i].box, picture->objects[i].caption);
	picture_sign(canvas, picture->camera, picture->at_us, NULL);
	return 0;
}

static json_t *
describe(const LivePicture *picture, const Canvas *canvas)
{
	char at[CLOCK_TEXT];

	clock_format(picture->at_us, at);
	return json_pack("{s:s, s:i, s:i}", "at", at, "width", canvas->width, "height", canvas->height);
}

/* Answer with the picture itself. */
static void
send_picture(Request *request, const LivePicture *picture)
{
	Canvas canvas;
	unsigned char *jpeg;
	size_t length;

	if (render(request, picture, &canvas) != 0)
		return;
	if (picture_compress(&canvas, &jpeg, &length) == 0)
	{
		request_answer(request, describe(picture, &canvas));
		request_attach(request, jpeg, length);
	}
	else
		request_fail(request, CCTV_ERROR_FAILED, NULL, "the picture could not be compressed");
	free(canvas.data);
}

void
request_live_frame(Request *request)
{
	Live *live = find_camera(request);
	LivePicture picture;

	if (live != NULL && look(request, live, &picture) == LIVE_OK)
	{
		send_picture(request, &picture);
		av_frame_free(&picture.frame);
	}
	live_unref(live);
}

/* A name that no picture has yet, but for the very same moment's many. */
static void
choose_path(const char *media_dir, Snapshot *snapshot)
{
	for (int i = 0; i < MAX_ATTEMPTS; i++)
	{
		int fd;

		media_path_snapshot(snapshot->path, snapshot->camera_id, snapshot->at_us + i * 1000, 0);
		fd = media_open(media_dir, snapshot->path);
		if (fd < 0)
			return;
		close(fd);
	}
}

/* Write the picture, have its row made, and answer. */
static void
keep(Request *request, Live *live, const LivePicture *picture)
{
	const char *media_dir = request->world->media_dir;
	json_int_t camera_id = json_integer_value(json_object_get(request->arguments, "camera_id"));
	Snapshot snapshot = {.camera_id = (int) camera_id, .at_us = picture->at_us};
	SnapshotFile file;
	Canvas canvas;
	char reason[256];
	json_t *answer;
	int code;

	if (render(request, picture, &canvas) != 0)
		return;
	choose_path(media_dir, &snapshot);
	code = snapshot_store(media_dir, snapshot.path, &canvas, &file, reason, sizeof(reason));
	free(canvas.data);
	if (code != 0)
	{
		request_fail(request, CCTV_ERROR_FAILED, "Look at \"cctv.media_dir\".", "%s", reason);
		return;
	}
	live_tell_snapshot(live, &snapshot, &file);
	answer = describe(picture, &canvas);
	json_object_set_new(answer, "path", json_string(snapshot.path));
	json_object_set_new(answer, "bytes", json_integer((json_int_t) file.bytes));
	request_answer(request, answer);
}

void
request_snapshot(Request *request)
{
	Live *live;
	LivePicture picture;

	if (request->world->media_dir == NULL)
	{
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "there is no media directory");
		return;
	}
	live = find_camera(request);
	if (live != NULL && look(request, live, &picture) == LIVE_OK)
	{
		keep(request, live, &picture);
		av_frame_free(&picture.frame);
	}
	live_unref(live);
}
