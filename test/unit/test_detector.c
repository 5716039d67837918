/*
 * The detector on real frames: a street scene with pedestrians (vtest.avi of
 * OpenCV).  PG_CCTV_MEDIA names the video, else build/media/vtest.mp4 is read;
 * without it, or without the weights, these tests are skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "detector.h"
#include "real_media.h"
#include "tracker.h"

#define MODEL "models/efficientdet-lite1.onnx"
#define MODEL_INT8 "models/efficientdet-lite1-int8.onnx"
#define FACES "models/ultraface.onnx"
#define NFRAMES 6
#define PERSON 0

static const char *const LABELS[] = {"person", "bicycle", "car", "motorcycle", "bus",
									 "truck",  "bird",	  "cat", "dog"};
static const char *const FACE[] = {"face"};

static AVFrame *frames[NFRAMES]; /* one every ten seconds */

static bool
keep_frame(AVFrame *frame, double seconds, void *context)
{
	int *kept = context;

	if (seconds >= 10.0 * *kept)
		frames[(*kept)++] = av_frame_clone(frame);
	return *kept < NFRAMES;
}

static int
load_frames(void **state)
{
	int kept = 0;

	if (access(RUNTIME, R_OK) == 0)
		setenv("PG_CCTV_ORT", RUNTIME, 0);
	if (access(media_path_of_video(), R_OK) != 0)
		return 0;
	each_frame(media_path_of_video(), keep_frame, &kept);
	return kept == NFRAMES ? 0 : -1;
}

static int
free_frames(void **state)
{
	for (int i = 0; i < NFRAMES; i++)
		av_frame_free(&frames[i]);
	return 0;
}

static ModelSpec
objects_model(const char *runtime, bool no_int8)
{
	ModelSpec spec = {.name = "objects",
					  .kind = "efficientdet",
					  .path = MODEL,
					  .runtime = runtime,
					  .input_width = 384,
					  .input_height = 384,
					  .labels = LABELS,
					  .nlabels = 9,
					  .min_confidence = 0.3f,
					  .nms_iou = 0.5f,
					  .no_int8 = no_int8};

	return spec;
}

static Detector *
open_model(const ModelSpec *spec)
{
	char error[300] = "";
	Detector *detector = detector_open(spec, error, sizeof(error));

	if (detector == NULL)
		fail_msg("%s", error);
	return detector;
}

static void
run(Detector *detector, Workspace *workspace, const AVFrame *frame, ObjectList *objects)
{
	char error[300] = "";

	if (detector_run(detector, workspace, frame, NULL, 0, objects, error, sizeof(error)) != 0)
		fail_msg("%s", error);
}

/* The best overlap with an object of the same label that is nearly as certain. */
static float
best_match(const Object *object, const ObjectList *others, float tolerance)
{
	float best = 0;

	for (int i = 0; i < others->count; i++)
		if (others->items[i].label == object->label &&
			fabsf(others->items[i].confidence - object->confidence) <= tolerance)
			best = fmaxf(best, box_iou(&others->items[i].box, &object->box));
	return best;
}

/* Count the objects of at least 0.5 in a, and how many of them b has too. */
static void
compare(const ObjectList *a, const ObjectList *b, float iou, float tolerance, int *total,
		int *matched)
{
	for (int i = 0; i < a->count; i++)
		if (a->items[i].confidence >= 0.5f)
		{
			*total += 1;
			*matched += best_match(&a->items[i], b, tolerance) >= iou;
		}
}

static void
compare_detectors(const ModelSpec *first, const ModelSpec *second, float iou, float tolerance,
				  int *total, int *matched)
{
	Detector *a = open_model(first);
	Detector *b = open_model(second);
	Workspace *workspace = workspace_create();

	*total = *matched = 0;
	for (int i = 0; i < NFRAMES; i++)
	{
		ObjectList from_a;
		ObjectList from_b;

		run(a, workspace, frames[i], &from_a);
		run(b, workspace, frames[i], &from_b);
		compare(&from_a, &from_b, iou, tolerance, total, matched);
		compare(&from_b, &from_a, iou, tolerance, total, matched);
	}
	print_message("# %s and %s: %d of %d agree\n", detector_runtime(a), detector_runtime(b),
				  *matched, *total);
	workspace_free(workspace);
	detector_close(a);
	detector_close(b);
}

