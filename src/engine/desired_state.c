/*
 * desired_state.c
 *		The document that says everything that should be so (docs/protocol.md),
 *		read and checked.
 */
#define _GNU_SOURCE
#include "desired_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <libavutil/buffer.h>

#include "clock.h"
#include "detector_kind.h"
#include "json_reader.h"
#include "network.h"
#include "polygon_json.h"
#include "url.h"

#define MAX_NAME 255
#define MAX_CAMERA_NAME 512 /* 128 characters */
#define MAX_LABEL 63
#define MAX_URL 4096
#define MAX_PATH 4096
#define MAX_SOURCE_PATHS 64

static void
read_settings(JsonReader *reader, Settings *settings)
{
	char *level = reader_string(reader, "log_level", MAX_NAME, "info");

	settings->models_dir = reader_string(reader, "models_dir", MAX_PATH, CCTV_MODELS_DIR);
	settings->media_dir = reader_string(reader, "media_dir", MAX_PATH, NULL);
	reader_strings(reader, "source_paths", MAX_SOURCE_PATHS, MAX_PATH, &settings->source_paths);
	settings->any_network = reader_value(reader, "allowed_networks") == NULL;
	reader_strings(reader, "allowed_networks", CCTV_MAX_NETWORKS, CCTV_NETWORK_TEXT,
				   &settings->allowed_networks);
	settings->detector_threads = reader_integer(reader, "detector_threads", 0, 256, 0);
	settings->stall_timeout = reader_number(reader, "stall_timeout", 0.1, 3600, 10);
	settings->sandbox = reader_bool(reader, "sandbox", true);
	settings->memory_limit = reader_integer(reader, "memory_limit", 0, INT64_MAX, 0);
	settings->nice = reader_integer(reader, "nice", 0, 19, 5);
	settings->segment_duration = reader_number(reader, "segment_duration", 1, 86400, 60);
	settings->log_level = LOG_LEVEL_INFO;
	if (level != NULL && !log_level_parse(level, &settings->log_level))
		reader_complain(reader, "log_level must be error, warning, info or debug");
	free(level);
}

/* The file of a model: below models_dir, never elsewhere by "..". */
static char *
model_path(JsonReader *reader, const char *kind, const char *models_dir)
{
	const KindTraits *traits = kind != NULL ? find_kind_traits(kind) : NULL;
	char *file = reader_string(reader, "file", MAX_PATH, NULL);
	char *path = NULL;

	/* Of no kind, or an unknown one: that is said first. */
	if (file == NULL && (traits == NULL || traits->no_file))
		return NULL;
	if (file == NULL || *file == '\0' || *file == '/' || strcmp(file, "..") == 0 ||
		strncmp(file, "../", 3) == 0 || strstr(file, "/..") != NULL)
		reader_complain(reader, "file must be a path relative to the models' directory");
	else if (asprintf(&path, "%s/%s", models_dir, file) < 0)
		path = NULL;
	if (path == NULL)
		reader_complain(reader, "out of memory");
	free(file);
	return path;
}

