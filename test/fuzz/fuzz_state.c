/* The desired state, as a worker sends it: any bytes. */
#include "fuzz.h"

#include <math.h>

#include "desired_state.h"
#include "log.h"
#include "network_guard.h"

static void
drop(void *arg, LogLevel level, int camera_id, const char *message)
{
}

static void
check_camera(const CameraConfig *camera)
{
	CHECK(camera->camera_id > 0);
	CHECK(camera_config_equal(camera, camera));
	CHECK(camera_config_same_stream(camera, camera));
	if (camera->problem != NULL)
		return;
	CHECK(camera->url != NULL);
	CHECK(isfinite(camera->detect_fps) && camera->detect_fps > 0);
	CHECK(camera->min_confidence >= 0 && camera->min_confidence <= 1);
	CHECK(camera->record.pre_roll_us >= 0 && camera->record.post_roll_us >= 0);
	for (int i = 0; i < camera->masks.count; i++)
		polygons_contain(&camera->masks, (Point){0.5f, 0.5f});
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[256] = "";
	DesiredState *state;

	log_set_sink(drop, NULL);
	state = desired_state_parse((const char *) data, size, reason, sizeof(reason));
	CHECK(state != NULL || reason[0] != '\0');
	if (state == NULL)
		return 0;
	for (int i = 0; i < state->ncameras; i++)
	{
		check_camera(state->cameras[i]);
		for (int j = 0; j < i; j++)
			CHECK(state->cameras[i]->camera_id != state->cameras[j]->camera_id);
	}
	for (int i = 0; i < state->nmodels; i++)
	{
		CHECK(model_config_equal(state->models[i], state->models[i]));
		CHECK(state->models[i]->path == NULL || strstr(state->models[i]->path, "/../") == NULL);
	}
	network_guard_set(&state->settings, reason, sizeof(reason));
	desired_state_free(state);
	return 0;
}
