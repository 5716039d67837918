/* Options of models: defaults, values, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "desired_state.h"
#include "model_options.h"

static ModelOptions
read_options(const char *kind, const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	ModelOptions options;
	char error[200] = "";

	assert_non_null(object);
	if (!model_options_read(object, kind, &options, error, sizeof(error)))
		fail_msg("%s", error);
	json_decref(object);
	return options;
}

static void
assert_refused(const char *kind, const char *text, const char *why)
{
	json_t *object = json_loads(text, 0, NULL);
	ModelOptions options;
	char error[200] = "";

	assert_non_null(object);
	assert_false(model_options_read(object, kind, &options, error, sizeof(error)));
	assert_string_equal(error, why);
	json_decref(object);
}

static void
defaults_are_those_of_the_field(void **state)
{
	ModelOptions cascade = model_options_default("cascade");
	ModelOptions yolo = model_options_default("yolo");
	ModelOptions faces = model_options_default("ultraface");
	ModelOptions hotspot = model_options_default("hotspot");
	ModelOptions unknown = model_options_default("nonsense");
	ModelOptions none;
	char error[200];

	assert_float_equal(cascade.scale_factor, 1.1f, 1e-6f);
	assert_int_equal(cascade.min_neighbors, 6);
	assert_int_equal(cascade.min_size, 40);
	assert_float_equal(cascade.min_aspect, 0.6f, 1e-6f);
	assert_float_equal(cascade.max_aspect, 1.4f, 1e-6f);
	assert_int_equal(yolo.input.pad, 114);
	assert_int_equal(yolo.input.fit, FIT_CENTRED);
	assert_string_equal(yolo.within, "");
	assert_string_equal(faces.within, "person");
	assert_float_equal(hotspot.interval, 1, 0);
	assert_string_equal(unknown.within, "");
	assert_true(model_options_read(NULL, "cascade", &none, error, sizeof(error)));
	assert_true(model_options_equal(&none, &cascade));
	assert_false(model_options_equal(&none, &hotspot));
}

static void
values_take_effect(void **state)
{
	ModelOptions cascade = read_options(
		"cascade", "{\"scale_factor\":1.2,\"min_neighbors\":3,\"min_size\":24,\"max_aspect\":2}");
	ModelOptions ssd = read_options("ssd", "{\"mean\":[1,2,3],\"scale\":0.5,\"color\":\"bgr\","
										   "\"fit\":\"letterbox_centred\",\"pad\":7,"
										   "\"background_class\":false,\"interval\":0.5}");
	ModelOptions fire =
		read_options("classifier", "{\"background\":\"normal\",\"activation\":\"sigmoid\","
								   "\"within\":\"person\",\"min_duration\":2}");
	ModelOptions hot = read_options("hotspot", "{\"temperatures\":[[30,20],[230,120]],"
											   "\"min_temperature\":80,\"contrast\":40}");
	ModelOptions faces = read_options("ultraface", "{\"within\":\"\"}");

	assert_float_equal(cascade.scale_factor, 1.2f, 1e-6f);
	assert_int_equal(cascade.min_neighbors, 3);
	assert_int_equal(cascade.min_size, 24);
	assert_float_equal(cascade.min_aspect, 0.6f, 1e-6f);
	assert_float_equal(cascade.max_aspect, 2, 0);
	for (int i = 0; i < 3; i++)
	{
		assert_float_equal(ssd.input.mean[i], i + 1, 0);
		assert_float_equal(ssd.input.scale[i], 0.5f, 0);
	}
	assert_int_equal(ssd.input.bgr, 1);
	assert_int_equal(ssd.input.fit, FIT_CENTRED);
	assert_int_equal(ssd.input.pad, 7);
	assert_false(ssd.background_class);
	assert_float_equal(ssd.interval, 0.5f, 0);
	assert_string_equal(fire.background, "normal");
	assert_int_equal(fire.activation, ACTIVATION_SIGMOID);
	assert_string_equal(fire.within, "person");
	assert_float_equal(fire.min_duration, 2, 0);
	assert_true(hot.has_temperatures && hot.has_min_temperature);
	assert_float_equal(hot.temperatures[1][0], 230, 0);
	assert_float_equal(hot.temperatures[1][1], 120, 0);
	assert_float_equal(hot.min_temperature, 80, 0);
	assert_string_equal(faces.within, "");
}

static void
what_makes_no_sense_is_refused(void **state)
{
	assert_refused("yolo", "{\"min_neighbors\":3}", "kind yolo takes no option \"min_neighbors\"");
	assert_refused("cascade", "{\"mean\":3}", "kind cascade takes no option \"mean\"");
	assert_refused("cascade", "[]", "options must be an object");
	assert_refused("cascade", "{\"scale_factor\":1}",
				   "option scale_factor must be a number from 1.01 to 4");
	assert_refused("cascade", "{\"min_neighbors\":2.5}",
				   "option min_neighbors must be a whole number from 1 to 100");
	assert_refused("cascade", "{\"min_aspect\":2}", "option min_aspect is above max_aspect");
	assert_refused("yolo", "{\"fit\":\"tight\"}",
				   "option fit must be one of letterbox, letterbox_centred, stretch");
	assert_refused("yolo", "{\"fit\":3}",
				   "option fit must be one of letterbox, letterbox_centred, stretch");
	assert_refused("yolo", "{\"mean\":[1,2]}",
				   "option mean must be a number, or three, from -1000 to 1000");
	assert_refused("yolo", "{\"mean\":[1,2,3,4]}",
				   "option mean must be a number, or three, from -1000 to 1000");
	assert_refused(
		"yolo", "{\"within\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
		"option within must be a text of at most 63 bytes");
	assert_refused("ssd", "{\"background_class\":1}",
				   "option background_class must be true or false");
	assert_refused("hog", "{\"win_stride\":6}", "option win_stride must be a multiple of 4");
	assert_refused("hotspot", "{\"min_temperature\":80}",
				   "option min_temperature needs temperatures");
	assert_refused("hotspot", "{\"temperatures\":[[30,20],[30,120]]}",
				   "option temperatures must be [[level, temperature], [level, temperature]], "
				   "two levels from 0 to 255");
	assert_refused("hotspot", "{\"temperatures\":[[30,20],[300,120]]}",
				   "option temperatures must be [[level, temperature], [level, temperature]], "
				   "two levels from 0 to 255");
	assert_refused("hotspot", "{\"temperatures\":[[30,120],[230,20]]}",
				   "option temperatures must rise with the level");
}

/* The desired state passes them on, and a change of them is a change of the model. */
static void
a_model_has_options(void **state)
{
	json_t *object = json_loads("{\"name\":\"haar\",\"kind\":\"cascade\",\"file\":\"haar.xml\","
								"\"labels\":[\"face\"],\"options\":{\"min_size\":30}}",
								0, NULL);
	json_t *options = json_object_get(object, "options");
	char error[200] = "";
	ModelConfig *a = model_config_read(object, "/models", error, sizeof(error));
	ModelConfig *b;

	assert_non_null(a);
	assert_int_equal(a->options.min_size, 30);
	json_object_set_new(options, "min_size", json_integer(31));
	b = model_config_read(object, "/models", error, sizeof(error));
	assert_non_null(b);
	assert_false(model_config_equal(a, b));
	model_config_unref(b);
	json_object_set_new(options, "min_size", json_integer(30));
	b = model_config_read(object, "/models", error, sizeof(error));
	assert_true(model_config_equal(a, b));
	model_config_unref(a);
	model_config_unref(b);

	json_object_set_new(options, "min_size", json_integer(-1));
	assert_null(model_config_read(object, "/models", error, sizeof(error)));
	assert_string_equal(error, "option min_size must be a whole number from 1 to 4096");
	json_object_clear(options);

	/* Only a kind without weights does without a file. */
	json_object_del(object, "file");
	assert_null(model_config_read(object, "/models", error, sizeof(error)));
	assert_string_equal(error, "file must be a path relative to the models' directory");
	json_object_set_new(object, "kind", json_string("hotspot"));
	a = model_config_read(object, "/models", error, sizeof(error));
	assert_non_null(a);
	assert_null(a->path);
	model_config_unref(a);
	json_decref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_field),
		cmocka_unit_test(values_take_effect),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(a_model_has_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
