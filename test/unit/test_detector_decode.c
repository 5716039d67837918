/* From hand-made outputs of models to objects. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "detector_decode.h"

static ModelOptions options;

static DecodeRequest
request(const DecodeKind *kind, int nlabels, float min_confidence, int width, int height)
{
	options = model_options_default(kind->traits.name);
	return (DecodeRequest){.nlabels = nlabels,
						   .min_confidence = min_confidence,
						   .background = -1,
						   .input_width = width,
						   .input_height = height,
						   .options = &options};
}

/* Decode outputs that fit. */
static void
decode(const DecodeKind *kind, const Tensor *outputs, int noutputs, const DecodeRequest *wanted,
	   Candidates *found)
{
	char error[300] = "";

	if (kind->decode(outputs, noutputs, wanted, found, error, sizeof(error)) != 0)
		fail_msg("%s", error);
}

/* Outputs that do not fit are refused, for a reason. */
static void
refuse(const DecodeKind *kind, const Tensor *outputs, int noutputs, int nlabels, Candidates *found,
	   const char *why)
{
	DecodeRequest wanted = request(kind, nlabels, 0, 64, 64);
	char error[300] = "";

	assert_int_equal(kind->decode(outputs, noutputs, &wanted, found, error, sizeof(error)), -1);
	if (strstr(error, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error, why);
	assert_int_equal(found->count, 0);
}

static void
assert_box(const Object *object, float x, float y, float w, float h)
{
	assert_float_equal(object->box.x, x, 1e-5f);
	assert_float_equal(object->box.y, y, 1e-5f);
	assert_float_equal(object->box.w, w, 1e-5f);
	assert_float_equal(object->box.h, h, 1e-5f);
}

static int
setup(void **state)
{
	*state = calloc(1, sizeof(Candidates));
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
efficientdet_by_hand(void **state)
{
	Candidates *found = *state;
	/* ymin, xmin, ymax, xmax */
	const float boxes[] = {0.1f, 0.2f, 0.5f, 0.3f, 0, 0, 1, 1, 0.4f, 0.4f, 0.6f, 0.8f};
	const float scores[] = {0.1f, 0.7f, 0.2f, 0.29f, 0.1f, 0, 0.3f, 0, 0.1f};
	const Tensor outputs[] = {{"scores", 3, {1, 3, 3}, scores}, {"boxes", 3, {1, 3, 4}, boxes}};
	DecodeRequest wanted = request(&decode_efficientdet, 3, 0.3f, 384, 384);

	decode(&decode_efficientdet, outputs, 2, &wanted, found);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.7f, 0);
	assert_box(&found->items[0], 0.2f, 0.1f, 0.1f, 0.4f);
	assert_int_equal(found->items[1].label, 0);
	assert_box(&found->items[1], 0.4f, 0.4f, 0.4f, 0.2f);
}

static void
ultraface_by_hand(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {0.1f, 0.2f, 0.5f, 0.3f, 0, 0, 1, 1};
	const float scores[] = {0.2f, 0.8f, 0.9f, 0.1f}; /* nothing, face */
	const Tensor outputs[] = {{"scores", 3, {1, 2, 2}, scores}, {"boxes", 3, {1, 2, 4}, boxes}};
	DecodeRequest wanted = request(&decode_ultraface, 1, 0.5f, 320, 240);

	decode(&decode_ultraface, outputs, 2, &wanted, found);
	assert_int_equal(found->count, 1);
	assert_float_equal(found->items[0].confidence, 0.8f, 0);
	assert_box(&found->items[0], 0.1f, 0.2f, 0.4f, 0.1f);
}

/* Two labels, three anchors: one row for each of x, y, w, h, cat, dog. */
static void
yolo_v8_by_hand(void **state)
{
	Candidates *found = *state;
	const float data[] = {100,	 320,  10, /* x */
						  50,	 160,  10, /* y */
						  40,	 640,  4,  /* w */
						  20,	 320,  4,  /* h */
						  0.3f,	 0.9f, 0.1f /* cat */,
						  0.65f, 0.2f, 0.24f};
	const Tensor output = {"output0", 3, {1, 6, 3}, data};
	DecodeRequest wanted = request(&decode_yolo, 2, 0.25f, 640, 320);

	decode(&decode_yolo, &output, 1, &wanted, found);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.65f, 0);
	assert_box(&found->items[0], 80 / 640.0f, 40 / 320.0f, 40 / 640.0f, 20 / 320.0f);
	assert_int_equal(found->items[1].label, 0);
	assert_float_equal(found->items[1].confidence, 0.9f, 0);
	assert_box(&found->items[1], 0, 0, 1, 1);
}