ModelConfig *
model_config_read(json_t *object, const char *models_dir, char *error, size_t error_size)
{
	JsonReader reader = {.object = object};
	ModelConfig *model = calloc(1, sizeof(*model));
	char reason[128];

	if (model == NULL)
	{
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	model->references = 1;
	model->name = reader_string(&reader, "name", MAX_LABEL, NULL);
	model->kind = reader_string(&reader, "kind", MAX_LABEL, NULL);
	model->runtime = reader_string(&reader, "runtime", MAX_LABEL, "auto");
	model->path = model_path(&reader, model->kind, models_dir);
	model->input_width = reader_integer(&reader, "input_width", 0, 4096, 0);
	model->input_height = reader_integer(&reader, "input_height", 0, 4096, 0);
	reader_strings(&reader, "labels", CAMERA_MAX_LABELS, MAX_LABEL, &model->labels);
	model->min_confidence = reader_number(&reader, "min_confidence", 0, 1, 0.3);
	model->nms_iou = reader_number(&reader, "nms_iou", 0, 1, 0.5);
	if (model->name == NULL || model->kind == NULL || model->labels.count == 0)
		reader_complain(&reader, "name, kind and labels are needed");
	else if (!model_options_read(reader_value(&reader, "options"), model->kind, &model->options,
								 reason, sizeof(reason)))
		reader_complain(&reader, "%s", reason);
	if (reader.problem == NULL)
		return model;
	snprintf(error, error_size, "%s", reader.problem);
	free(reader.problem);
	model_config_unref(model);
	return NULL;
}

/*
 * Which stream, and whose credentials: those in its URL count if the fields have
 * none.
 */
static void
read_source(JsonReader *reader, const char *source, const char *username_key,
			const char *password_key, CameraConfig *camera)
{
	char *username = NULL;
	char *password = NULL;
	char reason[256];
	UrlKind kind;

	camera->username = reader_string(reader, username_key, MAX_NAME, NULL);
	camera->password = reader_string(reader, password_key, MAX_NAME, NULL);
	if (source == NULL)
		reader_complain(reader, "it has no url");
	else if (!url_take_credentials(source, &camera->url, &username, &password))
		reader_complain(reader, "out of memory");
	else if (!url_classify(camera->url, &kind, reason, sizeof(reason)))
		reader_complain(reader, "%s", reason);
	if (camera->username == NULL && username != NULL)
	{
		free(camera->password);
		camera->username = username;
		camera->password = password;
		username = password = NULL;
	}
	free(username);
	free(password);
}

/* With a stream to analyse, the main one is only recorded. */
static void
read_url(JsonReader *reader, CameraConfig *camera)
{
	char *url = reader_string(reader, "url", MAX_URL, NULL);
	char *detect_url = reader_string(reader, "detect_url", MAX_URL, NULL);

	read_source(reader, detect_url != NULL ? detect_url : url, "username", "password", camera);
	camera->sound = detect_url == NULL;
	if (detect_url != NULL && url != NULL)
	{
		CameraConfig *recorded = calloc(1, sizeof(*recorded));

		camera->recorded = recorded;
		if (recorded == NULL)
			reader_complain(reader, "out of memory");
		else
		{
			recorded->references = 1;
			recorded->camera_id = camera->camera_id;
			recorded->sound = true;
			read_source(reader, url, "record_username", "record_password", recorded);
		}
	}
	free(url);
	free(detect_url);
}

static void
read_stream(JsonReader *reader, CameraConfig *camera)
{
	char *transport = reader_string(reader, "rtsp_transport", MAX_NAME, "tcp");
	char *start = reader_string(reader, "file_start", MAX_NAME, NULL);

	read_url(reader, camera);
	camera->run = reader_integer(reader, "run", INT64_MIN, INT64_MAX, 0);
	if (transport != NULL && strcmp(transport, "tcp") != 0 && strcmp(transport, "udp") != 0)
		reader_complain(reader, "rtsp_transport must be tcp or udp");
	camera->udp = transport != NULL && strcmp(transport, "udp") == 0;
	if (camera->recorded != NULL)
		camera->recorded->udp = camera->udp;
	camera->realtime = reader_bool(reader, "realtime", true);
	camera->loop = reader_bool(reader, "loop", false);
	camera->has_file_start = start != NULL;
	if (start != NULL && !clock_parse(start, &camera->file_start_us))
		reader_complain(reader, "file_start must be a time such as 2026-11-20T06:00:00Z");
	free(transport);
	free(start);
}

/* idle_decode: full or keyframes. */
static bool
read_idle_keyframes(JsonReader *reader)
{
	char *name = reader_string(reader, "idle_decode", MAX_NAME, "full");
	bool keyframes = name != NULL && strcmp(name, "keyframes") == 0;

	if (name != NULL && !keyframes && strcmp(name, "full") != 0)
		reader_complain(reader, "idle_decode must be full or keyframes");
	free(name);
	return keyframes;
}

/* An absent limit is none. */
static void
read_filter(JsonReader *reader, ObjectFilter *filter)
{
	filter->min_area = reader_number(reader, "min_area", 0, 1, 0);
	filter->max_area = reader_number(reader, "max_area", 0, 1, INFINITY);
	filter->min_aspect = reader_number(reader, "min_aspect", 0, 1000, 0);
	filter->max_aspect = reader_number(reader, "max_aspect", 0, 1000, INFINITY);
}

static bool
filters_equal(const ObjectFilter *a, const ObjectFilter *b)
{
	return a->min_area == b->min_area && a->max_area == b->max_area &&
		   a->min_aspect == b->min_aspect && a->max_aspect == b->max_aspect;
}

static void
read_detection(JsonReader *reader, CameraConfig *camera)
{
	camera->detect = reader_bool(reader, "detect", true);
	camera->detect_fps = reader_number(reader, "detect_fps", 0.01, 240, 5);
	camera->idle_keyframes = read_idle_keyframes(reader);
	reader_strings(reader, "models", CAMERA_MAX_MODELS, MAX_LABEL, &camera->models);
	camera->all_labels = reader_value(reader, "labels") == NULL;
	reader_strings(reader, "labels", CAMERA_MAX_LABELS, MAX_LABEL, &camera->labels);
	camera->min_confidence = reader_number(reader, "min_confidence", 0, 1, 0.5);
	camera->median_confidence = reader_number(reader, "median_confidence", 0, 1, 0);
	read_filter(reader, &camera->filter);
	camera->motion.threshold = reader_integer(reader, "motion_threshold", 1, 255, 20);
	camera->motion.min_area = reader_number(reader, "motion_min_area", 0, 1, 0.0005);
	camera->snapshots = reader_bool(reader, "snapshots", true);
	camera->snapshots_annotated = reader_bool(reader, "snapshot_annotated", true);
}

/* An absent key gives an empty list. */
static void
read_polygons(JsonReader *reader, const char *key, PolygonList *list)
{
	const char *problem = polygons_from_json(reader_value(reader, key), CAMERA_MAX_POLYGONS, list);

	if (problem != NULL)
		reader_complain(reader, "%s %s", key, problem);
}

static RecordMode
read_record_mode(JsonReader *reader)
{
	static const char *const names[] = {"off", "continuous", "motion", "alerts"};
	char *name = reader_string(reader, "record", MAX_NAME, "off");
	RecordMode mode = RECORD_MODE_OFF;

	while (name != NULL && mode <= RECORD_MODE_ALERTS && strcmp(name, names[mode]) != 0)
		mode++;
	free(name);
	if (mode <= RECORD_MODE_ALERTS)
		return mode;
	reader_complain(reader, "record must be off, continuous, motion or alerts");
	return RECORD_MODE_OFF;
}

static void
read_recording(JsonReader *reader, RecordSettings *record)
{
	record->mode = read_record_mode(reader);
	record->pre_roll_us = (int64_t) (reader_number(reader, "pre_roll", 0, 60, 5) * CLOCK_SECOND);
	record->post_roll_us =
		(int64_t) (reader_number(reader, "post_roll", 0, 600, 10) * CLOCK_SECOND);
	record->manual = reader_bool(reader, "record_manual", false);
	record->scheduled = reader_bool(reader, "record_scheduled", false);
	record->alert_from_us = reader_time(reader, "record_alert_from");
	record->alert_until_us = reader_time(reader, "record_alert_until");
}

/* The credentials in the URL count if the fields have none. */
static void
read_publishing(JsonReader *reader, CameraConfig *camera)
{
	char *url = reader_string(reader, "publish_url", MAX_URL, NULL);
	char *username = NULL;
	char *password = NULL;

	camera->publish_username = reader_string(reader, "publish_username", MAX_NAME, NULL);
	camera->publish_password = reader_string(reader, "publish_password", MAX_NAME, NULL);
	camera->publish_annotated = reader_bool(reader, "publish_annotated", true);
	if (url != NULL && !url_take_credentials(url, &camera->publish_url, &username, &password))
		reader_complain(reader, "out of memory");
	if (camera->publish_username == NULL && camera->publish_password == NULL)
	{
		camera->publish_username = username;
		camera->publish_password = password;
		username = password = NULL;
	}
	free(username);
	free(password);
	free(url);
}

/* NULL, with a log line, when it is not even known which camera is meant. */
static CameraConfig *
read_camera(json_t *object)
{
	JsonReader reader = {.object = object};
	CameraConfig *camera = calloc(1, sizeof(*camera));

	if (camera == NULL)
		return NULL;
	camera->references = 1;
	camera->camera_id = reader_integer(&reader, "camera_id", 1, INT32_MAX, 0);
	if (camera->camera_id == 0)
	{
		log_warning("a camera without a camera_id is left out");
		free(reader.problem);
		free(camera);
		return NULL;
	}
	camera->name = reader_string(&reader, "name", MAX_CAMERA_NAME, NULL);
	read_stream(&reader, camera);
	read_detection(&reader, camera);
	read_polygons(&reader, "masks", &camera->masks);
	read_polygons(&reader, "privacy", &camera->privacy);
	read_polygons(&reader, "watched", &camera->watched);
	read_recording(&reader, &camera->record);
	read_publishing(&reader, camera);
	camera->problem = reader.problem;
	return camera;
}

static void
read_models(DesiredState *state, json_t *array)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		char reason[256];
		const char *name = json_string_value(json_object_get(item, "name"));
		ModelConfig *model =
			model_config_read(item, state->settings.models_dir, reason, sizeof(reason));

		if (model != NULL)
			state->models[state->nmodels++] = model;
		else
			log_warning("model %s is left out: %s", name != NULL ? name : "without a name", reason);
	}
}

