/*
 * Every kind of model on real pictures (of Debian's opencv-doc), whose objects
 * were looked up by eye.  models/fetch brings weights and pictures; what is not
 * there is skipped, and weights that are not free are never needed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "detector.h"
#include "real_media.h"
#include "tiny_model.h"

#define FOOTBALL "build/media/messi5.jpg"
#define BASKETBALL "build/media/basketball1.png"

static const char *const FACE[] = {"face"};
static const char *const PERSON[] = {"person"};
/* Of COCO's 80 labels, those of which there is one. */
static const char *COCO[80];

/* Something that is in a picture, in pixels. */
typedef struct Thing
{
	const char *label;
	float x;
	float y;
	float w;
	float h;
} Thing;

static const Thing FOOTBALL_FACE = {"face", 224, 92, 31, 38};
static const Thing BASKETBALL_FACE = {"face", 71, 91, 33, 43};
static const Thing FOOTBALL_PLAYER = {"person", 67, 59, 391, 278};
static const Thing BASKETBALL_PLAYERS[] = {{"person", 33, 79, 142, 398},
										   {"person", 436, 21, 203, 432}};
static const Thing BALL = {"sports ball", 336, 288, 51, 49};

static int
set_up(void **state)
{
	for (int i = 0; i < 80; i++)
		COCO[i] = "other";
	COCO[0] = "person";
	COCO[32] = "sports ball";
	return use_fetched_runtime(state);
}

static ModelSpec
model(const char *kind, const char *path, int width, int height, const char *const *labels,
	  int nlabels, float min_confidence)
{
	return (ModelSpec){.name = kind,
					   .kind = kind,
					   .path = path,
					   .input_width = width,
					   .input_height = height,
					   .labels = labels,
					   .nlabels = nlabels,
					   .min_confidence = min_confidence,
					   .nms_iou = 0.45f};
}

static Detector *
open_model(const ModelSpec *spec)
{
	char error[400] = "";
	Detector *detector = detector_open(spec, error, sizeof(error));

	if (detector == NULL)
		fail_msg("%s", error);
	return detector;
}

static void
look(Detector *detector, const AVFrame *frame, const PixelRect *region, ObjectList *objects)
{
	Workspace *workspace = workspace_create();
	char error[400] = "";

	if (detector_run(detector, workspace, frame, region, region != NULL ? 1 : 0, objects, error,
					 sizeof(error)) != 0)
		fail_msg("%s", error);
	workspace_free(workspace);
}

/* What a model finds in a picture. */
static ObjectList
find(const ModelSpec *spec, const char *picture)
{
	Detector *detector = open_model(spec);
	AVFrame *frame = video_frame(picture, 0);
	ObjectList objects;

	look(detector, frame, NULL, &objects);
	detector_close(detector);
	av_frame_free(&frame);
	return objects;
}

/* The object found where a thing is; fails if there is none. */
static const Object *
assert_found(const ModelSpec *spec, const ObjectList *objects, const Thing *thing,
			 const char *picture)
{
	bool football = strcmp(picture, FOOTBALL) == 0;
	float width = football ? 548 : 640;
	float height = football ? 342 : 480;
	Box box = {thing->x / width, thing->y / height, thing->w / width, thing->h / height};

	for (int i = 0; i < objects->count; i++)
		if (strcmp(spec->labels[objects->items[i].label], thing->label) == 0 &&
			box_iou(&objects->items[i].box, &box) >= 0.6f)
			return &objects->items[i];
	fail_msg("%s finds no %s in %s", spec->name, thing->label, picture);
	return NULL;
}

static void
finds_players_and_ball(const char *path, int width, int height)
{
	ModelSpec spec = model("yolo", path, width, height, COCO, 80, 0.5f);
	ObjectList football;
	ObjectList basketball;

	need_file(FOOTBALL);
	need_file(path);
	football = find(&spec, FOOTBALL);
	assert_found(&spec, &football, &FOOTBALL_PLAYER, FOOTBALL);
	assert_found(&spec, &football, &BALL, FOOTBALL);
	assert_in_range(football.count, 2, 8);
	basketball = find(&spec, BASKETBALL);
	for (int i = 0; i < 2; i++)
		assert_found(&spec, &basketball, &BASKETBALL_PLAYERS[i], BASKETBALL);
	assert_in_range(basketball.count, 2, 4);
}

