/*
 * model_check.c
 *		A request: does a model load, and do its outputs fit its kind?
 */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Is the file there, and in the models' directory once links are followed?
 * Some kinds have none.
 */
static bool
is_in_place(Request *request, const ModelConfig *config)
{
	const char *name =
		json_string_value(json_object_get(json_object_get(request->arguments, "model"), "file"));
	char *file = config->path != NULL ? realpath(config->path, NULL) : NULL;
	int error = errno;
	char *directory = realpath(request->world->models_dir, NULL);
	size_t length = directory != NULL ? strlen(directory) : 0;
	bool inside =
		file != NULL && length > 0 && strncmp(file, directory, length) == 0 && file[length] == '/';

	if (config->path == NULL)
		inside = true;
	else if (file == NULL && error != EACCES)
		request_fail(request, CCTV_ERROR_UNKNOWN, "Put it below \"cctv.models_dir\".",
					 "model file \"%s\" cannot be read: %s", name, strerror(error));
	else if (!inside)
		request_fail(request, CCTV_ERROR_INVALID, "Put it below \"cctv.models_dir\".",
					 "model file \"%s\" lies outside the models' directory", name);
	free(file);
	free(directory);
	return inside;
}

/* Read the description into config and spec; the caller unrefs config. */
static bool
read_spec(Request *request, ModelConfig **config, ModelSpec *spec)
{
	char reason[256];

	*config = model_config_read(json_object_get(request->arguments, "model"),
								request->world->models_dir, reason, sizeof(reason));
	if (*config == NULL)
	{
		request_fail(request, CCTV_ERROR_INVALID, NULL, "the model makes no sense: %s", reason);
		return false;
	}
	*spec = model_spec(*config);
	return is_in_place(request, *config);
}

void
request_check_model(Request *request)
{
	ModelConfig *config;
	ModelSpec spec;
	Detector *detector;
	char reason[512];
	int width;
	int height;

	if (read_spec(request, &config, &spec))
	{
		detector = detector_open(&spec, reason, sizeof(reason));
		if (detector == NULL)
			request_fail(request, CCTV_ERROR_UNFIT, NULL, "%s", reason);
		else
		{
			detector_input_size(detector, &width, &height);
			request_answer(request,
						   json_pack("{s:i, s:i, s:s}", "input_width", width, "input_height",
									 height, "runtime", detector_runtime(detector)));
			detector_close(detector);
		}
	}
	model_config_unref(config);
}
