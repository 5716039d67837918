/*
 * tiny_model.h
 *		A network that tests make themselves: the mean of each colour channel.
 */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Protocol-buffer text being written; no field here is longer than fits. */
typedef struct Proto
{
	size_t length;
	uint8_t bytes[480];
} Proto;

static inline void
proto_number(Proto *proto, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		proto->bytes[proto->length++] = (uint8_t) (value | 0x80);
	proto->bytes[proto->length++] = (uint8_t) value;
}

static inline void
proto_integer(Proto *proto, int field, uint64_t value)
{
	proto_number(proto, (uint64_t) field << 3);
	proto_number(proto, value);
}

static inline void
proto_bytes(Proto *proto, int field, const void *bytes, size_t length)
{
	proto_number(proto, (uint64_t) field << 3 | 2);
	proto_number(proto, length);
	if (proto->length + length > sizeof(proto->bytes))
		abort();
	memcpy(proto->bytes + proto->length, bytes, length);
	proto->length += length;
}

static inline void
proto_text(Proto *proto, int field, const char *text)
{
	proto_bytes(proto, field, text, strlen(text));
}

static inline void
proto_message(Proto *proto, int field, const Proto *message)
{
	proto_bytes(proto, field, message->bytes, message->length);
}

/* A NodeProto of one input and one output. */
static inline Proto
onnx_node(const char *operation, const char *input, const char *output)
{
	Proto node = {0};

	proto_text(&node, 1, input);
	proto_text(&node, 2, output);
	proto_text(&node, 4, operation);
	return node;
}

/* A ValueInfoProto of floats. */
static inline Proto
onnx_value(const char *name, const int *dims, int ndims)
{
	Proto shape = {0};
	Proto tensor = {0};
	Proto type = {0};
	Proto value = {0};

	for (int i = 0; i < ndims; i++)
	{
		Proto dim = {0};

		proto_integer(&dim, 1, dims[i]);
		proto_message(&shape, 1, &dim);
	}
	proto_integer(&tensor, 1, 1);
	proto_message(&tensor, 2, &shape);
	proto_message(&type, 1, &tensor);
	proto_text(&value, 1, name);
	proto_message(&value, 2, &type);
	return value;
}

/* Write an ONNX model from x [1, 3, side, side] to y [1, 3]: each channel's mean. */
static inline void
tiny_model_write(const char *path, int side)
{
	Proto pool = onnx_node("GlobalAveragePool", "x", "p");
	Proto flatten = onnx_node("Flatten", "p", "y");
	Proto input = onnx_value("x", (const int[]){1, 3, side, side}, 4);
	Proto output = onnx_value("y", (const int[]){1, 3}, 2);
	Proto graph = {0};
	Proto opset = {0};
	Proto model = {0};
	FILE *file = fopen(path, "wb");

	proto_message(&graph, 1, &pool);
	proto_message(&graph, 1, &flatten);
	proto_text(&graph, 2, "means");
	proto_message(&graph, 11, &input);
	proto_message(&graph, 12, &output);
	proto_text(&opset, 1, "");
	proto_integer(&opset, 2, 10);
	proto_integer(&model, 1, 5);
	proto_message(&model, 7, &graph);
	proto_message(&model, 8, &opset);
	if (file == NULL || fwrite(model.bytes, 1, model.length, file) != model.length ||
		fclose(file) != 0)
		abort();
}

#endif /* TINY_MODEL_H */
