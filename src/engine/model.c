/*
 * model.c
 *		A registered model, loaded when it is first needed and shared by every
 *		camera of the engine.
 */
#include "model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

/* A file that was missing may have been put there since. */
#define RETRY_US (60 * CLOCK_SECOND)

struct Model
{
	atomic_int references;
	ModelConfig *config;

	pthread_mutex_t loading; /* held while the weights are read */
	Detector *detector;
	char reason[256]; /* why the last attempt failed */
	int64_t retry_us;

	pthread_mutex_t lock; /* never held for long: for the heartbeat */
	char runtime[MODEL_RUNTIME_TEXT];
};

ModelSpec
model_spec(const ModelConfig *config)
{
	return (ModelSpec){.name = config->name,
					   .kind = config->kind,
					   .path = config->path,
					   .runtime = config->runtime,
					   .input_width = config->input_width,
					   .input_height = config->input_height,
					   .labels = (const char *const *) config->labels.items,
					   .nlabels = config->labels.count,
					   .min_confidence = config->min_confidence,
					   .nms_iou = config->nms_iou,
					   .options = &config->options};
}

Model *
model_create(ModelConfig *config)
{
	Model *model = calloc(1, sizeof(*model));

	if (model == NULL)
		return NULL;
	model->references = 1;
	model->config = model_config_ref(config);
	pthread_mutex_init(&model->loading, NULL);
	pthread_mutex_init(&model->lock, NULL);
	return model;
}

Model *
model_ref(Model *model)
{
	model->references++;
	return model;
}

void
model_unref(Model *model)
{
	if (model == NULL || --model->references > 0)
		return;
	if (model->detector != NULL)
		detector_close(model->detector);
	model_config_unref(model->config);
	pthread_mutex_destroy(&model->lock);
	pthread_mutex_destroy(&model->loading);
	free(model);
}

bool
model_is_shared(const Model *model)
{
	return model->references > 1;
}

const ModelConfig *
model_config(const Model *model)
{
	return model->config;
}

static void
load(Model *model)
{
	const ModelConfig *config = model->config;
	ModelSpec spec = model_spec(config);
	int64_t start_us = clock_monotonic_us();

	model->detector = detector_open(&spec, model->reason, sizeof(model->reason));
	if (model->detector == NULL)
	{
		log_error("%s", model->reason);
		model->retry_us = clock_monotonic_us() + RETRY_US;
		return;
	}
	pthread_mutex_lock(&model->lock);
	snprintf(model->runtime, sizeof(model->runtime), "%s", detector_runtime(model->detector));
	pthread_mutex_unlock(&model->lock);
	log_info("model %s loaded into %s in %d ms", config->name, detector_runtime(model->detector),
			 (int) ((clock_monotonic_us() - start_us) / 1000));
}

Detector *
model_detector(Model *model, char *reason, size_t reason_size)
{
	Detector *detector;

	pthread_mutex_lock(&model->loading);
	if (model->detector == NULL && clock_monotonic_us() >= model->retry_us)
		load(model);
	detector = model->detector;
	if (detector == NULL)
		snprintf(reason, reason_size, "%s", model->reason);
	pthread_mutex_unlock(&model->loading);
	return detector;
}

void
model_trim(Model *model)
{
	Detector *detector;

	/* While it is being loaded there is nothing to trim. */
	if (pthread_mutex_trylock(&model->loading) != 0)
		return;
	detector = model->detector;
	pthread_mutex_unlock(&model->loading);
	if (detector != NULL)
		detector_trim(detector);
}

void
model_runtime(Model *model, char runtime[MODEL_RUNTIME_TEXT])
{
	pthread_mutex_lock(&model->lock);
	memcpy(runtime, model->runtime, MODEL_RUNTIME_TEXT);
	pthread_mutex_unlock(&model->lock);
}
