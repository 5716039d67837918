/*
 * detector_onnx.c
 *		Running models with ONNX Runtime, loaded when it is first needed.
 *
 * The library comes with the extension, or from the system; without it the
 * engine still runs, with OpenCV.  One session serves every thread: it has no
 * threads of its own, as two single-threaded runs side by side do more than
 * one run on two threads.
 */
#include "detector_backend.h"

#include <stdio.h>

#ifdef HAVE_ONNXRUNTIME

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <onnxruntime_c_api.h>

#define API_VERSION 20 /* ONNX Runtime 1.20; newer ones still answer it */

typedef struct OnnxModel
{
	const OrtApi *api;
	OrtEnv *env;
	OrtSession *session;
	OrtMemoryInfo *memory;
	OrtRunOptions *trimming; /* of a run that empties the arena after it */
	InputShape shape;
	char *input_name;
	size_t noutputs;
	char *output_names[INFERENCE_MAX_OUTPUTS];
} OnnxModel;

/* Turn a status into the caller's error.  Returns false if it is one. */
static bool
succeeded(const OrtApi *api, OrtStatus *status, char *error, size_t error_size)
{
	if (status == NULL)
		return true;
	snprintf(error, error_size, "onnxruntime: %s", api->GetErrorMessage(status));
	error[strcspn(error, "\r\n")] = '\0';
	api->ReleaseStatus(status);
	return false;
}

/* Before there are threads, some of which read the environment meanwhile. */
__attribute__((constructor)) static void
disable_telemetry(void)
{
	setenv("ORT_DISABLE_TELEMETRY", "1", 0);
}

/*
 * The library next to the extension, else the system's.  Stand-alone, from a
 * build tree, PG_CCTV_ORT says which; the engines of a server have an empty
 * environment.  Never unloaded: it keeps per-thread state.
 */
static void *
load_library(void)
{
	const char *path = getenv("PG_CCTV_ORT");
	int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
	void *library;

	if (path != NULL)
		return dlopen(path, flags);
	library = dlopen(CCTV_PKGLIBDIR "/pg_cctv/libonnxruntime.so.1", flags);
	if (library == NULL)
		library = dlopen("libonnxruntime.so.1", flags);
	return library;
}

static const OrtApi *
load_api(char *runtime, size_t runtime_size, char *error, size_t error_size)
{
	void *library = load_library();
	const OrtApiBase *(*get_base)(void);
	const OrtApi *api;

	if (library == NULL)
	{
		snprintf(error, error_size, "ONNX Runtime cannot be loaded: %s", dlerror());
		return NULL;
	}
	*(void **) &get_base = dlsym(library, "OrtGetApiBase");
	if (get_base == NULL)
	{
		snprintf(error, error_size, "libonnxruntime.so.1 is not ONNX Runtime");
		return NULL;
	}
	api = get_base()->GetApi(API_VERSION);
	if (api == NULL)
		snprintf(error, error_size, "ONNX Runtime %s is too old, 1.%d or newer is needed",
				 get_base()->GetVersionString(), API_VERSION);
	else
		snprintf(runtime, runtime_size, "onnxruntime %s", get_base()->GetVersionString());
	return api;
}

static void
onnx_close(void *handle)
{
	OnnxModel *model = handle;

	if (model == NULL)
		return;
	if (model->session != NULL)
		model->api->ReleaseSession(model->session);
	if (model->trimming != NULL)
		model->api->ReleaseRunOptions(model->trimming);
	if (model->memory != NULL)
		model->api->ReleaseMemoryInfo(model->memory);
	if (model->env != NULL)
		model->api->ReleaseEnv(model->env);
	free(model->input_name);
	for (size_t i = 0; i < model->noutputs; i++)
		free(model->output_names[i]);
	free(model);
}

