/*
 * detector.c
 *		Kinds of models, and runtimes that run them.
 *
 * A kind is how a model sees and speaks (detector_decode.h); a backend is the
 * library that runs it (detector_backend.h).  A new kind is one file and one
 * line in KINDS.
 */
#include "detector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector_backend.h"
#include "detector_decode.h"
#include "nms.h"
#include "preprocess.h"
#include "region.h"

#define REASON_SIZE 256
/* An object this near to its region's edge may go on behind it; in fractions of the input. */
#define EDGE 0.01f
/* A cut object is dropped if another shows this share of it. */
#define CUT_COVERED 0.6f

static const DecodeKind *const KINDS[] = {&decode_efficientdet, &decode_ultraface};

struct Detector
{
	const DecodeKind *kind;
	const Backend *backend;
	void *model;
	InputShape shape;
	char runtime[64];
	char *name;
	int nlabels;
	char **labels;
	float min_confidence;
	float nms_iou;
};

/* An object and whether its region cut it off. */
typedef struct Sighting
{
	Object object;
	int region;
	bool cut;
} Sighting;

struct Workspace
{
	Preprocessor *preprocessor;
	Candidates candidates; /* of one region */
	int nsightings;
	Sighting sightings[REGION_MAX * DETECTOR_MAX_OBJECTS];
	Object objects[REGION_MAX * DETECTOR_MAX_OBJECTS];
};

void
candidates_add(Candidates *candidates, const Object *object)
{
	const Box *box = &object->box;

	if (!isfinite(box->x) || !isfinite(box->y) || !isfinite(box->w) || !isfinite(box->h))
		return;
	if (candidates->count == CANDIDATES_MAX)
	{
		sort_objects(candidates->items, candidates->count);
		candidates->count = CANDIDATES_MAX / 2;
	}
	candidates->items[candidates->count++] = *object;
}

const Tensor *
find_output(const Tensor *outputs, int noutputs, const char *name)
{
	for (int i = 0; i < noutputs; i++)
		if (strcmp(outputs[i].name, name) == 0)
			return &outputs[i];
	return NULL;
}

static const DecodeKind *
find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (strcmp(KINDS[i]->name, name) == 0)
			return KINDS[i];
	return NULL;
}

/* Without VNNI the int8 kernels saturate on x86, and lose objects; elsewhere they are untried. */
static bool
int8_is_fast(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx512vnni") || __builtin_cpu_supports("avxvnni");
#else
	return false;
#endif
}

/* NAME-int8.onnx beside NAME.onnx.  Returns a new string, or NULL. */
static char *
int8_path(const char *path)
{
	static const char suffix[] = ".onnx";
	size_t length = strlen(path);
	size_t stem = length - (sizeof(suffix) - 1);
	size_t size = length + sizeof("-int8");
	char *result;
	FILE *file;

	if (length < sizeof(suffix) || strcmp(path + stem, suffix) != 0)
		return NULL;
	result = malloc(size);
	if (result == NULL)
		return NULL;
	snprintf(result, size, "%.*s-int8%s", (int) stem, path, suffix);
	file = fopen(result, "rb");
	if (file == NULL)
	{
		free(result);
		return NULL;
	}
	fclose(file);
	return result;
}

static bool
open_model(Detector *detector, const Backend *backend, const char *path, const ModelSpec *spec,
		   char *error, size_t error_size)
{
	InputShape shape = {TENSOR_FLOAT_NCHW, spec->input_width, spec->input_height};

	detector->model = backend->open(path, &shape, detector->runtime, sizeof(detector->runtime),
									error, error_size);
	detector->backend = backend;
	detector->shape = shape;
	return detector->model != NULL;
}

/* Run the model once on an empty picture: its outputs must be what the kind decodes. */
static bool
try_model(Detector *detector, char *error, size_t error_size)
{
	size_t samples = (size_t) 3 * detector->shape.width * detector->shape.height;
	void *input = calloc(samples, sizeof(float));
	Candidates *candidates = calloc(1, sizeof(*candidates));
	Inference inference = {0};
	bool ok = false;

	if (input == NULL || candidates == NULL)
		snprintf(error, error_size, "out of memory");
	else if (detector->backend->run(detector->model, input, &inference, error, error_size) == 0)
	{
		ok = detector->kind->decode(inference.outputs, inference.noutputs, detector->nlabels, 1,
									candidates, error, error_size) == 0;
		detector->backend->release(detector->model, &inference);
	}
	free(input);
	free(candidates);
	return ok;
}

static bool
open_int8(Detector *detector, const ModelSpec *spec)
{
	char reason[REASON_SIZE];
	size_t used;
	char *path;
	bool ok;

	if (spec->no_int8 || !int8_is_fast())
		return false;
	path = int8_path(spec->path);
	if (path == NULL)
		return false;
	ok = open_model(detector, &backend_onnxruntime, path, spec, reason, sizeof(reason)) &&
		 try_model(detector, reason, sizeof(reason));
	free(path);
	if (!ok && detector->model != NULL)
	{
		detector->backend->close(detector->model);
		detector->model = NULL;
	}
	used = strlen(detector->runtime);
	if (ok)
		snprintf(detector->runtime + used, sizeof(detector->runtime) - used, " int8");
	return ok;
}

