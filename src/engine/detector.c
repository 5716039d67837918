/*
 * detector.c
 *		Loading a model, and finding objects with it in regions of a frame.
 *
 * A kind is how a model sees and speaks (detector_decode.h), and a backend the
 * library that runs it (detector_backend.h); or the kind looks at pictures by
 * itself (detector_picture.h).  The kinds are listed in detector_kind.c.
 */
#include "detector.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector_backend.h"
#include "detector_decode.h"
#include "detector_picture.h"
#include "nms.h"
#include "preprocess.h"

#define REASON_SIZE 256
/* An object this near to its region's edge may go on behind it; in fractions of the input. */
#define EDGE 0.01f
/* A cut object is dropped if another shows this share of it. */
#define CUT_COVERED 0.6f
#define MAX_SIGHTINGS 2048

struct Detector
{
	const KindTraits *traits;
	const DecodeKind *decode;	/* of a network, */
	const Backend *backend;		/* with what runs it; */
	const PictureKind *picture; /* or of something else */
	void *model;
	ModelOptions options;
	int background; /* a label that is none, or -1 */
	InputShape shape;
	char runtime[64];
	char *name;
	int nlabels;
	char **labels;
	float min_confidence;
	float nms_iou;

	atomic_uint searches;
	unsigned searches_seen; /* at the last detector_trim() */
	bool trimmed;			/* since the last search */
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
	Sighting sightings[MAX_SIGHTINGS];
	Object objects[MAX_SIGHTINGS];
};

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

	if (path == NULL)
	{
		snprintf(error, error_size, "it has no file");
		return false;
	}
	detector->model = backend->open(path, &shape, detector->runtime, sizeof(detector->runtime),
									error, error_size);
	detector->backend = backend;
	detector->shape = shape;
	return detector->model != NULL;
}

static DecodeRequest
decode_request(const Detector *detector, float min_confidence)
{
	return (DecodeRequest){.nlabels = detector->nlabels,
						   .min_confidence = min_confidence,
						   .background = detector->background,
						   .input_width = detector->shape.width,
						   .input_height = detector->shape.height,
						   .options = &detector->options};
}