static bool
create_session(OnnxModel *model, const char *path, char *error, size_t error_size)
{
	const OrtApi *api = model->api;
	OrtSessionOptions *options = NULL;
	bool ok;

	/* Failures come back as statuses; nothing need be written to stderr. */
	if (!succeeded(api, api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "pg_cctv", &model->env), error,
				   error_size) ||
		!succeeded(api, api->DisableTelemetryEvents(model->env), error, error_size) ||
		!succeeded(api,
				   api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &model->memory),
				   error, error_size) ||
		!succeeded(api, api->CreateRunOptions(&model->trimming), error, error_size) ||
		!succeeded(api,
				   api->AddRunConfigEntry(model->trimming, "memory.enable_memory_arena_shrinkage",
										  "cpu:0"),
				   error, error_size) ||
		!succeeded(api, api->CreateSessionOptions(&options), error, error_size))
		return false;
	ok = succeeded(api, api->SetIntraOpNumThreads(options, 1), error, error_size) &&
		 succeeded(api, api->SetInterOpNumThreads(options, 1), error, error_size) &&
		 succeeded(api, api->SetSessionExecutionMode(options, ORT_SEQUENTIAL), error, error_size) &&
		 succeeded(api, api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL), error,
				   error_size) &&
		 succeeded(api, api->SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL), error,
				   error_size) &&
		 succeeded(api, api->CreateSession(model->env, path, options, &model->session), error,
				   error_size);
	api->ReleaseSessionOptions(options);
	return ok;
}

/* The model's fixed length of a dimension, else the wanted one. */
static bool
settle_length(int64_t fixed, int *wanted)
{
	if (fixed <= 0)
		return true;
	if (*wanted > 0 && *wanted != fixed)
		return false;
	*wanted = (int) fixed;
	return true;
}

/* Which layout the input has, and its size. */
static bool
settle_shape(InputShape *shape, ONNXTensorElementDataType type, const int64_t *dims, size_t ndims,
			 char *error, size_t error_size)
{
	bool bytes = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
	bool nhwc = ndims == 4 && dims[3] == 3 && (bytes || dims[1] != 3);

	if (ndims != 4 || dims[nhwc ? 3 : 1] != 3 || dims[0] > 1 || (bytes && !nhwc) ||
		(!bytes && type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT))
	{
		snprintf(error, error_size,
				 "the model's input is neither float [1, 3, H, W], float "
				 "[1, H, W, 3] nor uint8 [1, H, W, 3]");
		return false;
	}
	if (bytes)
		shape->layout = TENSOR_UINT8_NHWC;
	else
		shape->layout = nhwc ? TENSOR_FLOAT_NHWC : TENSOR_FLOAT_NCHW;
	if (!settle_length(dims[nhwc ? 1 : 2], &shape->height) ||
		!settle_length(dims[nhwc ? 2 : 3], &shape->width))
	{
		snprintf(error, error_size, "the model's input is not %d by %d", shape->width,
				 shape->height);
		return false;
	}
	if (shape->width <= 0 || shape->height <= 0)
	{
		snprintf(error, error_size, "the size of its input must be given, as it takes many");
		return false;
	}
	return true;
}

static bool
inspect_input(OnnxModel *model, char *error, size_t error_size)
{
	const OrtApi *api = model->api;
	OrtTypeInfo *info = NULL;
	const OrtTensorTypeAndShapeInfo *tensor = NULL;
	ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
	int64_t dims[TENSOR_MAX_DIMS] = {0};
	size_t ndims = 0;
	size_t ninputs = 0;
	bool ok;

	if (!succeeded(api, api->SessionGetInputCount(model->session, &ninputs), error, error_size))
		return false;
	if (ninputs != 1)
	{
		snprintf(error, error_size, "the model has %zu inputs, not one", ninputs);
		return false;
	}
	ok =
		succeeded(api, api->SessionGetInputTypeInfo(model->session, 0, &info), error, error_size) &&
		succeeded(api, api->CastTypeInfoToTensorInfo(info, &tensor), error, error_size);
	if (ok && tensor != NULL)
	{
		ok = succeeded(api, api->GetTensorElementType(tensor, &type), error, error_size) &&
			 succeeded(api, api->GetDimensionsCount(tensor, &ndims), error, error_size);
		if (ok && ndims <= TENSOR_MAX_DIMS)
			ok = succeeded(api, api->GetDimensions(tensor, dims, ndims), error, error_size);
	}
	if (info != NULL)
		api->ReleaseTypeInfo(info);
	return ok && settle_shape(&model->shape, type, dims, ndims, error, error_size);
}