static void
yolo11_of_any_size(void **state)
{
	finds_players_and_ball("models/yolo11n.onnx", 640, 384);
	finds_players_and_ball("models/yolo11n.onnx", 480, 480);
	for (int width = 0; width <= 640; width += 640)
	{
		ModelSpec spec = model("yolo", "models/yolo11n.onnx", width, 0, COCO, 80, 0.5f);
		char error[400] = "";

		assert_null(detector_open(&spec, error, sizeof(error)));
		assert_non_null(strstr(error, "the size of its input must be given"));
	}
}

static void
yolov8_of_one_size(void **state)
{
	ModelSpec spec = model("yolo", "models/yolov8n.onnx", 640, 384, COCO, 80, 0.5f);
	char error[400] = "";

	finds_players_and_ball("models/yolov8n.onnx", 640, 640);
	finds_players_and_ball("models/yolov8n.onnx", 0, 0);
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "input is not 640 by"));
}

static void
finds_faces(const ModelSpec *spec)
{
	ObjectList football = find(spec, FOOTBALL);
	ObjectList basketball = find(spec, BASKETBALL);

	assert_found(spec, &football, &FOOTBALL_FACE, FOOTBALL);
	assert_int_equal(football.count, 1);
	assert_found(spec, &basketball, &BASKETBALL_FACE, BASKETBALL);
	assert_in_range(basketball.count, 1, 2);
}

static void
ultraface_in_both_runtimes(void **state)
{
	ModelSpec spec = model("ultraface", "models/ultraface.onnx", 320, 240, FACE, 1, 0.7f);

	need_file(FOOTBALL);
	need_file(spec.path);
	finds_faces(&spec);
	spec.runtime = "opencv";
	finds_faces(&spec);
}

static void
assert_landmarks_make_a_face(const Object *face)
{
	const Attributes *attributes = &face->attributes;
	const float(*points)[2] = attributes->landmarks;

	assert_true(attributes->has_landmarks);
	for (int i = 0; i < ATTRIBUTES_LANDMARKS; i++)
	{
		assert_true(points[i][0] > face->box.x && points[i][0] < face->box.x + face->box.w);
		assert_true(points[i][1] > face->box.y && points[i][1] < face->box.y + face->box.h);
	}
	/* Eyes from left to right, above the nose; so the mouth, below it. */
	assert_true(points[0][0] < points[1][0] && points[3][0] < points[4][0]);
	assert_true(points[0][1] < points[2][1] && points[1][1] < points[2][1]);
	assert_true(points[3][1] > points[2][1] && points[4][1] > points[2][1]);
}

static void
retinaface_with_landmarks_in_both_runtimes(void **state)
{
	ModelSpec spec = model("retinaface", "models/retinaface.onnx", 640, 640, FACE, 1, 0.7f);
	const char *const runtimes[] = {"onnxruntime", "opencv"};
	ObjectList found[2];

	need_file(FOOTBALL);
	need_file(spec.path);
	need_file(RUNTIME);
	for (int i = 0; i < 2; i++)
	{
		spec.runtime = runtimes[i];
		finds_faces(&spec);
		found[i] = find(&spec, FOOTBALL);
		assert_landmarks_make_a_face(assert_found(&spec, &found[i], &FOOTBALL_FACE, FOOTBALL));
	}
	for (int i = 0; i < ATTRIBUTES_LANDMARKS; i++)
		for (int axis = 0; axis < 2; axis++)
			assert_float_equal(found[0].items[0].attributes.landmarks[i][axis],
							   found[1].items[0].attributes.landmarks[i][axis], 0.002f);
}