/* Run the model once on an empty picture: its outputs must be what the kind decodes. */
static bool
try_model(Detector *detector, char *error, size_t error_size)
{
	size_t samples = (size_t) 3 * detector->shape.width * detector->shape.height;
	void *input = calloc(samples, sizeof(float));
	Candidates *candidates = calloc(1, sizeof(*candidates));
	DecodeRequest request = decode_request(detector, 1);
	Inference inference = {0};
	bool ok = false;

	if (input == NULL || candidates == NULL)
		snprintf(error, error_size, "out of memory");
	else if (detector->backend->run(detector->model, input, &inference, error, error_size) == 0)
	{
		ok = detector->decode->decode(inference.outputs, inference.noutputs, &request, candidates,
									  error, error_size) == 0;
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

	if (spec->path == NULL || spec->no_int8 || !int8_is_fast())
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

/* Open a kind that looks at pictures by itself. */
static bool
open_picture(Detector *detector, const ModelSpec *spec, char *error, size_t error_size)
{
	const PictureKind *kind = detector->picture;

	detector->shape = (InputShape){TENSOR_UINT8_GREY, spec->input_width, spec->input_height};
	/* Its picture has no bars: only what the region fills is shown. */
	detector->options.input.fit = FIT_TOP_LEFT;
	if (spec->input_width < 1 || spec->input_height < 1)
		snprintf(error, error_size, "the size of its input must be given");
	else if (spec->nlabels != 1)
		snprintf(error, error_size, "a model of kind %s has one label, but %d are named",
				 kind->traits.name, spec->nlabels);
	else if (spec->runtime != NULL && strcmp(spec->runtime, "onnxruntime") == 0)
		snprintf(error, error_size, "kind %s does not run in onnxruntime", kind->traits.name);
	else if (spec->path == NULL && !kind->traits.no_file)
		snprintf(error, error_size, "it has no file");
	else
		detector->model = kind->open(spec->path, &detector->options, detector->runtime,
									 sizeof(detector->runtime), error, error_size);
	return detector->model != NULL;
}

/* Try the runtimes that the spec allows. */
static bool
open_network(Detector *detector, const ModelSpec *spec, char *error, size_t error_size)
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
open_any(Detector *detector, const ModelSpec *spec, char *error, size_t error_size)
{
	if (detector->options.background[0] != '\0' && detector->background < 0)
	{
		snprintf(error, error_size, "option background is no label of it: \"%s\"",
				 detector->options.background);
		return false;
	}
	if (detector->picture != NULL)
		return open_picture(detector, spec, error, error_size);
	return open_network(detector, spec, error, error_size);
}

static bool
copy_spec(Detector *detector, const ModelSpec *spec)
{
	detector->min_confidence = spec->min_confidence;
	detector->nms_iou = spec->nms_iou;
	detector->options = spec->options != NULL ? *spec->options : model_options_default(spec->kind);
	detector->background = -1;
	detector->name = strdup(spec->name);
	detector->labels = calloc(spec->nlabels, sizeof(*detector->labels));
	if (detector->name == NULL || detector->labels == NULL)
		return false;
	for (; detector->nlabels < spec->nlabels; detector->nlabels++)
	{
		const char *label = spec->labels[detector->nlabels];

		if (strcmp(label, detector->options.background) == 0)
			detector->background = detector->nlabels;
		detector->labels[detector->nlabels] = strdup(label);
		if (detector->labels[detector->nlabels] == NULL)
			return false;
	}
	return true;
}

Detector *
detector_open(const ModelSpec *spec, char *error, size_t error_size)
{
	char reason[REASON_SIZE] = "out of memory";
	const KindTraits *traits = find_kind_traits(spec->kind);
	Detector *detector;

	if (traits == NULL)
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
	{
		detector->traits = traits;
		detector->decode = find_decode_kind(spec->kind);
		detector->picture = find_picture_kind(spec->kind);
	}
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
	if (detector->model != NULL && detector->picture != NULL)
		detector->picture->close(detector->model);
	else if (detector->model != NULL)
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

/* Put the landmarks, points of the input, into the frame. */
static void
place_landmarks(Attributes *attributes, const Letterbox *picture, const InputShape *shape,
				const PixelRect *region, const AVFrame *frame)
{
	for (int i = 0; attributes->has_landmarks && i < ATTRIBUTES_LANDMARKS; i++)
	{
		Box point = {attributes->landmarks[i][0], attributes->landmarks[i][1], 0, 0};

		point = letterbox_to_frame(picture, shape, &point, region, frame->width, frame->height);
		attributes->landmarks[i][0] = point.x;
		attributes->landmarks[i][1] = point.y;
	}
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

		if (workspace->nsightings == MAX_SIGHTINGS)
			return;
		sighting->object = candidates->items[i];
		sighting->region = index;
		sighting->cut = !detector->traits->one_per_region &&
						is_cut(&sighting->object.box, picture, &detector->shape, region, frame);
		sighting->object.box =
			letterbox_to_frame(picture, &detector->shape, &candidates->items[i].box, region,
							   frame->width, frame->height);
		place_landmarks(&sighting->object.attributes, picture, &detector->shape, region, frame);
		if (box_area(&sighting->object.box) > 0)
			workspace->nsightings++;
	}
}

/* Run a network on the tensor of a region. */
static int
run_network(Detector *detector, Workspace *workspace, const void *input, char *error,
			size_t error_size)
{
	DecodeRequest request = decode_request(detector, detector->min_confidence);
	Inference inference;
	int result;

	if (detector->backend->run(detector->model, input, &inference, error, error_size) < 0)
		return -1;
	result = detector->decode->decode(inference.outputs, inference.noutputs, &request,
									  &workspace->candidates, error, error_size);
	detector->backend->release(detector->model, &inference);
	return result;
}

/* Search the grey picture of a region, which then is all of the input. */
static int
run_picture(Detector *detector, Workspace *workspace, const void *input, Letterbox *letterbox,
			char *error, size_t error_size)
{
	GreyPicture picture = {.pixels = input,
						   .width = letterbox->w,
						   .height = letterbox->h,
						   .stride = detector->shape.width};

	*letterbox = (Letterbox){0, 0, detector->shape.width, detector->shape.height};
	return detector->picture->search(detector->model, &picture, detector->min_confidence,
									 &workspace->candidates, error, error_size);
}

static int
run_region(Detector *detector, Workspace *workspace, const AVFrame *frame, const PixelRect *region,
		   int index, char *error, size_t error_size)
{
	Letterbox letterbox;
	const void *input;
	int result;

	input = preprocess(workspace->preprocessor, frame, region, &detector->shape,
					   &detector->options.input, &letterbox, error, error_size);
	if (input == NULL)
		return -1;
	workspace->candidates.count = 0;
	if (detector->picture != NULL)
		result = run_picture(detector, workspace, input, &letterbox, error, error_size);
	else
		result = run_network(detector, workspace, input, error, error_size);
	if (result == 0)
		collect(detector, workspace, frame, region, index, &letterbox);
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
	if (detector->traits->one_per_region)
		sort_objects(workspace->objects, n);
	else
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

	atomic_fetch_add(&detector->searches, 1);
	objects->count = 0;
	workspace->nsightings = 0;
	if (nregions <= 0)
	{
		regions = &whole;
		nregions = 1;
	}
	for (int i = 0; i < nregions && i < DETECTOR_MAX_REGIONS; i++)
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

void
detector_trim(Detector *detector)
{
	unsigned searches = atomic_load(&detector->searches);

	if (searches != detector->searches_seen)
	{
		detector->searches_seen = searches;
		detector->trimmed = false;
	}
	else if (!detector->trimmed)
	{
		detector->trimmed = true;
		if (detector->backend != NULL && detector->backend->trim != NULL)
			detector->backend->trim(detector->model);
	}
}