/* More anchors than are decoded at a time: each is where it belongs. */
static void
yolo_v8_in_blocks(void **state)
{
	enum
	{
		N = 150
	};
	static float data[6 * N];
	Candidates *found = *state;
	const Tensor output = {"output0", 3, {1, 6, N}, data};
	DecodeRequest wanted = request(&decode_yolo, 2, 0.5f, 100, 100);

	for (int i = 0; i < N; i++)
	{
		data[i] = data[N + i] = 50;
		data[2 * N + i] = data[3 * N + i] = 2 + i * 0.5f;
		data[(4 + i % 2) * N + i] = 0.5f + 0.001f * i;
	}
	decode(&decode_yolo, &output, 1, &wanted, found);
	assert_int_equal(found->count, N);
	for (int i = 0; i < N; i++)
	{
		assert_int_equal(found->items[i].label, i % 2);
		assert_float_equal(found->items[i].confidence, 0.5f + 0.001f * i, 1e-6f);
		assert_float_equal(found->items[i].box.w, (2 + i * 0.5f) / 100, 1e-5f);
	}
}

/* Rows of x, y, w, h, object, cat, dog; the scales of v5 stand beside it. */
static void
yolo_v5_by_hand(void **state)
{
	Candidates *found = *state;
	const float data[] = {100, 50,	40, 20, 0.8f,  0.1f, 0.9f, /* 0.72 a dog */
						  10,  10,	4,	4,	0.24f, 1,	 0,	   /* no object */
						  10,  10,	4,	4,	0.5f,  0.4f, 0.4f, /* 0.2 of either */
						  64,  128, 32, 64, 0.5f,  1,	 0};
	const float scale[7] = {0};
	const Tensor outputs[] = {{"scale", 5, {1, 1, 1, 1, 7}, scale}, {"output", 3, {1, 4, 7}, data}};
	DecodeRequest wanted = request(&decode_yolo, 2, 0.25f, 640, 320);

	decode(&decode_yolo, outputs, 2, &wanted, found);
	assert_int_equal(found->count, 2);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.72f, 1e-6f);
	assert_box(&found->items[0], 80 / 640.0f, 40 / 320.0f, 40 / 640.0f, 20 / 320.0f);
	assert_int_equal(found->items[1].label, 0);
	assert_float_equal(found->items[1].confidence, 0.5f, 1e-6f);
	assert_box(&found->items[1], 48 / 640.0f, 96 / 320.0f, 32 / 640.0f, 64 / 320.0f);
}

/*
 * An input of 64 by 64 has grids of 2, 4 and 8.  One face of the second anchor
 * (64 pixels) at column 1, row 2 of the middle one, and one below the threshold.
 */