/* In a part of the frame, boxes and landmarks are where they are in the whole. */
static void
regions_place_landmarks(void **state)
{
	ModelSpec spec = model("retinaface", "models/retinaface.onnx", 640, 640, FACE, 1, 0.7f);
	const PixelRect region = {140, 40, 200, 160};
	Detector *detector;
	AVFrame *frame;
	ObjectList whole;
	ObjectList part;

	need_file(FOOTBALL);
	need_file(spec.path);
	detector = open_model(&spec);
	frame = video_frame(FOOTBALL, 0);
	look(detector, frame, NULL, &whole);
	look(detector, frame, &region, &part);
	assert_int_equal(whole.count, 1);
	assert_int_equal(part.count, 1);
	assert_true(box_iou(&whole.items[0].box, &part.items[0].box) >= 0.7f);
	for (int i = 0; i < ATTRIBUTES_LANDMARKS; i++)
		for (int axis = 0; axis < 2; axis++)
			assert_float_equal(whole.items[0].attributes.landmarks[i][axis],
							   part.items[0].attributes.landmarks[i][axis], 0.01f);
	detector_close(detector);
	av_frame_free(&frame);
}

static void
cascade_finds_a_face(void **state)
{
	ModelSpec spec = model("cascade", "models/haar-frontalface.xml", 640, 480, FACE, 1, 0.5f);
	ModelOptions options = model_options_default("cascade");
	const Thing face = {"face", 223, 90, 42, 42};
	ObjectList objects;

	need_file(FOOTBALL);
	need_file(spec.path);
	objects = find(&spec, FOOTBALL);
	assert_int_equal(objects.count, 1);
	assert_found(&spec, &objects, &face, FOOTBALL);

	/* The face is 49 pixels of the input; Haar's are square. */
	spec.options = &options;
	options.min_size = 70;
	assert_int_equal(find(&spec, FOOTBALL).count, 0);
	options = model_options_default("cascade");
	options.min_aspect = 1.1f;
	assert_int_equal(find(&spec, FOOTBALL).count, 0);
	options = model_options_default("cascade");
	options.min_neighbors = 100;
	assert_int_equal(find(&spec, FOOTBALL).count, 0);
	options.min_neighbors = 1;
	objects = find(&spec, FOOTBALL);
	assert_true(objects.count >= 1);
	/* Many windows agree on it: far more than one. */
	assert_true(objects.items[0].confidence > 0.9f);
}

static void
hog_finds_people(void **state)
{
	ModelSpec spec = model("hog", NULL, 768, 576, PERSON, 1, 0.6f);
	Detector *detector;
	AVFrame *frame;
	ObjectList objects;

	need_file(media_path_of_video());
	detector = open_model(&spec);
	assert_non_null(strstr(detector_runtime(detector), "opencv 4."));
	frame = video_frame(media_path_of_video(), 10);
	look(detector, frame, NULL, &objects);
	assert_in_range(objects.count, 1, 6);
	for (int i = 0; i < objects.count; i++)
	{
		float w = objects.items[i].box.w * 768;
		float h = objects.items[i].box.h * 576;

		/* The window is 1 to 2, of which four fifths are the person. */
		assert_float_equal(h / w, 2, 0.1f);
		assert_true(h > 90 && h < 200);
	}
	detector_close(detector);
	av_frame_free(&frame);
}

