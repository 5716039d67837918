/*
 * frame_search.c
 *		One frame searched with every model of a camera.
 *
 * A model that looks within objects of a label (faces on persons) comes after
 * those that find them, and sees each enlarged from the full frame: what is too
 * small for its input in the whole frame is not in there.
 */
#include "frame_search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "detector_kind.h"
#include "log.h"
#include "region.h"

#define MAX_HOSTS DETECTOR_MAX_OBJECTS

/* Objects in which another model looks. */
typedef struct Hosts
{
	int n;
	struct
	{
		Box box;
		const char *label;
	} items[MAX_HOSTS];
} Hosts;

static bool
has_label(const ModelConfig *model, const char *label)
{
	for (int i = 0; i < model->labels.count; i++)
		if (strcmp(model->labels.items[i], label) == 0)
			return true;
	return false;
}

/* The label in whose objects a model looks, or NULL: no other model finds such. */
static const char *
host_label(const CameraPlan *plan, int index)
{
	const char *label = model_config(plan->models[index])->options.within;

	for (int i = 0; label[0] != '\0' && i < plan->nmodels; i++)
	{
		const ModelConfig *other = model_config(plan->models[i]);

		if (i != index && other->options.within[0] == '\0' && has_label(other, label))
			return label;
	}
	return NULL;
}

static const KindTraits *
traits_of(const CameraPlan *plan, int index)
{
	static const KindTraits unknown;
	const KindTraits *traits = find_kind_traits(model_config(plan->models[index])->kind);

	/* Then it cannot be loaded either. */
	return traits != NULL ? traits : &unknown;
}

/* The first model that may look at parts of the frame, or NULL. */
static const ModelConfig *
regional_model(const CameraPlan *plan)
{
	for (int i = 0; i < plan->nmodels; i++)
		if (!traits_of(plan, i)->whole_frame && host_label(plan, i) == NULL)
			return model_config(plan->models[i]);
	return NULL;
}

/* Where to search: in a part of the frame, or (false) everywhere. */
static bool
choose_part(const CameraPlan *plan, const SearchFrame *frame, Attention *attention,
			PixelRect *region)
{
	const ModelConfig *model = regional_model(plan);
	View view = {.width = frame->frame->width,
				 .height = frame->frame->height,
				 .at_us = frame->at_us,
				 .clusters = frame->clusters,
				 .nclusters = frame->nclusters,
				 .tracks = frame->tracks,
				 .ntracks = frame->ntracks};
	bool part = false;

	if (model != NULL)
	{
		view.input_width = model->input_width;
		view.input_height = model->input_height;
		part = !frame->whole && attention_choose(attention, &view, region);
	}
	attention_searched(attention, &view, part ? region : NULL);
	return part;
}

/*
 * Where to look within the hosts of a label.  When there are more than can be
 * looked at, others come first the next time.
 */
static int
host_regions(const CameraPlan *plan, int index, const SearchFrame *frame, const Hosts *hosts,
			 unsigned turn, PixelRect regions[DETECTOR_MAX_REGIONS])
{
	const KindTraits *traits = traits_of(plan, index);
	const ModelConfig *model = model_config(plan->models[index]);
	const char *label = host_label(plan, index);
	int width = frame->frame->width;
	int height = frame->frame->height;
	int nregions = 0;

	/* A face so near that it fills the frame has no person around it. */
	if (traits->faces)
		regions[nregions++] = (PixelRect){0, 0, width, height};
	for (int i = 0; i < hosts->n && nregions < DETECTOR_MAX_REGIONS; i++)
	{
		int host = (int) ((turn * DETECTOR_MAX_REGIONS + i) % hosts->n);

		if (strcmp(hosts->items[host].label, label) == 0 &&
			region_within(&hosts->items[host].box, traits->faces, width, height, model->input_width,
						  model->input_height, &regions[nregions]))
			nregions++;
	}
	return nregions;
}

/* Is an object of a size and shape that count? */
static bool
passes(const ObjectFilter *filter, const Box *box, const AVFrame *frame)
{
	float area = box_area(box);
	float aspect = box->w * frame->width / (box->h * frame->height);

	return area >= filter->min_area && area <= filter->max_area && aspect >= filter->min_aspect &&
		   aspect <= filter->max_aspect;
}

/* The largest side of a face that a person has, in widths of the person. */
#define FACE_MOST 0.8f

/* A face of this part of the frame's width is found in the whole frame, so it needs no person. */
#define FACE_NEAR 0.1f

