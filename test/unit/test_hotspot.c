/* Hot spots in grey pictures made by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "detector.h"
#include "detector_picture.h"

#define WIDTH 100
#define HEIGHT 80
#define STRIDE 112 /* rows may be longer than the picture */

static uint8_t pixels[STRIDE * HEIGHT];
static const GreyPicture picture = {pixels, WIDTH, HEIGHT, STRIDE};

static void
fill(int x, int y, int w, int h, int level)
{
	for (int row = y; row < y + h; row++)
		memset(pixels + row * STRIDE + x, level, w);
}

static int
set_up(void **state)
{
	/* What lies beside the picture is white, and must not be seen. */
	memset(pixels, 255, sizeof(pixels));
	fill(0, 0, WIDTH, HEIGHT, 40);
	*state = calloc(1, sizeof(Candidates));
	return *state == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	free(*state);
	return 0;
}

static void
look(const ModelOptions *options, float min_confidence, Candidates *found)
{
	char runtime[64];
	char error[200] = "";
	void *model =
		picture_hotspot.open(NULL, options, runtime, sizeof(runtime), error, sizeof(error));

	if (model == NULL)
		fail_msg("%s", error);
	found->count = 0;
	assert_int_equal(
		picture_hotspot.search(model, &picture, min_confidence, found, error, sizeof(error)), 0);
	picture_hotspot.close(model);
}

static void
assert_box(const Object *object, float x, float y, float w, float h)
{
	assert_float_equal(object->box.x, x, 1e-6f);
	assert_float_equal(object->box.y, y, 1e-6f);
	assert_float_equal(object->box.w, w, 1e-6f);
	assert_float_equal(object->box.h, h, 1e-6f);
}

static void
regions_above_a_level(void **state)
{
	Candidates *found = *state;
	ModelOptions options = model_options_default("hotspot");

	options.threshold = 200;
	options.min_area = 6.0f / (WIDTH * HEIGHT);
	fill(10, 20, 5, 4, 210);
	fill(15, 24, 2, 2, 220);   /* touches its corner: the same */
	fill(60, 8, 3, 2, 255);	   /* just large enough */
	fill(80, 60, 5, 1, 255);   /* too small */
	fill(40, 40, 10, 10, 199); /* not hot */
	fill(97, 70, 3, 10, 200);  /* at the corner of the picture, and just hot */

	look(&options, 0.5f, found);
	assert_int_equal(found->count, 3);
	assert_box(&found->items[0], 0.6f, 0.1f, 0.03f, 2 / 80.0f);
	assert_float_equal(found->items[0].confidence, 1, 0);
	assert_false(found->items[0].attributes.has_temperature);
	assert_box(&found->items[1], 0.1f, 0.25f, 0.07f, 6 / 80.0f);
	/* 20 of the 55 levels above 200. */
	assert_float_equal(found->items[1].confidence, 0.5f + 0.5f * 20 / 55, 1e-6f);
	assert_box(&found->items[2], 0.97f, 0.875f, 0.03f, 0.125f);
	assert_float_equal(found->items[2].confidence, 0.5f, 0);

	look(&options, 0.6f, found);
	assert_int_equal(found->count, 2);
}

/* A warm thing in a cold place, below every threshold. */
static void
hotter_than_the_surroundings(void **state)
{
	Candidates *found = *state;
	ModelOptions options = model_options_default("hotspot");

	fill(50, 40, 4, 4, 120);
	look(&options, 0, found);
	assert_int_equal(found->count, 0);
	options.threshold = 0;
	options.contrast = 60;
	look(&options, 0, found);
	assert_int_equal(found->count, 1);
	assert_box(&found->items[0], 0.5f, 0.5f, 0.04f, 0.05f);

	/* A slope from dark to bright is no spot. */
	for (int x = 0; x < WIDTH; x++)
		fill(x, 0, 1, HEIGHT, x * 2);
	look(&options, 0, found);
	assert_int_equal(found->count, 0);
	/* Of 198 levels at column 99 and 187 in the mean of its surroundings, from column 88 on. */
	options.contrast = 11;
	look(&options, 0, found);
	assert_int_equal(found->count, 1);
	assert_box(&found->items[0], 0.99f, 0, 0.01f, 1);
}

