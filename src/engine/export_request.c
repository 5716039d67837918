/*
 * export_request.c
 *		Requests: a clip or a time-lapse of what was recorded.
 */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/buffer.h>

#include "caption.h"
#include "clock.h"
#include "polygon_json.h"

#define MAX_FPS 120
#define MAX_WIDTH 16384

/* What is wanted. */
typedef struct Order
{
	Footage footage;
	FootageSegment *segments;
	bool condensed; /* a time-lapse */
	TimeLapse time_lapse;
	PolygonList privacy;
	char camera[CAPTION_NAME];
} Order;

/* "<started_us> <ended_us> <path>" of one line; false when it is anything else. */
static bool
read_segment(const char *line, size_t length, FootageSegment *segment)
{
	char text[MEDIA_PATH + 64];
	long long started_us;
	long long ended_us;
	int path = 0;

	if (length >= sizeof(text))
		return false;
	memcpy(text, line, length);
	text[length] = '\0';
	if (sscanf(text, "%lld %lld %n", &started_us, &ended_us, &path) != 2 || path == 0 ||
		strlen(text + path) >= MEDIA_PATH)
		return false;
	segment->started_us = started_us;
	segment->ended_us = ended_us;
	strcpy(segment->path, text + path);
	return true;
}

/* One line for each segment. */
static bool
read_segments(const char *text, size_t length, Order *order)
{
	const char *end = text + length;
	size_t lines = 0;

	for (const char *at = text; at < end && (at = memchr(at, '\n', end - at)) != NULL; at++)
		lines++;
	if (lines == 0 || lines > FOOTAGE_MAX_SEGMENTS)
		return false;
	order->segments = calloc(lines, sizeof(*order->segments));
	if (order->segments == NULL)
		return false;
	for (size_t i = 0; i < lines; i++)
	{
		const char *newline = memchr(text, '\n', end - text);

		if (!read_segment(text, newline - text, &order->segments[i]))
			return false;
		text = newline + 1;
	}
	order->footage.segments = order->segments;
	order->footage.count = (int) lines;
	return true;
}

static int64_t
integer(const Request *request, const char *key)
{
	return json_integer_value(json_object_get(request->arguments, key));
}

static bool
read_order(const Request *request, Order *order)
{
	const char *kind = json_string_value(json_object_get(request->arguments, "kind"));
	Footage *footage = &order->footage;
	TimeLapse *lapse = &order->time_lapse;

	footage->media_dir = request->world->media_dir;
	footage->camera_id = (int) integer(request, "camera_id");
	caption_camera(json_string_value(json_object_get(request->arguments, "camera")),
				   footage->camera_id, order->camera);
	footage->camera = order->camera;
	footage->from_us = integer(request, "from_us");
	footage->upto_us = integer(request, "upto_us");
	if (kind == NULL || footage->camera_id < 1 || footage->upto_us <= footage->from_us ||
		!read_segments((const char *) request->binary, request->binary_length, order))
		return false;
	order->condensed = strcmp(kind, "timelapse") == 0;
	if (!order->condensed)
		return strcmp(kind, "clip") == 0;
	lapse->interval_us = integer(request, "interval_us");
	lapse->fps = (int) integer(request, "fps");
	lapse->max_width = (int) integer(request, "max_width");
	lapse->annotated = json_is_true(json_object_get(request->arguments, "annotated"));
	lapse->privacy = &order->privacy;
	return lapse->interval_us > 0 && lapse->fps >= 1 && lapse->fps <= MAX_FPS &&
		   lapse->max_width >= 16 && lapse->max_width <= MAX_WIDTH &&
		   polygons_from_json(json_object_get(request->arguments, "privacy"), CAMERA_MAX_POLYGONS,
							  &order->privacy) == NULL;
}

/* ---- the answer ---- */

static json_t *
json_time(int64_t us)
{
	char text[CLOCK_TEXT];

	clock_format(us, text);
	return json_string(text);
}

static json_t *
describe_gaps(const ExportResult *result, int first, int beyond)
{
	json_t *gaps = json_array();

	for (int i = first; i < beyond; i++)
	{
		const ExportGap *gap = &result->gaps[i];

		json_array_append_new(gaps,
							  json_pack("{s:o, s:o, s:f, s:s}", "from", json_time(gap->from_us),
										"upto", json_time(gap->upto_us), "position",
										(double) gap->position_us / CLOCK_SECOND, "why", gap->why));
	}
	return gaps;
}

static json_t *
describe_part(const ExportResult *result, int i)
{
	const ExportPart *part = &result->parts[i];
	int beyond = i + 1 < result->nparts ? result->parts[i + 1].first_gap : result->ngaps;

	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:i, s:i, s:b, s:s, s:o}", "path",
					 part->file.path, "started_at", json_time(part->started_us), "ended_at",
					 json_time(part->ended_us), "duration_us", (json_int_t) part->file.duration_us,
					 "frames", (json_int_t) part->file.frames, "bytes",
					 (json_int_t) part->file.bytes, "codec", part->codec, "width", part->width,
					 "height", part->height, "has_audio", part->file.has_audio, "sha256",
					 part->file.sha256, "gaps", describe_gaps(result, part->first_gap, beyond));
}

static void
answer(Request *request, const ExportResult *result)
{
	json_t *files = json_array();

	for (int i = 0; i < result->nparts; i++)
		json_array_append_new(files, describe_part(result, i));
	request_answer(request, json_pack("{s:o, s:i, s:f}", "files", files, "gaps_left_out",
									  result->gaps_left_out, "missing_s",
									  (double) result->missing_us / CLOCK_SECOND));
}

static void
refuse(Request *request, int error, const ExportResult *result)
{
	const char *hint = NULL;

	if (error == -ENOSPC || error == -EDQUOT)
		hint = "The recordings are as they were. Make room, or export less at a time.";
	else if (error == -EACCES || error == -EROFS)
		hint = "Look at the owner and mode of \"cctv.media_dir\".";
	request_fail(request, error == -ENODATA ? CCTV_ERROR_UNAVAILABLE : CCTV_ERROR_FAILED, hint,
				 "%s", result->reason);
}

void
request_export(Request *request)
{
	Order order = {0};
	ExportResult result = {0};
	int error;

	if (request->world->media_dir == NULL)
		request_fail(request, CCTV_ERROR_UNAVAILABLE, NULL, "there is no media directory");
	else if (!read_order(request, &order))
		request_fail(request, CCTV_ERROR_INVALID, NULL, "this is no export that makes sense");
	else
	{
		if (order.condensed)
			error = time_lapse_make(&order.footage, &order.time_lapse, &request->cancelled,
									&request->progress, &result);
		else
			error = clip_make(&order.footage, &request->cancelled, &request->progress, &result);
		if (error < 0)
			refuse(request, error, &result);
		else
			answer(request, &result);
	}
	export_result_free(&result);
	av_buffer_unref(&order.privacy.buffer);
	free(order.segments);
}
