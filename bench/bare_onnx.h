/*
 * bare_onnx.h
 *		The least that a program must do to run a model in ONNX Runtime: what the
 *		engine's inference is held against.
 *
 * PG_CCTV_ORT names the library.  Whatever fails ends the program.
 */
#ifndef BENCH_BARE_ONNX_H
#define BENCH_BARE_ONNX_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <onnxruntime_c_api.h>

#include "detector_backend.h"

static inline void
bare_die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* The least that a program must do to run a model. */
typedef struct Bare
{
	const OrtApi *api;
	OrtSession *session;
	OrtMemoryInfo *memory;
	OrtAllocator *allocator;
	char *input;
	char *outputs[16];
	size_t noutputs;
} Bare;

#define CHECK(call)                                                                                \
	do                                                                                             \
	{                                                                                              \
		OrtStatus *status_ = (call);                                                               \
		if (status_ != NULL)                                                                       \
			bare_die(bare->api->GetErrorMessage(status_));                                         \
	} while (0)

static inline void
bare_open(Bare *bare, const char *path)
{
	void *library = dlopen(getenv("PG_CCTV_ORT"), RTLD_NOW | RTLD_LOCAL);
	const OrtApiBase *(*base)(void);
	OrtSessionOptions *options;
	OrtEnv *env;

	if (library == NULL)
		bare_die("ONNX Runtime cannot be loaded; run scripts/setup");
	*(void **) &base = dlsym(library, "OrtGetApiBase");
	bare->api = base()->GetApi(20);
	CHECK(bare->api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "bare", &env));
	CHECK(bare->api->CreateSessionOptions(&options));
	CHECK(bare->api->SetIntraOpNumThreads(options, 1));
	CHECK(bare->api->CreateSession(env, path, options, &bare->session));
	CHECK(bare->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &bare->memory));
	CHECK(bare->api->GetAllocatorWithDefaultOptions(&bare->allocator));
	CHECK(bare->api->SessionGetInputName(bare->session, 0, bare->allocator, &bare->input));
	CHECK(bare->api->SessionGetOutputCount(bare->session, &bare->noutputs));
	for (size_t i = 0; i < bare->noutputs; i++)
		CHECK(
			bare->api->SessionGetOutputName(bare->session, i, bare->allocator, &bare->outputs[i]));
}

static inline void
bare_run(const Bare *bare, const InputShape *shape, void *data)
{
	bool bytes = shape->layout == TENSOR_UINT8_NHWC;
	int64_t planes[] = {1, 3, shape->height, shape->width};
	int64_t packed[] = {1, shape->height, shape->width, 3};
	size_t samples = (size_t) 3 * shape->width * shape->height;
	OrtValue *results[16] = {NULL};
	OrtValue *value = NULL;

	CHECK(bare->api->CreateTensorWithDataAsOrtValue(
		bare->memory, data, bytes ? samples : samples * sizeof(float), bytes ? packed : planes, 4,
		bytes ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
	CHECK(bare->api->Run(bare->session, NULL, (const char *const *) &bare->input,
						 (const OrtValue *const *) &value, 1, (const char *const *) bare->outputs,
						 bare->noutputs, results));
	for (size_t i = 0; i < bare->noutputs; i++)
		bare->api->ReleaseValue(results[i]);
	bare->api->ReleaseValue(value);
}

#endif /* BENCH_BARE_ONNX_H */