static void
retinaface_by_hand(void **state)
{
	static float faces[3][4 * 64];
	static float boxes[3][8 * 64];
	static float points[3][20 * 64];
	Candidates *found = *state;
	Tensor outputs[9];
	const char *const names[] = {
		"face_rpn_cls_prob_reshape_stride32", "face_rpn_bbox_pred_stride32",
		"face_rpn_landmark_pred_stride32",	  "face_rpn_cls_prob_reshape_stride16",
		"face_rpn_bbox_pred_stride16",		  "face_rpn_landmark_pred_stride16",
		"face_rpn_cls_prob_reshape_stride8",  "face_rpn_bbox_pred_stride8",
		"face_rpn_landmark_pred_stride8"};
	DecodeRequest wanted = request(&decode_retinaface, 1, 0.6f, 64, 64);
	const int cell = 2 * 4 + 1;
	const Object *face;

	for (int level = 0; level < 3; level++)
	{
		int64_t side = 2 << level;

		outputs[3 * level] = (Tensor){names[3 * level], 4, {1, 4, side, side}, faces[level]};
		outputs[3 * level + 1] =
			(Tensor){names[3 * level + 1], 4, {1, 8, side, side}, boxes[level]};
		outputs[3 * level + 2] =
			(Tensor){names[3 * level + 2], 4, {1, 20, side, side}, points[level]};
	}
	faces[1][3 * 16 + cell] = 0.75f;		 /* face, second anchor */
	faces[1][1 * 16 + cell] = 0.99f;		 /* nothing, second anchor */
	faces[0][2 * 4] = 0.5f;					 /* too doubtful */
	boxes[1][4 * 16 + cell] = 0.125f;		 /* 8 pixels to the right */
	boxes[1][5 * 16 + cell] = -0.0625f;		 /* 4 up */
	boxes[1][6 * 16 + cell] = logf(0.5f);	 /* 32 wide */
	boxes[1][7 * 16 + cell] = logf(0.625f);	 /* 40 high */
	points[1][10 * 16 + cell] = -0.5f;		 /* first eye 6.4 to the left */
	points[1][(10 + 9) * 16 + cell] = 1.25f; /* last corner of the mouth 16 down */

	decode(&decode_retinaface, outputs, 9, &wanted, found);
	assert_int_equal(found->count, 1);
	face = &found->items[0];
	assert_float_equal(face->confidence, 0.75f, 0);
	/* The anchor's centre is 7.5 + 16, 7.5 + 32. */
	assert_box(face, (23.5f + 8 - 16) / 64, (39.5f - 4 - 20) / 64, 32 / 64.0f, 40 / 64.0f);
	assert_true(face->attributes.has_landmarks);
	assert_float_equal(face->attributes.landmarks[0][0], (23.5f - 6.4f) / 64, 1e-5f);
	assert_float_equal(face->attributes.landmarks[0][1], 39.5f / 64, 1e-5f);
	assert_float_equal(face->attributes.landmarks[4][0], 23.5f / 64, 1e-5f);
	assert_float_equal(face->attributes.landmarks[4][1], (39.5f + 16) / 64, 1e-5f);

	found->count = 0;
	outputs[4].dims[1] = 4;
	refuse(&decode_retinaface, outputs, 9, 1, found,
		   "output face_rpn_bbox_pred_stride16 [1, 4, 4, 4] should be [1, 8, 4, 4]");
	outputs[4].dims[1] = 8;
	refuse(&decode_retinaface, outputs, 9, 2, found, "one label, but 2 are named");
	refuse(&decode_retinaface, outputs, 8, 1, found,
		   "there is no output face_rpn_landmark_pred_stride8 [1, 20, 8, 8]");
}

static void
ssd_detection_output_by_hand(void **state)
{
	Candidates *found = *state;
	const float rows[] = {0,  2, 0.9f, 0.1f, 0.2f, 0.3f, 0.6f, /* second label */
						  0,  0, 0.9f, 0,	 0,	   1,	 1,	   /* background */
						  0,  1, 0.2f, 0,	 0,	   1,	 1,	   /* too doubtful */
						  0,  3, 0.9f, 0,	 0,	   1,	 1,	   /* no such label */
						  -1, 1, 0.9f, 0,	 0,	   1,	 1};   /* behind the end */
	const Tensor output = {"detection_out", 4, {1, 1, 5, 7}, rows};
	DecodeRequest wanted = request(&decode_ssd, 2, 0.3f, 300, 300);

	decode(&decode_ssd, &output, 1, &wanted, found);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->items[0].label, 1);
	assert_box(&found->items[0], 0.1f, 0.2f, 0.2f, 0.4f);

	found->count = 0;
	options.background_class = 0;
	decode(&decode_ssd, &output, 1, &wanted, found);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->items[0].label, 0);
	assert_float_equal(found->items[0].box.w, 1, 0);
}