static bool
open_float(Detector *detector, const Backend *backend, const ModelSpec *spec, char *error,
		   size_t error_size)
{
	return open_model(detector, backend, spec->path, spec, error, error_size) &&
		   try_model(detector, error, error_size);
}

/* Try the runtimes that the spec allows. */
static bool
open_any(Detector *detector, const ModelSpec *spec, char *error, size_t error_size)
{
	const char *runtime = spec->runtime != NULL ? spec->runtime : "auto";
	bool automatic = strcmp(runtime, "auto") == 0;
	size_t used = 0;

	if (!automatic && strcmp(runtime, "onnxruntime") != 0 && strcmp(runtime, "opencv") != 0)
	{
		snprintf(error, error_size, "unknown runtime \"%s\"", runtime);
		return false;
	}
	if (strcmp(runtime, "opencv") != 0)
	{
		if (open_int8(detector, spec) ||
			open_float(detector, &backend_onnxruntime, spec, error, error_size))
			return true;
		/* With the library there, the fault is the model's. */
		if (!automatic || detector->runtime[0] != '\0')
			return false;
		used = (size_t) snprintf(error, error_size, "no ONNX Runtime, and ");
	}
	return open_float(detector, &backend_opencv, spec, error + used, error_size - used);
}

static bool
copy_spec(Detector *detector, const ModelSpec *spec)
{
	detector->min_confidence = spec->min_confidence;
	detector->nms_iou = spec->nms_iou;
	detector->name = strdup(spec->name);
	detector->labels = calloc(spec->nlabels, sizeof(*detector->labels));
	if (detector->name == NULL || detector->labels == NULL)
		return false;
	for (; detector->nlabels < spec->nlabels; detector->nlabels++)
	{
		detector->labels[detector->nlabels] = strdup(spec->labels[detector->nlabels]);
		if (detector->labels[detector->nlabels] == NULL)
			return false;
	}
	return true;
}

Detector *
detector_open(const ModelSpec *spec, char *error, size_t error_size)
{
	char reason[REASON_SIZE] = "out of memory";
	const DecodeKind *kind = find_kind(spec->kind);
	Detector *detector;

	if (kind == NULL)
	{
		snprintf(error, error_size, "model \"%s\" is of unknown kind \"%s\"", spec->name,
				 spec->kind);
		return NULL;
	}
	if (spec->nlabels < 1 || spec->nlabels > DETECTOR_MAX_LABELS)
	{
		snprintf(error, error_size, "model \"%s\" has %d labels, not 1 to %d", spec->name,
				 spec->nlabels, DETECTOR_MAX_LABELS);
		return NULL;
	}
	detector = calloc(1, sizeof(*detector));
	if (detector != NULL)
		detector->kind = kind;
	if (detector == NULL || !copy_spec(detector, spec) ||
		!open_any(detector, spec, reason, sizeof(reason)))
	{
		snprintf(error, error_size, "cannot load model \"%s\": %s", spec->name, reason);
		detector_close(detector);
		return NULL;
	}
	return detector;
}

void
detector_close(Detector *detector)
{
	if (detector == NULL)
		return;
	if (detector->model != NULL)
		detector->backend->close(detector->model);
	for (int i = 0; i < detector->nlabels; i++)
		free(detector->labels[i]);
	free(detector->labels);
	free(detector->name);
	free(detector);
}

const char *
detector_runtime(const Detector *detector)
{
	return detector->runtime;
}

int
detector_nlabels(const Detector *detector)
{
	return detector->nlabels;
}

const char *
detector_label(const Detector *detector, int label)
{
	return label >= 0 && label < detector->nlabels ? detector->labels[label] : NULL;
}

const char *
detector_name(const Detector *detector)
{
	return detector->name;
}

void
detector_input_size(const Detector *detector, int *width, int *height)
{
	*width = detector->shape.width;
	*height = detector->shape.height;
}

Workspace *
workspace_create(void)
{
	Workspace *workspace = calloc(1, sizeof(*workspace));

	if (workspace == NULL)
		return NULL;
	workspace->preprocessor = preprocessor_create();
	if (workspace->preprocessor == NULL)
	{
		free(workspace);
		return NULL;
	}
	return workspace;
}

void
workspace_free(Workspace *workspace)
{
	if (workspace == NULL)
		return;
	preprocessor_free(workspace->preprocessor);
	free(workspace);
}