static void
finds_people(void **state)
{
	ModelSpec spec = objects_model("auto", false);
	Workspace *workspace;
	Detector *detector;
	int persons = 0;

	need_file(media_path_of_video());
	need_file(MODEL);
	workspace = workspace_create();
	detector = open_model(&spec);
	assert_string_equal(detector_name(detector), "objects");
	assert_string_equal(detector_label(detector, PERSON), "person");
	assert_null(detector_label(detector, 9));
	for (int i = 0; i < NFRAMES; i++)
	{
		ObjectList objects;
		int here = 0;

		run(detector, workspace, frames[i], &objects);
		for (int k = 0; k < objects.count; k++)
		{
			const Object *object = &objects.items[k];

			assert_true(object->confidence >= 0.3f && object->confidence <= 1);
			assert_true(k == 0 || object->confidence <= objects.items[k - 1].confidence);
			assert_true(object->box.x >= 0 && object->box.x + object->box.w <= 1.0001f);
			assert_true(object->box.y >= 0 && object->box.y + object->box.h <= 1.0001f);
			if (object->label != PERSON || object->confidence < 0.5f)
				continue;
			/* Upright, and of the size of people there. */
			assert_true(object->box.h * 576 > object->box.w * 768);
			assert_true(object->box.h > 0.05f && object->box.h < 0.35f);
			here++;
		}
		assert_true(here >= 2);
		persons += here;
	}
	assert_in_range(persons, 22, 48);
	workspace_free(workspace);
	detector_close(detector);
}

static void
onnxruntime_and_opencv_agree(void **state)
{
	ModelSpec onnx = objects_model("onnxruntime", true);
	ModelSpec opencv = objects_model("opencv", true);
	int total;
	int matched;

	need_file(media_path_of_video());
	need_file(MODEL);
	need_file(getenv("PG_CCTV_ORT") != NULL ? getenv("PG_CCTV_ORT") : RUNTIME);
	compare_detectors(&onnx, &opencv, 0.9f, 0.02f, &total, &matched);
	assert_true(total >= 48);
	assert_int_equal(matched, total);
}

static void
int8_and_float_agree(void **state)
{
	ModelSpec fast = objects_model("onnxruntime", false);
	ModelSpec exact = objects_model("onnxruntime", true);
	Detector *detector;
	int total;
	int matched;

	need_file(media_path_of_video());
	need_file(MODEL_INT8);
	need_file(getenv("PG_CCTV_ORT") != NULL ? getenv("PG_CCTV_ORT") : RUNTIME);
	detector = open_model(&fast);
	if (strstr(detector_runtime(detector), "int8") == NULL)
	{
		detector_close(detector);
		print_message("# SKIP: this processor has no VNNI\n");
		skip();
	}
	detector_close(detector);
	detector = open_model(&exact);
	assert_null(strstr(detector_runtime(detector), "int8"));
	detector_close(detector);
	compare_detectors(&fast, &exact, 0.75f, 0.1f, &total, &matched);
	assert_true(total >= 48);
	assert_true(matched * 100 >= total * 95);
}

/* People cut out of the frame are where they are in the whole, and none is found twice. */
static void
regions_agree_with_the_whole(void **state)
{
	ModelSpec spec = objects_model("auto", true);
	PixelRect regions[] = {{0, 0, 460, 576}, {300, 0, 468, 576}};
	Workspace *workspace;
	Detector *detector;
	int total = 0;
	int matched = 0;

	need_file(media_path_of_video());
	need_file(MODEL);
	workspace = workspace_create();
	detector = open_model(&spec);
	for (int i = 0; i < NFRAMES; i++)
	{
		ObjectList whole;
		ObjectList parts;
		char error[300] = "";

		run(detector, workspace, frames[i], &whole);
		assert_int_equal(
			detector_run(detector, workspace, frames[i], regions, 2, &parts, error, sizeof(error)),
			0);
		compare(&whole, &parts, 0.6f, 0.5f, &total, &matched);
		for (int a = 0; a < parts.count; a++)
			for (int b = 0; b < a; b++)
				if (parts.items[a].label == parts.items[b].label)
					assert_true(box_iou(&parts.items[a].box, &parts.items[b].box) <= 0.5f);
	}
	print_message("# regions and the whole: %d of %d agree\n", matched, total);
	assert_true(total >= 24);
	assert_true(matched * 100 >= total * 85);
	workspace_free(workspace);
	detector_close(detector);
}

