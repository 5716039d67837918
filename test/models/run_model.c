/*
 * run_model.c
 *		One image through one EfficientDet model in ONNX Runtime.
 *
 * usage: run_model MODEL.onnx SIZE [REPEATS] < IMAGE
 *
 * IMAGE is SIZE x SIZE pixels of raw RGB.  Prints one line for each object with
 * a score of at least 0.2 that survives non-maximum suppression:
 *
 *		LABEL SCORE YMIN XMIN YMAX XMAX
 *
 * and for each label the best score anywhere: best LABEL SCORE.
 *
 * With REPEATS the median time of a run on one thread, in milliseconds, goes to
 * standard error.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <onnxruntime_c_api.h>

#define API_VERSION 20
#define MIN_SCORE 0.2f
#define MAX_IOU 0.5f
#define MAX_OBJECTS 4096

static const char *const labels[] = {"person", "bicycle", "car", "motorcycle", "bus",
									 "truck",  "bird",	  "cat", "dog"};

typedef struct Found
{
	float score;
	int label;
	const float *box; /* ymin, xmin, ymax, xmax */
	bool dropped;
} Found;

static const OrtApi *ort;

static void
check(OrtStatus *status)
{
	if (status != NULL)
	{
		fprintf(stderr, "run_model: %s\n", ort->GetErrorMessage(status));
		exit(1);
	}
}

static void *
allocate(size_t size)
{
	void *memory = malloc(size);

	if (memory == NULL)
	{
		fprintf(stderr, "run_model: out of memory\n");
		exit(1);
	}
	return memory;
}

/* The image as the model wants it: bytes as they are, or floats by planes. */
static OrtValue *
make_input(OrtSession *session, const uint8_t *image, int size)
{
	size_t pixels = (size_t) size * size;
	OrtTypeInfo *type_info;
	const OrtTensorTypeAndShapeInfo *info;
	ONNXTensorElementDataType type;
	OrtMemoryInfo *memory;
	OrtValue *input = NULL;

	check(ort->SessionGetInputTypeInfo(session, 0, &type_info));
	check(ort->CastTypeInfoToTensorInfo(type_info, &info));
	check(ort->GetTensorElementType(info, &type));
	ort->ReleaseTypeInfo(type_info);
	check(ort->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
	if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8)
	{
		int64_t shape[] = {1, size, size, 3};

		check(ort->CreateTensorWithDataAsOrtValue(memory, (void *) image, 3 * pixels, shape, 4,
												  type, &input));
	}
	else
	{
		int64_t shape[] = {1, 3, size, size};
		float *planes = allocate(3 * pixels * sizeof(float));

		for (size_t i = 0; i < pixels; i++)
			for (int c = 0; c < 3; c++)
				planes[c * pixels + i] = (image[3 * i + c] - 127.0f) / 128.0f;
		check(ort->CreateTensorWithDataAsOrtValue(memory, planes, 3 * pixels * sizeof(float), shape,
												  4, type, &input));
	}
	ort->ReleaseMemoryInfo(memory);
	return input;
}

static float
iou(const float *a, const float *b)
{
	float height = fminf(a[2], b[2]) - fmaxf(a[0], b[0]);
	float width = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
	float both = fmaxf(height, 0) * fmaxf(width, 0);

	return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

static int
by_score(const void *a, const void *b)
{
	float x = ((const Found *) a)->score;
	float y = ((const Found *) b)->score;

	return (x < y) - (x > y);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
print_objects(const float *boxes, const float *scores, size_t count)
{
	const int nlabels = sizeof(labels) / sizeof(labels[0]);
	Found *found = allocate(MAX_OBJECTS * sizeof(Found));
	int nfound = 0;

	for (size_t i = 0; i < count * nlabels && nfound < MAX_OBJECTS; i++)
		if (scores[i] >= MIN_SCORE)
			found[nfound++] = (Found){scores[i], i % nlabels, boxes + 4 * (i / nlabels), false};
	qsort(found, nfound, sizeof(Found), by_score);
	for (int i = 0; i < nfound; i++)
	{
		const float *box = found[i].box;

		if (found[i].dropped)
			continue;
		printf("%s %.4f %.4f %.4f %.4f %.4f\n", labels[found[i].label], found[i].score, box[0],
			   box[1], box[2], box[3]);
		for (int j = i + 1; j < nfound; j++)
			if (found[j].label == found[i].label && iou(box, found[j].box) > MAX_IOU)
				found[j].dropped = true;
	}
	free(found);
}

static void
print_best(const float *scores, size_t count)
{
	const int nlabels = sizeof(labels) / sizeof(labels[0]);

	for (int label = 0; label < nlabels; label++)
	{
		float best = 0;

		for (size_t i = 0; i < count; i++)
			best = fmaxf(best, scores[i * nlabels + label]);
		printf("best %s %.4f\n", labels[label], best);
	}
}

static void
time_runs(OrtSession *session, const char *const *in, OrtValue *input, const char *const *out,
		  int repeats)
{
	double *ms = allocate(repeats * sizeof(double));

	for (int i = 0; i < repeats; i++)
	{
		OrtValue *outputs[2] = {NULL, NULL};
		struct timespec from;
		struct timespec to;

		clock_gettime(CLOCK_MONOTONIC, &from);
		check(ort->Run(session, NULL, in, (const OrtValue *const *) &input, 1, out, 2, outputs));
		clock_gettime(CLOCK_MONOTONIC, &to);
		ms[i] = (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6;
		ort->ReleaseValue(outputs[0]);
		ort->ReleaseValue(outputs[1]);
	}
	qsort(ms, repeats, sizeof(double), by_value);
	fprintf(stderr, "%.2f\n", ms[repeats / 2]);
	free(ms);
}

int
main(int argc, char **argv)
{
	const char *const in[] = {"images"};
	const char *const out[] = {"boxes", "scores"};
	int size = argc > 2 ? atoi(argv[2]) : 0;
	int repeats = argc > 3 ? atoi(argv[3]) : 0;
	OrtValue *outputs[2] = {NULL, NULL};
	OrtValue *input;
	OrtEnv *env;
	OrtSessionOptions *options;
	OrtSession *session;
	OrtTensorTypeAndShapeInfo *info;
	uint8_t *image;
	float *boxes;
	float *scores;
	size_t values;

	if (size <= 0)
	{
		fprintf(stderr, "usage: run_model MODEL.onnx SIZE [REPEATS] < IMAGE\n");
		return 2;
	}
	image = allocate(3 * (size_t) size * size);
	if (fread(image, 3 * (size_t) size, size, stdin) != (size_t) size)
	{
		fprintf(stderr, "run_model: the image is too short\n");
		return 1;
	}
	ort = OrtGetApiBase()->GetApi(API_VERSION);
	check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "run_model", &env));
	check(ort->CreateSessionOptions(&options));
	check(ort->SetIntraOpNumThreads(options, 1));
	check(ort->CreateSession(env, argv[1], options, &session));
	input = make_input(session, image, size);
	check(ort->Run(session, NULL, in, (const OrtValue *const *) &input, 1, out, 2, outputs));
	check(ort->GetTensorMutableData(outputs[0], (void **) &boxes));
	check(ort->GetTensorMutableData(outputs[1], (void **) &scores));
	check(ort->GetTensorTypeAndShape(outputs[0], &info));
	check(ort->GetTensorShapeElementCount(info, &values));
	print_objects(boxes, scores, values / 4);
	print_best(scores, values / 4);
	if (repeats > 0)
		time_runs(session, in, input, out, repeats);
	return 0;
}
