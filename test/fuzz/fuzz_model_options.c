/* A model's options, for every kind: the first byte chooses it. */
#include "fuzz.h"

#include <jansson.h>
#include <math.h>

#include "model_options.h"

static const char *const kinds[] = {"efficientdet", "yolo",	   "ultraface", "retinaface", "ssd",
									"classifier",	"cascade", "hog",		"hotspot",	  "?"};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *kind;
	json_t *object;
	ModelOptions options;
	ModelOptions again;
	char error[256] = "";

	if (size == 0)
		return 0;
	kind = kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];
	object = json_loadb((const char *) data + 1, size - 1, JSON_DECODE_ANY, NULL);
	if (!model_options_read(object, kind, &options, error, sizeof(error)))
		CHECK(error[0] != '\0');
	else
	{
		CHECK(model_options_read(object, kind, &again, error, sizeof(error)));
		CHECK(model_options_equal(&options, &again));
		CHECK(memchr(options.within, '\0', sizeof(options.within)) != NULL);
		CHECK(memchr(options.background, '\0', sizeof(options.background)) != NULL);
		CHECK(isfinite(options.interval) && isfinite(options.min_duration));
	}
	json_decref(object);
	return 0;
}