static void
read_cameras(DesiredState *state, json_t *array)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		CameraConfig *camera = read_camera(item);

		for (int j = 0; camera != NULL && j < state->ncameras; j++)
		{
			if (state->cameras[j]->camera_id == camera->camera_id)
			{
				log_warning("camera %d is described twice: the first counts", camera->camera_id);
				camera_config_unref(camera);
				camera = NULL;
			}
		}
		if (camera != NULL)
			state->cameras[state->ncameras++] = camera;
	}
}

DesiredState *
desired_state_parse(const char *text, size_t length, char *error, size_t error_size)
{
	DesiredState *state = calloc(1, sizeof(*state));
	json_error_t parse_error;
	json_t *document = json_loadb(text, length, 0, &parse_error);
	JsonReader settings = {.object = json_object_get(document, "settings")};
	json_t *models = json_object_get(document, "models");
	json_t *cameras = json_object_get(document, "cameras");

	if (state != NULL)
	{
		state->models = calloc(json_array_size(models) + 1, sizeof(*state->models));
		state->cameras = calloc(json_array_size(cameras) + 1, sizeof(*state->cameras));
	}
	if (state == NULL || state->models == NULL || state->cameras == NULL)
		snprintf(error, error_size, "out of memory");
	else if (document == NULL)
		/* jansson's message may quote the text, and with it a secret. */
		snprintf(error, error_size, "not JSON: line %d, column %d", parse_error.line,
				 parse_error.column);
	else if (!json_is_object(document))
		snprintf(error, error_size, "not a JSON object");
	else
	{
		read_settings(&settings, &state->settings);
		if (settings.problem == NULL)
		{
			read_models(state, models);
			read_cameras(state, cameras);
			json_decref(document);
			return state;
		}
		snprintf(error, error_size, "settings: %s", settings.problem);
	}
	free(settings.problem);
	desired_state_free(state);
	json_decref(document);
	return NULL;
}