static void
ssd_tensorflow_by_hand(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {0.2f, 0.1f, 0.6f, 0.3f, 0, 0, 1, 1};
	const float scores[] = {0.9f, 0.1f};
	const float classes[] = {1, 1};
	const float count[] = {2};
	const Tensor outputs[] = {{"num_detections", 1, {1}, count},
							  {"detection_boxes", 3, {1, 2, 4}, boxes},
							  {"detection_scores", 2, {1, 2}, scores},
							  {"detection_classes", 2, {1, 2}, classes}};
	DecodeRequest wanted = request(&decode_ssd, 1, 0.3f, 300, 300);

	decode(&decode_ssd, outputs, 4, &wanted, found);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->items[0].label, 0);
	assert_box(&found->items[0], 0.1f, 0.2f, 0.2f, 0.4f);
	found->count = 0;
	refuse(&decode_ssd, outputs, 3, 1, found, "there is no output detection_classes [1, 2]");
}

static void
ssd_pytorch_by_hand(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {0.1f, 0.2f, 0.3f, 0.6f, 0, 0, 1, 1};
	const float scores[] = {0.1f, 0.2f, 0.7f, 0.9f, 0.05f, 0.05f}; /* nothing, cat, dog */
	const Tensor outputs[] = {{"scores", 3, {1, 2, 3}, scores}, {"boxes", 3, {1, 2, 4}, boxes}};
	DecodeRequest wanted = request(&decode_ssd, 2, 0.3f, 300, 300);

	decode(&decode_ssd, outputs, 2, &wanted, found);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.7f, 0);
	assert_box(&found->items[0], 0.1f, 0.2f, 0.2f, 0.4f);
	found->count = 0;
	refuse(&decode_ssd, outputs, 2, 3, found, "output scores [1, 2, 3] should be [1, N, 4]");
}

static void
classify(const float *scores, int n, Activation activation, int background, Candidates *found)
{
	const Tensor output = {"logits", 2, {1, n}, scores};
	DecodeRequest wanted = request(&decode_classifier, n, 0.5f, 224, 224);

	options.activation = activation;
	wanted.background = background;
	found->count = 0;
	decode(&decode_classifier, &output, 1, &wanted, found);
}

static void
classifier_by_hand(void **state)
{
	Candidates *found = *state;
	const float logits[] = {0, logf(6), 0}; /* e^x: 1, 6, 1 of 8 */
	const float sure[] = {0.1f, 0.2f, 0.7f};
	const float one[] = {0.8f};
	const float odds[] = {logf(3)}; /* 3 to 1 */
	const Tensor wrong = {"logits", 2, {1, 3}, logits};

	classify(logits, 3, ACTIVATION_AUTO, -1, found);
	assert_int_equal(found->count, 1);
	assert_int_equal(found->items[0].label, 1);
	assert_float_equal(found->items[0].confidence, 0.75f, 1e-6f);
	assert_box(&found->items[0], 0, 0, 1, 1);
	classify(logits, 3, ACTIVATION_SIGMOID, -1, found);
	assert_float_equal(found->items[0].confidence, 6 / 7.0f, 1e-6f);
	classify(logits, 3, ACTIVATION_AUTO, 1, found);
	assert_int_equal(found->count, 0);

	/* Probabilities stay what they are. */
	classify(sure, 3, ACTIVATION_AUTO, -1, found);
	assert_int_equal(found->items[0].label, 2);
	assert_float_equal(found->items[0].confidence, 0.7f, 0);
	classify(sure, 3, ACTIVATION_SOFTMAX, -1, found);
	assert_int_equal(found->count, 0); /* 1 / (1 + e^-0.5 + e^-0.6) = 0.46 */
	classify(one, 1, ACTIVATION_AUTO, -1, found);
	assert_float_equal(found->items[0].confidence, 0.8f, 0);
	classify(odds, 1, ACTIVATION_AUTO, -1, found);
	assert_float_equal(found->items[0].confidence, 0.75f, 1e-6f);

	found->count = 0;
	refuse(&decode_classifier, &wrong, 1, 2, found, "output logits [1, 3] should be [1, 2]");
	refuse(&decode_classifier, &wrong, 0, 2, found, "one output, but this model has 0");
}