/* Copy a name out of the runtime's allocator. */
static char *
copy_name(const OrtApi *api, OrtAllocator *allocator, char *name)
{
	char *copy = strdup(name);
	OrtStatus *status = api->AllocatorFree(allocator, name);

	if (status != NULL)
		api->ReleaseStatus(status);
	return copy;
}

static bool
inspect_names(OnnxModel *model, char *error, size_t error_size)
{
	const OrtApi *api = model->api;
	OrtAllocator *allocator = NULL;
	size_t noutputs = 0;
	char *name = NULL;

	if (!succeeded(api, api->GetAllocatorWithDefaultOptions(&allocator), error, error_size) ||
		!succeeded(api, api->SessionGetOutputCount(model->session, &noutputs), error, error_size) ||
		!succeeded(api, api->SessionGetInputName(model->session, 0, allocator, &name), error,
				   error_size))
		return false;
	model->input_name = copy_name(api, allocator, name);
	if (noutputs > INFERENCE_MAX_OUTPUTS)
	{
		snprintf(error, error_size, "the model has %zu outputs, more than %d", noutputs,
				 INFERENCE_MAX_OUTPUTS);
		return false;
	}
	for (size_t i = 0; i < noutputs; i++)
	{
		if (!succeeded(api, api->SessionGetOutputName(model->session, i, allocator, &name), error,
					   error_size))
			return false;
		model->output_names[model->noutputs++] = copy_name(api, allocator, name);
	}
	for (size_t i = 0; i < noutputs; i++)
		if (model->input_name == NULL || model->output_names[i] == NULL)
		{
			snprintf(error, error_size, "out of memory");
			return false;
		}
	return true;
}