void
desired_state_free(DesiredState *state)
{
	if (state == NULL)
		return;
	for (int i = 0; i < state->nmodels; i++)
		model_config_unref(state->models[i]);
	for (int i = 0; i < state->ncameras; i++)
		camera_config_unref(state->cameras[i]);
	free(state->models);
	free(state->cameras);
	free(state->settings.models_dir);
	free(state->settings.media_dir);
	string_list_free(&state->settings.source_paths);
	string_list_free(&state->settings.allowed_networks);
	free(state);
}

CameraConfig *
camera_config_ref(CameraConfig *config)
{
	config->references++;
	return config;
}

void
camera_config_unref(CameraConfig *config)
{
	if (config == NULL || --config->references > 0)
		return;
	camera_config_unref(config->recorded);
	free(config->problem);
	free(config->name);
	free(config->url);
	free(config->username);
	free(config->password);
	string_list_free(&config->models);
	string_list_free(&config->labels);
	av_buffer_unref(&config->masks.buffer);
	av_buffer_unref(&config->privacy.buffer);
	av_buffer_unref(&config->watched.buffer);
	free(config->publish_url);
	free(config->publish_username);
	free(config->publish_password);
	free(config);
}

ModelConfig *
model_config_ref(ModelConfig *config)
{
	config->references++;
	return config;
}