/* Does the box, in fractions of the input, end at an edge where the frame goes on? */
static bool
is_cut(const Box *box, const Letterbox *picture, const InputShape *shape, const PixelRect *region,
	   const AVFrame *frame)
{
	float left = (float) picture->x / shape->width;
	float top = (float) picture->y / shape->height;
	float right = (float) (picture->x + picture->w) / shape->width;
	float bottom = (float) (picture->y + picture->h) / shape->height;

	return (region->x > 0 && box->x < left + EDGE) || (region->y > 0 && box->y < top + EDGE) ||
		   (region->x + region->w < frame->width && box->x + box->w > right - EDGE) ||
		   (region->y + region->h < frame->height && box->y + box->h > bottom - EDGE);
}

/* Take the candidates of a region over as sightings in the frame. */
static void
collect(const Detector *detector, Workspace *workspace, const AVFrame *frame,
		const PixelRect *region, int index, const Letterbox *picture)
{
	Candidates *candidates = &workspace->candidates;
	int n = nms(candidates->items, candidates->count, detector->nms_iou);

	for (int i = 0; i < n && i < DETECTOR_MAX_OBJECTS; i++)
	{
		Sighting *sighting = &workspace->sightings[workspace->nsightings];

		sighting->object = candidates->items[i];
		sighting->region = index;
		sighting->cut = is_cut(&sighting->object.box, picture, &detector->shape, region, frame);
		sighting->object.box =
			letterbox_to_frame(picture, &detector->shape, &candidates->items[i].box, region,
							   frame->width, frame->height);
		if (box_area(&sighting->object.box) > 0)
			workspace->nsightings++;
	}
}

static int
run_region(Detector *detector, Workspace *workspace, const AVFrame *frame, const PixelRect *region,
		   int index, char *error, size_t error_size)
{
	Letterbox picture;
	Inference inference;
	const void *input;
	int result;

	input = preprocess(workspace->preprocessor, frame, region, &detector->shape,
					   &detector->kind->input, &picture, error, error_size);
	if (input == NULL ||
		detector->backend->run(detector->model, input, &inference, error, error_size) < 0)
		return -1;
	workspace->candidates.count = 0;
	result =
		detector->kind->decode(inference.outputs, inference.noutputs, detector->nlabels,
							   detector->min_confidence, &workspace->candidates, error, error_size);
	detector->backend->release(detector->model, &inference);
	if (result == 0)
		collect(detector, workspace, frame, region, index, &picture);
	return result;
}

/* Is this piece of an object shown better by a sighting in another region? */
static bool
is_shown_elsewhere(const Workspace *workspace, const Sighting *piece)
{
	for (int i = 0; i < workspace->nsightings; i++)
	{
		const Sighting *other = &workspace->sightings[i];

		if (other->region == piece->region || other->object.label != piece->object.label ||
			box_area(&other->object.box) <= box_area(&piece->object.box))
			continue;
		if (box_intersection(&other->object.box, &piece->object.box) >=
			CUT_COVERED * box_area(&piece->object.box))
			return true;
	}
	return false;
}

/* One list of objects from the sightings of all regions. */
static void
merge(const Detector *detector, Workspace *workspace, ObjectList *objects)
{
	int n = 0;

	for (int i = 0; i < workspace->nsightings; i++)
	{
		const Sighting *sighting = &workspace->sightings[i];

		if (!sighting->cut || !is_shown_elsewhere(workspace, sighting))
			workspace->objects[n++] = sighting->object;
	}
	n = nms(workspace->objects, n, detector->nms_iou);
	objects->count = n < DETECTOR_MAX_OBJECTS ? n : DETECTOR_MAX_OBJECTS;
	memcpy(objects->items, workspace->objects, objects->count * sizeof(Object));
}

/* The part of a region inside the frame, from even pixels, as chroma comes in pairs. */
static PixelRect
clip_region(const PixelRect *region, const AVFrame *frame)
{
	int left = region->x > 0 ? region->x & ~1 : 0;
	int top = region->y > 0 ? region->y & ~1 : 0;
	int right = region->x + region->w < frame->width ? region->x + region->w : frame->width;
	int bottom = region->y + region->h < frame->height ? region->y + region->h : frame->height;
	PixelRect clipped = {left, top, right - left, bottom - top};

	return clipped;
}

int
detector_run(Detector *detector, Workspace *workspace, const AVFrame *frame,
			 const PixelRect *regions, int nregions, ObjectList *objects, char *error,
			 size_t error_size)
{
	PixelRect whole = {0, 0, frame->width, frame->height};

	objects->count = 0;
	workspace->nsightings = 0;
	if (nregions <= 0)
	{
		regions = &whole;
		nregions = 1;
	}
	for (int i = 0; i < nregions && i < REGION_MAX; i++)
	{
		PixelRect region = clip_region(&regions[i], frame);

		if (region.w <= 1 || region.h <= 1)
			continue;
		if (run_region(detector, workspace, frame, &region, i, error, error_size) < 0)
			return -1;
	}
	merge(detector, workspace, objects);
	return 0;
}
