/*
 * Outputs of networks that are not what their kind says: any shapes, any numbers.
 *
 * An input is: kind, number of labels, number of outputs, minimal confidence; for
 * each output a name, the number of dimensions and their lengths; then the numbers.
 */
#include "fuzz.h"

#include <math.h>

#include "detector_decode.h"

static const char *const kinds[] = {"efficientdet", "yolo", "ultraface",
									"retinaface",	"ssd",	"classifier"};
static const char *const names[] = {"scores",			"boxes",
									"output0",			"detection_boxes",
									"detection_scores", "detection_classes",
									"num_detections",	"output"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_OUTPUTS 4
#define MAX_VALUES 12000 /* 84 x 100 and a few */

typedef struct Bytes
{
	const uint8_t *data;
	size_t left;
} Bytes;

static unsigned
take(Bytes *bytes)
{
	if (bytes->left == 0)
		return 0;
	bytes->left--;
	return *bytes->data++;
}

/* Lengths that fit and some that do not; a dynamic one that lies is not asked for. */
static int64_t
take_length(Bytes *bytes)
{
	static const int64_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 10, 80, 84, 100, 0};
	unsigned byte = take(bytes);

	return byte < COUNT(lengths) ? lengths[byte] : byte;
}

/* Numbers of the input, over and over. */
static float *
make_values(const Bytes *bytes, size_t count)
{
	float *values = malloc(count * sizeof(float) + 1);

	if (values == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
	{
		uint32_t bits = 0;

		for (int j = 0; j < 4 && bytes->left > 0; j++)
			bits = bits << 8 | bytes->data[(i * 4 + j) % bytes->left];
		memcpy(&values[i], &bits, sizeof(bits));
		/* Every other input near what networks say. */
		if (bytes->left % 2 == 0)
			values[i] = (float) (bits % 1024) / 512 - 0.5f;
	}
	return values;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes bytes = {data, size};
	const char *kind = kinds[take(&bytes) % COUNT(kinds)];
	ModelOptions options = model_options_default(kind);
	DecodeRequest request = {.nlabels = 1 + (int) take(&bytes) % 90,
							 .background = -1,
							 .input_width = 64,
							 .input_height = 48,
							 .options = &options};
	int noutputs = (int) (take(&bytes) % (MAX_OUTPUTS + 1));
	Tensor outputs[MAX_OUTPUTS];
	float *values[MAX_OUTPUTS];
	Candidates *found = calloc(1, sizeof(*found));
	char error[300] = "";

	if (found == NULL)
		abort();
	request.min_confidence = (float) (take(&bytes) % 101) / 100;
	options.background_class = (int) take(&bytes) % 2;
	for (int i = 0; i < noutputs; i++)
	{
		size_t count = 1;

		outputs[i] = (Tensor){.name = names[take(&bytes) % COUNT(names)],
							  .ndims = (int) (take(&bytes) % (TENSOR_MAX_DIMS + 1))};
		for (int j = 0; j < outputs[i].ndims; j++)
		{
			outputs[i].dims[j] = take_length(&bytes);
			if (count * (size_t) outputs[i].dims[j] > MAX_VALUES)
				outputs[i].dims[j] = 1;
			count *= (size_t) outputs[i].dims[j];
		}
		values[i] = make_values(&bytes, count);
		outputs[i].data = values[i];
	}
	if (find_decode_kind(kind)->decode(outputs, noutputs, &request, found, error, sizeof(error)) !=
		0)
		CHECK(error[0] != '\0');
	CHECK(found->count >= 0 && found->count <= CANDIDATES_MAX);
	for (int i = 0; i < found->count; i++)
	{
		const Object *object = &found->items[i];

		CHECK(object->label >= 0 && object->label < request.nlabels);
		CHECK(object->confidence >= request.min_confidence);
		CHECK(isfinite(object->box.x) && isfinite(object->box.y));
		CHECK(isfinite(object->box.w) && isfinite(object->box.h));
	}
	for (int i = 0; i < noutputs; i++)
		free(values[i]);
	free(found);
	return 0;
}
