/*
 * fleet.c
 *		The engine's cameras: what runs is made to follow what should.
 */
#include "fleet.h"

#include <stdlib.h>

#include "log.h"

/* A camera that should run, runs, or is on its way out. */
typedef struct Berth
{
	int camera_id;
	CameraPlan *plan; /* NULL: it should be gone */
	Camera *camera;	  /* NULL: not started yet, or ended */
	bool leaving;	  /* has been asked to stop */
} Berth;

struct Fleet
{
	CameraWorld *world;
	Model **models;
	int nmodels;
	Berth *berths;
	int nberths;
};

Fleet *
fleet_create(CameraWorld *world)
{
	Fleet *fleet = calloc(1, sizeof(*fleet));

	if (fleet != NULL)
		fleet->world = world;
	return fleet;
}

static void
release_models(Model **models, int nmodels)
{
	for (int i = 0; i < nmodels; i++)
		model_unref(models[i]);
	free(models);
}

void
fleet_free(Fleet *fleet)
{
	if (fleet == NULL)
		return;
	release_models(fleet->models, fleet->nmodels);
	free(fleet->berths);
	free(fleet);
}

/* Take over the document's models, keeping those that are as they were loaded. */
static bool
follow_models(Fleet *fleet, const DesiredState *state)
{
	Model **models = calloc(state->nmodels + 1, sizeof(*models));
	int nmodels = 0;

	while (models != NULL && nmodels < state->nmodels &&
		   (models[nmodels] = model_cache_get(fleet->world->models, state->models[nmodels])) !=
			   NULL)
		nmodels++;
	if (models == NULL || nmodels < state->nmodels)
	{
		release_models(models, nmodels);
		return false;
	}
	release_models(fleet->models, fleet->nmodels);
	fleet->models = models;
	fleet->nmodels = nmodels;
	return true;
}

/* The camera's berth, a new one if need be; NULL when out of memory. */
static Berth *
find_berth(Fleet *fleet, int id)
{
	Berth *grown;

	for (int i = 0; i < fleet->nberths; i++)
		if (fleet->berths[i].camera_id == id)
			return &fleet->berths[i];
	grown = realloc(fleet->berths, (fleet->nberths + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	fleet->berths = grown;
	grown[fleet->nberths] = (Berth){.camera_id = id};
	return &grown[fleet->nberths++];
}

static void
set_plan(Berth *berth, CameraPlan *plan)
{
	camera_plan_unref(berth->plan);
	berth->plan = plan;
}

void
fleet_follow(Fleet *fleet, const DesiredState *state)
{
	if (!follow_models(fleet, state))
	{
		log_error("the desired state is not followed: out of memory");
		return;
	}
	for (int i = 0; i < fleet->nberths; i++)
	{
		bool wanted = false;

		for (int j = 0; j < state->ncameras; j++)
			wanted |= state->cameras[j]->camera_id == fleet->berths[i].camera_id;
		if (!wanted)
			set_plan(&fleet->berths[i], NULL);
	}
	for (int i = 0; i < state->ncameras; i++)
	{
		Berth *berth = find_berth(fleet, state->cameras[i]->camera_id);
		CameraPlan *plan = NULL;

		if (berth != NULL)
			plan = camera_plan_create(state->cameras[i], fleet->models, fleet->nmodels);
		if (plan != NULL)
			set_plan(berth, plan);
		else
			log_error("camera %d is not followed: out of memory", state->cameras[i]->camera_id);
	}
	fleet_tend(fleet);
}

/* A camera whose thread may still run: is it as it should be? */
static void
steer(Berth *berth)
{
	if (berth->leaving)
		return;
	if (berth->plan == NULL ||
		!camera_config_same_stream(camera_plan(berth->camera)->config, berth->plan->config))
	{
		/* A restart is not announced as a stop. */
		camera_stop(berth->camera, berth->plan == NULL);
		berth->leaving = true;
	}
	else if (!camera_plan_equal(camera_plan(berth->camera), berth->plan))
		camera_configure(berth->camera, berth->plan);
}

/* Returns false when the berth is of no more use. */
static bool
tend(Fleet *fleet, Berth *berth)
{
	if (berth->camera != NULL)
		steer(berth);
	if (berth->camera != NULL && berth->leaving && camera_done(berth->camera))
	{
		camera_free(berth->camera);
		berth->camera = NULL;
		berth->leaving = false;
	}
	if (berth->camera == NULL && berth->plan != NULL)
		berth->camera = camera_start(fleet->world, berth->plan);
	return berth->camera != NULL || berth->plan != NULL;
}

void
fleet_tend(Fleet *fleet)
{
	for (int i = 0; i < fleet->nberths; i++)
		if (!tend(fleet, &fleet->berths[i]))
			fleet->berths[i--] = fleet->berths[--fleet->nberths];
}

void
fleet_stop(Fleet *fleet)
{
	for (int i = 0; i < fleet->nberths; i++)
		set_plan(&fleet->berths[i], NULL);
	fleet_tend(fleet);
}

void
fleet_report_stats(Fleet *fleet)
{
	for (int i = 0; i < fleet->nberths; i++)
		if (fleet->berths[i].camera != NULL)
			camera_report_stats(fleet->berths[i].camera);
}

int
fleet_size(const Fleet *fleet)
{
	return fleet->nberths;
}

int
fleet_ended(const Fleet *fleet)
{
	int ended = 0;

	for (int i = 0; i < fleet->nberths; i++)
		if (fleet->berths[i].camera != NULL && camera_done(fleet->berths[i].camera))
			ended++;
	return ended;
}

static bool
failing(const Camera *camera)
{
	CameraState state = camera_state(camera);

	return state == CAMERA_ERROR || state == CAMERA_RECONNECTING;
}

int
fleet_failures(const Fleet *fleet)
{
	int failures = 0;

	for (int i = 0; i < fleet->nberths; i++)
		if (fleet->berths[i].camera != NULL && failing(fleet->berths[i].camera))
			failures++;
	return failures;
}

int
fleet_hung(Fleet *fleet)
{
	for (int i = 0; i < fleet->nberths; i++)
		if (fleet->berths[i].camera != NULL && camera_hangs(fleet->berths[i].camera))
			return fleet->berths[i].camera_id;
	return 0;
}

void
fleet_runtime(const Fleet *fleet, char runtime[MODEL_RUNTIME_TEXT])
{
	runtime[0] = '\0';
	for (int i = 0; i < fleet->nmodels && runtime[0] == '\0'; i++)
		model_runtime(fleet->models[i], runtime);
}
