/*
 * analyze.c
 *		A request: the objects in a posted picture.
 */
#include "request.h"

#include <stdio.h>

#include "clock.h"
#include "image.h"
#include "thread.h"

/* A JPEG is decoded at this many times the model's input, so that no detail is lost. */
#define OVERSAMPLING 2

/* What a detector thread does for the request, once it has its turn. */
typedef struct Analysis
{
	Detector *detector;
	const AVFrame *frame;
	ObjectList objects;
	int result;
	double inference_ms;
	char reason[256];
} Analysis;

static void
run_detector(void *arg, Workspace *workspace)
{
	Analysis *analysis = arg;
	int64_t start_us = clock_monotonic_us();

	analysis->result = detector_run(analysis->detector, workspace, analysis->frame, NULL, 0,
									&analysis->objects, analysis->reason, sizeof(analysis->reason));
	analysis->inference_ms = (clock_monotonic_us() - start_us) / 1000.0;
}

static json_t *
describe_object(const Detector *detector, const Object *object)
{
	return json_pack("{s:s, s:f, s:[f,f,f,f], s:o}", "label",
					 detector_label(detector, object->label), "confidence", object->confidence,
					 "box", object->box.x, object->box.y, object->box.w, object->box.h,
					 "attributes", attributes_json(&object->attributes));
}

static json_t *
describe(const Analysis *analysis, const ImageInfo *info)
{
	json_t *objects = json_array();

	for (int i = 0; i < analysis->objects.count; i++)
		json_array_append_new(objects,
							  describe_object(analysis->detector, &analysis->objects.items[i]));
	return json_pack("{s:o, s:i, s:i, s:f}", "objects", objects, "width", info->width, "height",
					 info->height, "inference_ms", analysis->inference_ms);
}

/* The model that the request describes, loaded; the caller unrefs it. */
static Model *
load_model(Request *request, Detector **detector)
{
	char reason[256];
	ModelConfig *config = model_config_read(json_object_get(request->arguments, "model"),
											request->world->models_dir, reason, sizeof(reason));
	Model *model;

	if (config == NULL)
	{
		request_fail(request, CCTV_ERROR_INVALID, NULL, "the model makes no sense: %s", reason);
		return NULL;
	}
	model = model_cache_get(request->world->models, config);
	model_config_unref(config);
	if (model == NULL)
		snprintf(reason, sizeof(reason), "the engine is out of memory");
	*detector = model != NULL ? model_detector(model, reason, sizeof(reason)) : NULL;
	if (*detector != NULL)
		return model;
	model_unref(model);
	request_fail(request, CCTV_ERROR_UNFIT, NULL, "%s", reason);
	return NULL;
}

static AVFrame *
decode(Request *request, const Detector *detector, ImageInfo *info)
{
	int width;
	int height;
	AVFrame *frame;
	char reason[256] = "";

	detector_input_size(detector, &width, &height);
	switch (image_decode(request->binary, request->binary_length,
						 OVERSAMPLING * (width > height ? width : height), &frame, info, reason,
						 sizeof(reason)))
	{
		case IMAGE_OK:
			return frame;
		case IMAGE_UNKNOWN:
		case IMAGE_DAMAGED:
			request_fail(request, CCTV_ERROR_NOT_AN_IMAGE, NULL, "the image cannot be read: %s",
						 reason);
			break;
		case IMAGE_TOO_LARGE:
			request_fail(request, CCTV_ERROR_TOO_LARGE, NULL, "the image is too large: %s", reason);
			break;
		case IMAGE_NO_MEMORY:
			request_fail(request, CCTV_ERROR_TOO_LARGE,
						 "Raise \"cctv.engine_memory_limit\", or scale the image down.",
						 "the image is too large: %s", reason);
			break;
	}
	return NULL;
}

/*
 * Wait for a detector thread among the cameras.  The pool serves whoever has
 * waited longest; how many of us wait at a time is bounded by the server.
 */
static void
detect(Request *request, Analysis *analysis)
{
	PoolTask task = {.run = run_detector, .arg = analysis};

	pool_submit(request->world->pool, &task);
	while (!pool_wait_until(request->world->pool, &task, clock_monotonic_us() + CLOCK_SECOND / 10))
	{
		if (request_is_over(request))
		{
			pool_cancel(request->world->pool, &task);
			break;
		}
	}
}

void
request_analyze(Request *request)
{
	Analysis analysis = {.result = -1, .reason = "it was given up"};
	Model *model = load_model(request, &analysis.detector);
	AVFrame *frame;
	ImageInfo info;

	if (model == NULL)
		return;
	frame = decode(request, analysis.detector, &info);
	if (frame != NULL)
	{
		analysis.frame = frame;
		detect(request, &analysis);
		if (analysis.result == 0)
			request_answer(request, describe(&analysis, &info));
		else
			request_fail(request, CCTV_ERROR_FAILED, NULL, "the image could not be analysed: %s",
						 analysis.reason);
	}
	av_frame_free(&frame);
	model_unref(model);
}