typedef struct Runner
{
	Detector *detector;
	ObjectList objects[NFRAMES];
} Runner;

static void *
run_all(void *context)
{
	Runner *runner = context;
	Workspace *workspace = workspace_create();
	char error[300];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < NFRAMES; i++)
			if (workspace == NULL || detector_run(runner->detector, workspace, frames[i], NULL, 0,
												  &runner->objects[i], error, sizeof(error)) != 0)
				return runner;
	workspace_free(workspace);
	return NULL;
}

/* Threads share a detector, trimmed meanwhile, and every one finds the same, to the last bit. */
static void
threads_agree(void **state)
{
	static Runner runners[4];
	const char *runtimes[] = {"auto", "opencv"};

	need_file(media_path_of_video());
	need_file(MODEL);
	for (int r = 0; r < 2; r++)
	{
		ModelSpec spec = objects_model(runtimes[r], false);
		Detector *detector = open_model(&spec);
		int nthreads = r == 0 ? 4 : 2;
		pthread_t threads[4];

		memset(runners, 0, sizeof(runners));
		for (int i = 0; i < nthreads; i++)
		{
			runners[i].detector = detector;
			assert_int_equal(pthread_create(&threads[i], NULL, run_all, &runners[i]), 0);
			/* The second call in a row without a search between them is the one that trims. */
			detector_trim(detector);
			detector_trim(detector);
		}
		for (int i = 0; i < nthreads; i++)
		{
			void *failed;

			pthread_join(threads[i], &failed);
			assert_null(failed);
		}
		for (int i = 1; i < nthreads; i++)
			for (int k = 0; k < NFRAMES; k++)
			{
				assert_true(runners[0].objects[k].count > 0);
				assert_int_equal(runners[i].objects[k].count, runners[0].objects[k].count);
				assert_memory_equal(runners[i].objects[k].items, runners[0].objects[k].items,
									runners[0].objects[k].count * sizeof(Object));
			}
		detector_close(detector);
	}
}

/* What following the people through the clip comes to. */
typedef struct Follow
{
	Detector *detector;
	Workspace *workspace;
	Tracker *tracker;
	double next;
	int persons; /* confirmed tracks */
	int64_t longest_us;
	int looks;
	int seen; /* sightings of confirmed persons */
} Follow;

static bool
follow_frame(AVFrame *frame, double seconds, void *context)
{
	Follow *follow = context;
	TrackerInput inputs[DETECTOR_MAX_OBJECTS];
	ObjectList objects;
	const Track *tracks;
	int n;

	if (seconds + 1e-6 < follow->next)
		return true;
	follow->next += 0.2;
	follow->looks++;
	run(follow->detector, follow->workspace, frame, &objects);
	for (int i = 0; i < objects.count; i++)
	{
		TrackerInput input = {.box = objects.items[i].box,
							  .confidence = objects.items[i].confidence,
							  .label = objects.items[i].label};

		inputs[i] = input;
	}
	tracker_update(follow->tracker, (int64_t) (seconds * 1e6), inputs, objects.count, NULL, 0);
	n = tracker_tracks(follow->tracker, &tracks);
	for (int i = 0; i < n; i++)
		if (tracks[i].label == PERSON && tracks[i].id != 0 && tracks[i].seen)
		{
			int64_t age = tracks[i].last_us - tracks[i].first_us;

			follow->seen++;
			follow->persons += tracks[i].confirmed_now;
			follow->longest_us = age > follow->longest_us ? age : follow->longest_us;
		}
	return true;
}

/*
 * About twenty people walk through the clip, several of them behind the same
 * sign at once; each should have one track, few a second one.
 */