/* The mean colour as a classifier of red, green and blue. */
static void
classifier_says_what_colour(void **state)
{
	static const char *const labels[] = {"red", "green", "blue"};
	const char path[] = "build/tiny-classifier.onnx";
	ModelSpec spec = model("classifier", path, 0, 0, labels, 3, 0.5f);
	ModelOptions options = model_options_default("classifier");
	const char *const runtimes[] = {"auto", "opencv"};
	AVFrame *frame = av_frame_alloc();
	const PixelRect left = {0, 0, 64, 64};
	const PixelRect right = {64, 0, 64, 64};
	char error[400] = "";

	tiny_model_write(path, 32);
	frame->format = AV_PIX_FMT_RGB24;
	frame->width = 128;
	frame->height = 64;
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	for (int y = 0; y < 64; y++)
		for (int x = 0; x < 128; x++)
			memcpy(frame->data[0] + y * frame->linesize[0] + 3 * x,
				   x < 64 ? "\xf0\x10\x10" : "\x10\x10\xe0", 3);
	spec.options = &options;
	options.input = (InputStyle){.fit = FIT_STRETCH, STYLE_CHANNELS(0, 0.1f)};
	for (int i = 0; i < 2; i++)
	{
		ObjectList objects;
		Detector *detector;

		spec.runtime = runtimes[i];
		spec.input_width = spec.input_height = 32;
		detector = open_model(&spec);
		look(detector, frame, NULL, &objects);
		assert_int_equal(objects.count, 1);
		assert_string_equal(detector_label(detector, objects.items[0].label), "red");
		assert_float_equal(objects.items[0].box.w, 1, 0);
		look(detector, frame, &left, &objects);
		assert_string_equal(detector_label(detector, objects.items[0].label), "red");
		assert_true(objects.items[0].confidence > 0.99f);
		look(detector, frame, &right, &objects);
		assert_string_equal(detector_label(detector, objects.items[0].label), "blue");
		assert_float_equal(objects.items[0].box.x, 0.5f, 0);
		assert_float_equal(objects.items[0].box.w, 0.5f, 0);
		detector_close(detector);

		snprintf(options.background, sizeof(options.background), "red");
		detector = open_model(&spec);
		look(detector, frame, &left, &objects);
		assert_int_equal(objects.count, 0);
		look(detector, frame, &right, &objects);
		assert_int_equal(objects.count, 1);
		detector_close(detector);
		options.background[0] = '\0';
	}
	snprintf(options.background, sizeof(options.background), "calm");
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "option background is no label of it: \"calm\""));
	options.background[0] = '\0';
	spec.nlabels = 2;
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "output y [1, 3] should be [1, 2]"));
	av_frame_free(&frame);
	remove(path);
}

static void
assert_refused(const ModelSpec *spec, const char *why)
{
	char error[400] = "";

	assert_null(detector_open(spec, error, sizeof(error)));
	if (strstr(error, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error, why);
	assert_null(strchr(error, '\n'));
}

/* Weights of one kind taken for another: the reason names the tensor. */
static void
outputs_of_another_kind_are_refused(void **state)
{
	ModelSpec spec = model("yolo", "models/ultraface.onnx", 320, 240, FACE, 1, 0.5f);

	need_file(spec.path);
	assert_refused(&spec, "output scores [1, 4420, 2] should be [1, 5, N] or [1, N, 6]");
	spec.kind = "retinaface";
	assert_refused(&spec, "there is no output face_rpn_cls_prob_reshape_stride32 [1, 4, 8, 10], "
						  "but scores [1, 4420, 2], boxes [1, 4420, 4]");
	spec.kind = "classifier";
	assert_refused(&spec, "a classifier has one output, but this model has 2");
	spec.kind = "ssd";
	spec.labels = COCO;
	spec.nlabels = 80;
	assert_refused(&spec, "output scores [1, 4420, 2] should be [1, N, 81]");
}

static void
what_cannot_be_a_model_is_refused(void **state)
{
	ModelSpec spec = model("cascade", "/bin/true", 640, 480, FACE, 1, 0.5f);

	assert_refused(&spec, "cannot load model \"cascade\": opencv: ");
	spec.path = "/nonexistent.xml";
	assert_refused(&spec, "the file cannot be read, or is no cascade");
	spec.path = NULL;
	assert_refused(&spec, "it has no file");
	spec.kind = "yolo";
	assert_refused(&spec, "it has no file");
	spec.kind = "hog";
	spec.labels = COCO;
	spec.nlabels = 2;
	assert_refused(&spec, "a model of kind hog has one label, but 2 are named");
	spec.nlabels = 1;
	spec.input_width = 0;
	assert_refused(&spec, "the size of its input must be given");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yolo11_of_any_size),
		cmocka_unit_test(yolov8_of_one_size),
		cmocka_unit_test(ultraface_in_both_runtimes),
		cmocka_unit_test(retinaface_with_landmarks_in_both_runtimes),
		cmocka_unit_test(regions_place_landmarks),
		cmocka_unit_test(cascade_finds_a_face),
		cmocka_unit_test(hog_finds_people),
		cmocka_unit_test(classifier_says_what_colour),
		cmocka_unit_test(outputs_of_another_kind_are_refused),
		cmocka_unit_test(what_cannot_be_a_model_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
