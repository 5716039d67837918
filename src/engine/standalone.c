/*
 * standalone.c
 *		The desired state of an engine that somebody runs by hand.
 */
#include "standalone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "protocol.h"
#include "url.h"

/* The model that cctv.models is shipped with. */
static const char default_models[] =
	"[{\"name\": \"objects\", \"kind\": \"efficientdet\", \"file\": \"efficientdet-lite1.onnx\","
	" \"input_width\": 384, \"input_height\": 384, \"min_confidence\": 0.3, \"nms_iou\": 0.5,"
	" \"labels\": [\"person\", \"bicycle\", \"car\", \"motorcycle\", \"bus\", \"truck\","
	" \"bird\", \"cat\", \"dog\"]}]";

/* The document that config names; an empty one when it names none. */
static json_t *
load_config(const char *config, char *reason, size_t reason_size)
{
	json_error_t error;
	json_t *document;

	if (config == NULL)
		return json_object();
	if (*config == '{')
		document = json_loads(config, 0, &error);
	else if (strcmp(config, "-") == 0)
		document = json_loadf(stdin, 0, &error);
	else
		document = json_load_file(config, 0, &error);
	/* jansson's message may quote the text, and with it a secret. */
	if (document == NULL && error.line > 0)
		snprintf(reason, reason_size, "--config: not JSON at line %d, column %d", error.line,
				 error.column);
	else if (document == NULL)
		snprintf(reason, reason_size, "--config: %s cannot be read", config);
	else if (!json_is_object(document))
	{
		snprintf(reason, reason_size, "--config: not a JSON object");
		json_decref(document);
		document = NULL;
	}
	return document;
}

/* The value of a key, made if it is missing. */
static json_t *
member(json_t *object, const char *key, json_t *(*make)(void) )
{
	json_t *value = json_object_get(object, key);

	if (value == NULL)
	{
		value = make();
		json_object_set_new(object, key, value);
	}
	return value;
}

static void
set_default(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key) == NULL)
		json_object_set(object, key, value);
	json_decref(value);
}

static void
set_string(json_t *object, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(object, key, json_string(value));
}

/* The engine wants absolute paths; people type relative ones. */
static json_t *
absolute_url(const char *url)
{
	char *path = strstr(url, "://") == NULL ? realpath(url_path(url), NULL) : NULL;
	json_t *value = json_string(path != NULL ? path : url);

	free(path);
	return value;
}

static void
complete_settings(json_t *document, const StandaloneOptions *options)
{
	json_t *settings = member(document, "settings", json_object);

	set_default(settings, "nice", json_integer(0));
	set_default(settings, "sandbox", json_false());
	set_string(settings, "models_dir", options->models_dir);
	set_string(settings, "media_dir", options->media_dir);
	set_string(settings, "log_level", options->log_level);
	if (options->sandbox)
		json_object_set_new(settings, "sandbox", json_true());
	set_default(document, "models", json_loads(default_models, 0, NULL));
}

static void
complete_camera(json_t *camera, size_t index, const StandaloneOptions *options,
				json_t *source_paths)
{
	const char *url;
	UrlKind kind;
	char reason[128];

	set_default(camera, "camera_id", json_integer(index + 1));
	set_default(camera, "models", json_pack("[s]", "objects"));
	set_default(camera, "labels", json_pack("[s]", "person"));
	if (index == 0 && options->url != NULL)
		json_object_set_new(camera, "url", absolute_url(options->url));
	if (options->once)
	{
		json_object_set_new(camera, "realtime", json_false());
		json_object_set_new(camera, "loop", json_false());
	}
	/* What is named by hand is allowed, in the sandbox too. */
	url = json_string_value(json_object_get(camera, "url"));
	if (url != NULL && url_classify(url, &kind, reason, sizeof(reason)) &&
		(kind == URL_FILE || kind == URL_DEVICE))
		json_array_append_new(source_paths, json_string(url_path(url)));
}

/* The document's cameras; without that key its other keys describe the one camera. */
static json_t *
cameras_of(json_t *document)
{
	json_t *cameras = json_object_get(document, "cameras");
	json_t *camera;

	if (cameras != NULL)
		return cameras;
	camera = json_copy(document);
	json_object_del(camera, "settings");
	json_object_del(camera, "models");
	json_object_set_new(document, "cameras", json_pack("[o]", camera));
	return json_object_get(document, "cameras");
}

static void
complete_cameras(json_t *document, const StandaloneOptions *options)
{
	json_t *cameras = cameras_of(document);
	json_t *source_paths =
		member(json_object_get(document, "settings"), "source_paths", json_array);
	json_t *camera;
	size_t i;

	json_array_foreach(cameras, i, camera) complete_camera(camera, i, options, source_paths);
}

DesiredState *
standalone_state(const StandaloneOptions *options, char *reason, size_t reason_size)
{
	json_t *document = load_config(options->config, reason, reason_size);
	DesiredState *state = NULL;
	char *text;

	if (document == NULL)
		return NULL;
	complete_settings(document, options);
	complete_cameras(document, options);
	text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	if (text == NULL)
	{
		snprintf(reason, reason_size, "out of memory");
		return NULL;
	}
	state = desired_state_parse(text, strlen(text), reason, reason_size);
	free(text);
	if (state != NULL && state->ncameras == 0)
	{
		snprintf(reason, reason_size, "--config: there is no camera in it");
		desired_state_free(state);
		state = NULL;
	}
	return state;
}