static void
levels_are_temperatures(void **state)
{
	Candidates *found = *state;
	ModelOptions options = model_options_default("hotspot");

	/* 20 degrees at 30, 120 at 230: half a degree a level. */
	options.has_temperatures = 1;
	options.temperatures[0][0] = 30;
	options.temperatures[0][1] = 20;
	options.temperatures[1][0] = 230;
	options.temperatures[1][1] = 120;
	options.has_min_temperature = 1;
	options.min_temperature = 80; /* level 150 */
	fill(10, 10, 10, 10, 149);
	fill(50, 10, 10, 10, 150);
	fill(55, 15, 1, 1, 190);
	look(&options, 0.5f, found);
	assert_int_equal(found->count, 1);
	assert_float_equal(found->items[0].box.x, 0.5f, 0);
	assert_true(found->items[0].attributes.has_temperature);
	assert_float_equal(found->items[0].attributes.temperature, 100, 1e-4f);
}

static void
nothing_that_could_be_hot_is_refused(void **state)
{
	ModelOptions options = model_options_default("hotspot");
	char runtime[64];
	char error[200] = "";

	options.threshold = 0;
	assert_null(
		picture_hotspot.open(NULL, &options, runtime, sizeof(runtime), error, sizeof(error)));
	assert_non_null(strstr(error, "nothing is hot"));
}

/* As a model like any other: on a frame, with the stream's range taken out. */
static void
in_a_frame(void **state)
{
	static const char *const labels[] = {"overheat"};
	ModelOptions options = model_options_default("hotspot");
	ModelSpec spec = {.name = "hotspot",
					  .kind = "hotspot",
					  .runtime = "auto",
					  .input_width = 160,
					  .input_height = 160,
					  .labels = labels,
					  .nlabels = 1,
					  .min_confidence = 0.5f,
					  .nms_iou = 0.5f,
					  .options = &options};
	Workspace *workspace = workspace_create();
	AVFrame *frame = av_frame_alloc();
	char error[300] = "";
	Detector *detector;
	ObjectList objects;

	frame->format = AV_PIX_FMT_YUV420P;
	frame->width = 320;
	frame->height = 240;
	assert_int_equal(av_frame_get_buffer(frame, 0), 0);
	for (int plane = 0; plane < 3; plane++)
		memset(frame->data[plane], plane == 0 ? 60 : 128,
			   frame->linesize[plane] * (plane == 0 ? 240 : 120));
	/* 220 of 16..235 is 237 of 255; at x 160..200, y 120..150. */
	for (int y = 120; y < 150; y++)
		memset(frame->data[0] + y * frame->linesize[0] + 160, 220, 40);

	options.has_temperatures = 1;
	options.temperatures[1][0] = 255;
	options.temperatures[1][1] = 255;
	options.threshold = 150;
	detector = detector_open(&spec, error, sizeof(error));
	if (detector == NULL)
		fail_msg("%s", error);
	assert_string_equal(detector_runtime(detector), "built in");
	assert_int_equal(
		detector_run(detector, workspace, frame, NULL, 0, &objects, error, sizeof(error)), 0);
	assert_int_equal(objects.count, 1);
	assert_float_equal(objects.items[0].box.x, 0.5f, 0.01f);
	assert_float_equal(objects.items[0].box.y, 0.5f, 0.01f);
	assert_float_equal(objects.items[0].box.w, 0.125f, 0.01f);
	assert_float_equal(objects.items[0].box.h, 0.125f, 0.01f);
	assert_float_equal(objects.items[0].attributes.temperature, 237, 2);
	detector_close(detector);

	spec.runtime = "onnxruntime";
	assert_null(detector_open(&spec, error, sizeof(error)));
	assert_non_null(strstr(error, "kind hotspot does not run in onnxruntime"));
	av_frame_free(&frame);
	workspace_free(workspace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(regions_above_a_level, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hotter_than_the_surroundings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(levels_are_temperatures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_that_could_be_hot_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_a_frame, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