static void *
onnx_open(const char *path, InputShape *shape, char *runtime, size_t runtime_size, char *error,
		  size_t error_size)
{
	OnnxModel *model = calloc(1, sizeof(*model));

	if (model == NULL)
	{
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	model->shape = *shape;
	model->api = load_api(runtime, runtime_size, error, error_size);
	if (model->api == NULL || !create_session(model, path, error, error_size) ||
		!inspect_input(model, error, error_size) || !inspect_names(model, error, error_size))
	{
		onnx_close(model);
		return NULL;
	}
	*shape = model->shape;
	return model;
}

/* Wrap the caller's buffer, without a copy. */
static OrtValue *
wrap_input(const OnnxModel *model, const void *input, char *error, size_t error_size)
{
	const InputShape *shape = &model->shape;
	size_t samples = (size_t) 3 * shape->width * shape->height;
	OrtValue *value = NULL;
	OrtStatus *status;
	int64_t planes[] = {1, 3, shape->height, shape->width};
	int64_t packed[] = {1, shape->height, shape->width, 3};
	bool bytes = shape->layout == TENSOR_UINT8_NHWC;

	status = model->api->CreateTensorWithDataAsOrtValue(
		model->memory, (void *) input, bytes ? samples : samples * sizeof(float),
		shape->layout == TENSOR_FLOAT_NCHW ? planes : packed, 4,
		bytes ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value);
	return succeeded(model->api, status, error, error_size) ? value : NULL;
}

static bool
describe_output(const OnnxModel *model, OrtValue *value, const char *name, Tensor *tensor,
				char *error, size_t error_size)
{
	const OrtApi *api = model->api;
	OrtTensorTypeAndShapeInfo *info = NULL;
	ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
	size_t ndims = 0;
	void *data = NULL;
	bool ok;

	if (!succeeded(api, api->GetTensorTypeAndShape(value, &info), error, error_size))
		return false;
	ok = succeeded(api, api->GetTensorElementType(info, &type), error, error_size) &&
		 succeeded(api, api->GetDimensionsCount(info, &ndims), error, error_size);
	if (ok && (type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || ndims > TENSOR_MAX_DIMS))
	{
		snprintf(error, error_size, "output %s is not a float tensor of at most %d dimensions",
				 name, TENSOR_MAX_DIMS);
		ok = false;
	}
	ok = ok && succeeded(api, api->GetDimensions(info, tensor->dims, ndims), error, error_size) &&
		 succeeded(api, api->GetTensorMutableData(value, &data), error, error_size);
	api->ReleaseTensorTypeAndShapeInfo(info);
	tensor->name = name;
	tensor->ndims = (int) ndims;
	tensor->data = data;
	return ok;
}

static void
onnx_release(void *handle, Inference *result)
{
	OnnxModel *model = handle;
	OrtValue **values = result->handle;

	if (values == NULL)
		return;
	for (size_t i = 0; i < model->noutputs; i++)
		if (values[i] != NULL)
			model->api->ReleaseValue(values[i]);
	free(values);
	memset(result, 0, sizeof(*result));
}

/* options NULL: the runtime's defaults. */
static int
run(OnnxModel *model, const OrtRunOptions *options, const void *input, Inference *result,
	char *error, size_t error_size)
{
	const OrtApi *api = model->api;
	OrtValue *value = wrap_input(model, input, error, error_size);
	OrtValue **values;
	bool ok;

	memset(result, 0, sizeof(*result));
	if (value == NULL)
		return -1;
	values = calloc(INFERENCE_MAX_OUTPUTS, sizeof(*values));
	if (values == NULL)
	{
		snprintf(error, error_size, "out of memory");
		api->ReleaseValue(value);
		return -1;
	}
	result->handle = values;
	ok = succeeded(api,
				   api->Run(model->session, options, (const char *const *) &model->input_name,
							(const OrtValue *const *) &value, 1,
							(const char *const *) model->output_names, model->noutputs, values),
				   error, error_size);
	for (size_t i = 0; ok && i < model->noutputs; i++)
		ok = describe_output(model, values[i], model->output_names[i], &result->outputs[i], error,
							 error_size);
	api->ReleaseValue(value);
	if (!ok)
	{
		onnx_release(model, result);
		return -1;
	}
	result->noutputs = (int) model->noutputs;
	return 0;
}

static int
onnx_run(void *handle, const void *input, Inference *result, char *error, size_t error_size)
{
	return run(handle, NULL, input, result, error, error_size);
}

/* The arena keeps what as many runs as there are threads took side by side. */
static void
onnx_trim(void *handle)
{
	OnnxModel *model = handle;
	void *input = calloc((size_t) 3 * model->shape.width * model->shape.height, sizeof(float));
	Inference result;
	char reason[128];

	if (input != NULL && run(model, model->trimming, input, &result, reason, sizeof(reason)) == 0)
		onnx_release(model, &result);
	free(input);
}

const Backend backend_onnxruntime = {onnx_open, onnx_close, onnx_run, onnx_release, onnx_trim};

#else /* HAVE_ONNXRUNTIME */

static void *
absent_open(const char *path, InputShape *shape, char *runtime, size_t runtime_size, char *error,
			size_t error_size)
{
	snprintf(error, error_size, "this engine was built without ONNX Runtime");
	return NULL;
}

const Backend backend_onnxruntime = {.open = absent_open};

#endif /* HAVE_ONNXRUNTIME */