static void
a_person_has_one_track(void **state)
{
	ModelSpec spec = objects_model("auto", false);
	TrackerSettings settings;
	Follow follow = {0};

	need_file(media_path_of_video());
	need_file(MODEL);
	tracker_default_settings(&settings);
	follow.detector = open_model(&spec);
	follow.workspace = workspace_create();
	follow.tracker = tracker_create(&settings);
	each_frame(media_path_of_video(), follow_frame, &follow);
	print_message("# %d tracks of persons, the longest of %.1f s, %.1f persons a frame\n",
				  follow.persons, follow.longest_us / 1e6, (double) follow.seen / follow.looks);
	assert_in_range(follow.looks, 390, 400);
	assert_in_range(follow.persons, 18, 26);
	assert_true(follow.longest_us > 30000000);
	assert_true(follow.seen > 4 * follow.looks);
	tracker_free(follow.tracker);
	workspace_free(follow.workspace);
	detector_close(follow.detector);
}

static void
without_onnxruntime_opencv_takes_over(void **state)
{
	ModelSpec spec = objects_model("auto", false);
	char *saved = getenv("PG_CCTV_ORT");
	char error[300] = "";
	Detector *detector;

	need_file(MODEL);
	saved = saved != NULL ? strdup(saved) : NULL;
	setenv("PG_CCTV_ORT", "/nonexistent.so", 1);
	detector = open_model(&spec);
	assert_non_null(strstr(detector_runtime(detector), "opencv 4."));
	detector_close(detector);
	spec.runtime = "onnxruntime";
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "cannot be loaded"));
	spec.runtime = "auto";
	spec.path = "/nonexistent.onnx";
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "no ONNX Runtime"));
	unsetenv("PG_CCTV_ORT");
	if (saved != NULL)
		setenv("PG_CCTV_ORT", saved, 1);
	free(saved);
}

static void
faces_load_in_both(void **state)
{
	ModelSpec spec = {.name = "faces",
					  .kind = "ultraface",
					  .path = FACES,
					  .input_width = 320,
					  .input_height = 240,
					  .labels = FACE,
					  .nlabels = 1,
					  .min_confidence = 0.7f,
					  .nms_iou = 0.3f};
	const char *runtimes[] = {"auto", "opencv"};

	need_file(FACES);
	for (int i = 0; i < 2; i++)
	{
		Detector *detector;
		int width;
		int height;

		spec.runtime = runtimes[i];
		detector = open_model(&spec);
		detector_input_size(detector, &width, &height);
		assert_int_equal(width, 320);
		assert_int_equal(height, 240);
		detector_close(detector);
	}
}

static void
assert_refused(const ModelSpec *spec, const char *why)
{
	char error[300] = "";

	assert_null(detector_open(spec, error, sizeof(error)));
	if (strstr(error, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error, why);
	assert_null(strchr(error, '\n'));
}

static void
what_does_not_fit_is_refused(void **state)
{
	const char *runtimes[] = {"onnxruntime", "opencv"};
	ModelSpec spec = objects_model("auto", false);

	spec.kind = "nonsense";
	assert_refused(&spec, "unknown kind \"nonsense\"");
	spec = objects_model("nonsense", false);
	assert_refused(&spec, "unknown runtime \"nonsense\"");
	spec = objects_model("auto", false);
	spec.nlabels = 0;
	assert_refused(&spec, "0 labels");

	need_file(MODEL);
	need_file(FACES);
	for (int i = 0; i < 2; i++)
	{
		spec = objects_model(runtimes[i], true);
		spec.path = "/nonexistent.onnx";
		assert_refused(&spec, "cannot load model \"objects\"");
		spec.path = "/bin/true";
		assert_refused(&spec, "cannot load model \"objects\"");
		spec = objects_model(runtimes[i], true);
		spec.nlabels = 8;
		assert_refused(&spec, "the model scores 9 labels, but 8 are named");
	}
	spec = objects_model("onnxruntime", true);
	spec.input_width = 320;
	assert_refused(&spec, "input is not 320 by 384");
	spec = objects_model("onnxruntime", true);
	spec.path = FACES;
	spec.input_width = spec.input_height = 0;
	assert_refused(&spec, "the model scores 2 labels");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_people),
		cmocka_unit_test(onnxruntime_and_opencv_agree),
		cmocka_unit_test(int8_and_float_agree),
		cmocka_unit_test(regions_agree_with_the_whole),
		cmocka_unit_test(threads_agree),
		cmocka_unit_test(a_person_has_one_track),
		cmocka_unit_test(without_onnxruntime_opencv_takes_over),
		cmocka_unit_test(faces_load_in_both),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, load_frames, free_frames);
}