void
model_config_unref(ModelConfig *config)
{
	if (config == NULL || --config->references > 0)
		return;
	free(config->name);
	free(config->kind);
	free(config->path);
	free(config->runtime);
	string_list_free(&config->labels);
	free(config);
}

static bool
strings_equal(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_recorded(const CameraConfig *a, const CameraConfig *b)
{
	return a == b || (a != NULL && b != NULL && camera_config_same_stream(a, b));
}

static bool
record_settings_equal(const RecordSettings *a, const RecordSettings *b)
{
	return a->mode == b->mode && a->pre_roll_us == b->pre_roll_us &&
		   a->post_roll_us == b->post_roll_us && a->manual == b->manual &&
		   a->scheduled == b->scheduled && a->alert_from_us == b->alert_from_us &&
		   a->alert_until_us == b->alert_until_us;
}

bool
camera_config_same_stream(const CameraConfig *a, const CameraConfig *b)
{
	return a->run == b->run && a->sound == b->sound && same_recorded(a->recorded, b->recorded) &&
		   strings_equal(a->problem, b->problem) && strings_equal(a->url, b->url) &&
		   strings_equal(a->username, b->username) && strings_equal(a->password, b->password) &&
		   a->udp == b->udp && a->realtime == b->realtime && a->loop == b->loop &&
		   a->has_file_start == b->has_file_start && a->file_start_us == b->file_start_us;
}

bool
camera_config_equal(const CameraConfig *a, const CameraConfig *b)
{
	return camera_config_same_stream(a, b) && strings_equal(a->name, b->name) &&
		   a->detect == b->detect && a->detect_fps == b->detect_fps &&
		   a->idle_keyframes == b->idle_keyframes && string_list_equal(&a->models, &b->models) &&
		   a->all_labels == b->all_labels && string_list_equal(&a->labels, &b->labels) &&
		   a->min_confidence == b->min_confidence && a->median_confidence == b->median_confidence &&
		   filters_equal(&a->filter, &b->filter) && a->motion.threshold == b->motion.threshold &&
		   a->motion.min_area == b->motion.min_area && a->snapshots == b->snapshots &&
		   a->snapshots_annotated == b->snapshots_annotated &&
		   polygons_equal(&a->masks, &b->masks) && polygons_equal(&a->privacy, &b->privacy) &&
		   polygons_equal(&a->watched, &b->watched) &&
		   record_settings_equal(&a->record, &b->record) && camera_config_same_publishing(a, b);
}

bool
camera_config_same_publishing(const CameraConfig *a, const CameraConfig *b)
{
	return strings_equal(a->publish_url, b->publish_url) &&
		   strings_equal(a->publish_username, b->publish_username) &&
		   strings_equal(a->publish_password, b->publish_password) &&
		   a->publish_annotated == b->publish_annotated;
}

bool
model_config_equal(const ModelConfig *a, const ModelConfig *b)
{
	return strings_equal(a->name, b->name) && strings_equal(a->kind, b->kind) &&
		   strings_equal(a->path, b->path) && strings_equal(a->runtime, b->runtime) &&
		   a->input_width == b->input_width && a->input_height == b->input_height &&
		   string_list_equal(&a->labels, &b->labels) && a->min_confidence == b->min_confidence &&
		   a->nms_iou == b->nms_iou && model_options_equal(&a->options, &b->options);
}