/* Whatever is wrong, the reason names the tensor and its shape. */
static void
outputs_that_do_not_fit(void **state)
{
	Candidates *found = *state;
	const float data[16] = {0};
	const Tensor no_scores[] = {{"boxes", 3, {1, 2, 4}, data}};
	const Tensor wrong_dims[] = {{"scores", 2, {2, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	const Tensor wrong_count[] = {{"scores", 3, {1, 3, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	const Tensor labels[] = {{"scores", 3, {1, 2, 3}, data}, {"boxes", 3, {1, 2, 4}, data}};
	const Tensor face = {"output0", 3, {1, 20, 2}, data};
	const DecodeKind *kinds[] = {&decode_efficientdet, &decode_ultraface};

	for (int i = 0; i < 2; i++)
	{
		refuse(kinds[i], no_scores, 1, 1, found, "there is no output scores");
		refuse(kinds[i], no_scores, 1, 1, found, "but boxes [1, 2, 4]");
		refuse(kinds[i], wrong_dims, 2, 3, found, "output scores [2, 3] should be [1, 2, ");
		refuse(kinds[i], wrong_count, 2, 3, found, "output scores [1, 3, 3] should be [1, 2, ");
		refuse(kinds[i], wrong_count, 1, 3, found,
			   "there is no output boxes [1, N, 4], but scores [1, 3, 3]");
	}
	refuse(&decode_efficientdet, labels, 2, 5, found, "the model scores 3 labels, but 5 are named");
	refuse(&decode_yolo, &face, 1, 80, found,
		   "output output0 [1, 20, 2] should be [1, 84, N] or [1, N, 85]");
	refuse(&decode_yolo, &face, 0, 80, found, "no output");
}

static void
numbers_that_are_none_are_dropped(void **state)
{
	Candidates *found = *state;
	const float boxes[] = {NAN, 0.2f, 0.5f, 0.3f, 0, 0, INFINITY, 1, 0.1f, 0.1f, 0.2f, 0.2f};
	const float scores[] = {0.9f, 0.9f, NAN};
	const float yolo[] = {NAN, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.9f, NAN}; /* two anchors, two labels */
	const float sure[] = {NAN, NAN};
	const Tensor outputs[] = {{"scores", 3, {1, 3, 1}, scores}, {"boxes", 3, {1, 3, 4}, boxes}};
	const Tensor output = {"output0", 3, {1, 6, 2}, yolo};
	const Tensor verdict = {"verdict", 2, {1, 2}, sure};
	DecodeRequest wanted = request(&decode_efficientdet, 1, 0.3f, 64, 64);

	decode(&decode_efficientdet, outputs, 2, &wanted, found);
	wanted = request(&decode_yolo, 2, 1, 64, 64);
	decode(&decode_yolo, &output, 1, &wanted, found);
	wanted = request(&decode_classifier, 2, 0, 64, 64);
	decode(&decode_classifier, &verdict, 1, &wanted, found);
	assert_int_equal(found->count, 1); /* the second anchor of yolo, all of whose numbers are */
	assert_int_equal(found->items[0].label, 0);
}

/* However many there are and in whatever order, the best are kept. */
static void
a_flood_keeps_the_best(void **state)
{
	Candidates *found = *state;
	float best = 0;

	for (int i = 0; i < 20000; i++)
	{
		Object object = {.box = {0.1f, 0.1f, 0.1f, 0.1f},
						 .confidence = (float) (i * 7919 % 20000) / 20000};

		candidates_add(found, &object);
		assert_in_range(found->count, 1, CANDIDATES_MAX);
	}
	for (int i = 0; i < found->count; i++)
		best = fmaxf(best, found->items[i].confidence);
	assert_float_equal(best, 19999.0f / 20000, 1e-6f);
	assert_true(found->count >= CANDIDATES_MAX / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(efficientdet_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(ultraface_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(yolo_v8_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(yolo_v8_in_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(yolo_v5_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(retinaface_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(ssd_detection_output_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(ssd_tensorflow_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(ssd_pytorch_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(classifier_by_hand, setup, teardown),
		cmocka_unit_test_setup_teardown(outputs_that_do_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_that_are_none_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_keeps_the_best, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