/* Enlarged, a small person's trunk may look like a face: is it too large for who has it? */
static bool
is_trunk(const Box *face, const char *label, const SearchFrame *frame, const Hosts *hosts)
{
	float width = frame->frame->width;
	float height = frame->frame->height;
	float side = fmaxf(face->w * width, face->h * height);
	float x = face->x + face->w / 2;
	float y = face->y + face->h / 2;
	bool has_host = false;

	if (face->w >= FACE_NEAR)
		return false;
	for (int i = 0; i < hosts->n; i++)
	{
		const Box *host = &hosts->items[i].box;

		if (strcmp(hosts->items[i].label, label) != 0 || x < host->x || x > host->x + host->w ||
			y < host->y || y > host->y + host->h)
			continue;
		if (side <= FACE_MOST * host->w * width)
			return false;
		has_host = true;
	}
	return has_host;
}

/* Take over what a model has found where it is not masked. */
static void
take_objects(const CameraPlan *plan, int index, const SearchFrame *frame, const Detector *detector,
			 const ObjectList *objects, Hosts *hosts, Findings *found)
{
	const ModelOptions *options = &model_config(plan->models[index])->options;
	bool exact = traits_of(plan, index)->one_per_region;
	const char *host = traits_of(plan, index)->faces ? host_label(plan, index) : NULL;

	for (int i = 0; i < objects->count; i++)
	{
		const Object *object = &objects->items[i];
		const char *label = detector_label(detector, object->label);

		if (polygons_contain(&plan->config->masks, box_foot(&object->box)) ||
			(host != NULL && is_trunk(&object->box, host, frame, hosts)))
			continue;
		if (hosts->n < MAX_HOSTS)
		{
			hosts->items[hosts->n].box = object->box;
			hosts->items[hosts->n++].label = label;
		}
		/* What is said of a whole region has no size of its own. */
		if (!exact && !passes(&plan->config->filter, &object->box, frame->frame))
			continue;
		if (found->ninputs < SEARCH_MAX_INPUTS && camera_plan_wants(plan, label))
			found->inputs[found->ninputs++] =
				(TrackerInput){.box = object->box,
							   .confidence = object->confidence,
							   .label = object->label,
							   .model = index,
							   .exact = exact,
							   .min_age_us = (int64_t) (options->min_duration * CLOCK_SECOND),
							   .attributes = object->attributes};
	}
}

/* Run one model over regions (0: all of the frame). */
static void
run_model(const CameraPlan *plan, int index, const SearchFrame *frame, const PixelRect *regions,
		  int nregions, Workspace *workspace, Hosts *hosts, Findings *found)
{
	Detector *detector = model_detector(plan->models[index], found->reason, sizeof(found->reason));
	int64_t start_us = clock_monotonic_us();
	ObjectList objects;

	if (detector == NULL)
		return;
	if (detector_run(detector, workspace, frame->frame, regions, nregions, &objects, found->reason,
					 sizeof(found->reason)) != 0)
	{
		log_warning("model %s failed: %s", detector_name(detector), found->reason);
		return;
	}
	found->inference_ms += (clock_monotonic_us() - start_us) / 1000.0;
	found->failed = false;
	take_objects(plan, index, frame, detector, &objects, hosts, found);
}

/* The models that look within objects of others. */
static void
run_guests(const CameraPlan *plan, const SearchFrame *frame, SearchMemory *memory,
		   Workspace *workspace, Hosts *hosts, Findings *found)
{
	PixelRect regions[DETECTOR_MAX_REGIONS];

	for (int i = 0; i < plan->nmodels; i++)
		if (host_label(plan, i) != NULL)
		{
			int n = host_regions(plan, i, frame, hosts, memory->turn, regions);

			if (n > 0)
				run_model(plan, i, frame, regions, n, workspace, hosts, found);
		}
	memory->turn++;
}

void
search_memory_reset(SearchMemory *memory)
{
	*memory = (SearchMemory){.searched_us = INT64_MIN};
	attention_reset(&memory->attention);
}

void
frame_search(const CameraPlan *plan, const SearchFrame *frame, SearchMemory *memory,
			 Workspace *workspace, Findings *found)
{
	PixelRect region;
	Hosts hosts = {.n = 0};

	found->ninputs = 0;
	found->inference_ms = 0;
	found->failed = true;
	found->reason[0] = '\0';
	memory->searched_us = frame->at_us;
	found->part = choose_part(plan, frame, &memory->attention, &region);
	if (found->part)
		found->region = box_from_rect(&region, frame->frame->width, frame->frame->height);
	for (int i = 0; i < plan->nmodels; i++)
		if (host_label(plan, i) == NULL)
			run_model(plan, i, frame, &region, found->part && !traits_of(plan, i)->whole_frame,
					  workspace, &hosts, found);
	run_guests(plan, frame, memory, workspace, &hosts, found);
}

bool
frame_search_due(const CameraPlan *plan, const SearchMemory *memory, int64_t at_us)
{
	for (int i = 0; i < plan->nmodels; i++)
	{
		float seconds = model_config(plan->models[i])->options.interval;

		if (seconds > 0 && (memory->searched_us == INT64_MIN ||
							at_us - memory->searched_us >= (int64_t) (seconds * CLOCK_SECOND)))
			return true;
	}
	return false;
}
