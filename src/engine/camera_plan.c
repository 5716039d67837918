/*
 * camera_plan.c
 *		What one camera should do: its configuration with its models at hand.
 */
#include "camera_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

CameraPlan *
camera_plan_create(CameraConfig *config, Model *const *models, int nmodels)
{
	CameraPlan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL)
		return NULL;
	plan->references = 1;
	plan->config = camera_config_ref(config);
	for (int i = 0; i < config->models.count; i++)
	{
		const char *name = config->models.items[i];
		int found = 0;

		while (found < nmodels && strcmp(model_config(models[found])->name, name) != 0)
			found++;
		if (found < nmodels)
			plan->models[plan->nmodels++] = model_ref(models[found]);
		else
			snprintf(plan->problem, sizeof(plan->problem), "model %s is not registered", name);
	}
	return plan;
}

CameraPlan *
camera_plan_ref(CameraPlan *plan)
{
	plan->references++;
	return plan;
}

void
camera_plan_unref(CameraPlan *plan)
{
	if (plan == NULL || --plan->references > 0)
		return;
	for (int i = 0; i < plan->nmodels; i++)
		model_unref(plan->models[i]);
	camera_config_unref(plan->config);
	free(plan);
}

bool
camera_plan_same_models(const CameraPlan *a, const CameraPlan *b)
{
	return a->nmodels == b->nmodels &&
		   memcmp(a->models, b->models, a->nmodels * sizeof(a->models[0])) == 0;
}

bool
camera_plan_equal(const CameraPlan *a, const CameraPlan *b)
{
	return camera_config_equal(a->config, b->config) && camera_plan_same_models(a, b) &&
		   strcmp(a->problem, b->problem) == 0;
}

bool
camera_plan_wants(const CameraPlan *plan, const char *label)
{
	const StringList *labels = &plan->config->labels;

	if (plan->config->all_labels)
		return true;
	for (int i = 0; i < labels->count; i++)
		if (strcmp(labels->items[i], label) == 0)
			return true;
	return false;
}

void
camera_plan_runtime(const CameraPlan *plan, char *runtime, size_t size)
{
	size_t used = 0;

	runtime[0] = '\0';
	for (int i = 0; i < plan->nmodels && used < size; i++)
	{
		char text[MODEL_RUNTIME_TEXT];

		model_runtime(plan->models[i], text);
		if (text[0] != '\0')
			used += snprintf(runtime + used, size - used, "%s%s: %s", used > 0 ? ", " : "",
							 model_config(plan->models[i])->name, text);
	}
}

bool
camera_plan_unpaced(const CameraPlan *plan)
{
	UrlKind kind;
	char reason[128];

	return !plan->config->realtime && plan->config->url != NULL &&
		   url_classify(plan->config->url, &kind, reason, sizeof(reason)) && kind == URL_FILE;
}
