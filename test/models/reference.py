#!/usr/bin/python3
"""What EfficientDet-Lite should find, worked out without the converter.

An interpreter of the 8-bit TensorFlow Lite model in NumPy, by the arithmetic
that TensorFlow Lite's quantisation specification states: integer products,
one rescaling and rounding for each output.  It shares the converter's reader of
the file, and nothing else.  Slow (seconds an image), and no
part of the product; it makes the files in test/models/expected, against which
the converted models are tested.

    reference.py MODEL.tflite < IMAGE    (raw RGB of the model's size)
"""

import os
import sys

import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models"))

import tflite  # noqa: E402

# COCO's numbers of the labels kept, counted from 0.
LABELS = {
    "person": 0,
    "bicycle": 1,
    "car": 2,
    "motorcycle": 3,
    "bus": 5,
    "truck": 7,
    "bird": 15,
    "cat": 16,
    "dog": 17,
}
MIN_SCORE = 0.2
MAX_IOU = 0.5


def half_away(values):
    """Round to the nearest integer, halves away from zero, as the specification does."""
    return np.trunc(values + np.copysign(0.5, values))


def around(size, out, kernel, stride):
    """Cells outside the input that SAME padding reads, before and after."""
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, (total + 1) // 2


class Interpreter:
    def __init__(self, model):
        self.model = model
        self.values = {i: t.values for i, t in enumerate(model.tensors) if t.values is not None}

    def scale(self, tensor):
        return float(self.model.tensors[tensor].scale[0])

    def zero(self, tensor):
        return int(self.model.tensors[tensor].zero_point[0])

    def run(self, image):
        self.values[self.model.inputs[0]] = image[None]
        for operator in self.model.operators:
            result = getattr(self, operator.kind.lower())(operator)
            self.values[operator.outputs[0]] = result
        return result

    def to_int8(self, real, tensor):
        """Real multiples of the output's scale, as its int8."""
        return np.clip(half_away(real) + self.zero(tensor), -128, 127).astype(np.int8)

    def windows(self, operator, values, kernel, outside):
        """For each place in the window: (row, column, the values under it)."""
        options = operator.options
        strides = (options["stride_h"], options["stride_w"])
        out = self.model.tensors[operator.outputs[0]].shape
        if options["padding"] == tflite.PADDING_SAME:
            edges = [around(values.shape[i + 1], out[i + 1], kernel[i], strides[i]) for i in (0, 1)]
            values = np.pad(values, [(0, 0), *edges, (0, 0)], constant_values=outside)
        for y in range(kernel[0]):
            for x in range(kernel[1]):
                rows = slice(y, y + strides[0] * (out[1] - 1) + 1, strides[0])
                columns = slice(x, x + strides[1] * (out[2] - 1) + 1, strides[1])
                yield y, x, values[:, rows, columns, :]

    def rescaled(self, operator, sums):
        source, weight, bias = operator.inputs
        output = operator.outputs[0]
        weight_scale = self.model.tensors[weight].scale.astype(np.float64)
        real = (sums + self.values[bias]) * (self.scale(source) * weight_scale / self.scale(output))
        result = self.to_int8(real, output)
        if operator.options["activation"] == tflite.ACTIVATION_RELU6:
            six = half_away(np.float64(6 / self.scale(output))) + self.zero(output)
            result = np.clip(result, self.zero(output), min(six, 127)).astype(np.int8)
        return result

    def conv_2d(self, operator):
        source, weight, _ = operator.inputs
        weights = self.values[weight].astype(np.float64)  # OHWI; exact up to 2^53
        values = self.values[source].astype(np.float64) - self.zero(source)
        sums = 0
        for y, x, under in self.windows(operator, values, weights.shape[1:3], 0):
            sums = sums + under @ weights[:, y, x, :].T
        return self.rescaled(operator, sums)

    def depthwise_conv_2d(self, operator):
        source, weight, _ = operator.inputs
        weights = self.values[weight].astype(np.float64)  # 1HWC
        values = self.values[source].astype(np.float64) - self.zero(source)
        sums = 0
        for y, x, under in self.windows(operator, values, weights.shape[1:3], 0):
            sums = sums + under * weights[0, y, x, :]
        return self.rescaled(operator, sums)

    def add(self, operator):
        output = operator.outputs[0]
        real = sum((self.values[i].astype(np.float64) - self.zero(i)) * self.scale(i) for i in operator.inputs)
        return self.to_int8(real / self.scale(output), output)

    def max_pool_2d(self, operator):
        kernel = (operator.options["filter_h"], operator.options["filter_w"])
        under = [part for _, _, part in self.windows(operator, self.values[operator.inputs[0]], kernel, -128)]
        return np.maximum.reduce(under)

    def resize_nearest_neighbor(self, operator):
        values = self.values[operator.inputs[0]]
        _, height, width, _ = self.model.tensors[operator.outputs[0]].shape
        rows = np.arange(height) * values.shape[1] // height
        columns = np.arange(width) * values.shape[2] // width
        return values[:, rows][:, :, columns]

    def reshape(self, operator):
        return self.values[operator.inputs[0]].reshape(self.model.tensors[operator.outputs[0]].shape)

    def concatenation(self, operator):
        return np.concatenate([self.values[i] for i in operator.inputs], operator.options["axis"])

    def real(self, tensor):
        return (self.values[tensor].astype(np.float64) - self.zero(tensor)) * self.scale(tensor)

    def logistic(self, operator):
        output = operator.outputs[0]
        return self.to_int8(1 / (1 + np.exp(-self.real(operator.inputs[0]))) / self.scale(output), output)

    def quantize(self, operator):
        source, output = operator.inputs[0], operator.outputs[0]
        return self.to_int8(self.real(source) / self.scale(output), output)

    def dequantize(self, operator):
        return self.real(operator.inputs[0])

    def custom(self, operator):
        """TFLite_Detection_PostProcess without its suppression: boxes and scores."""
        encoded, scores, anchors = (self.values[i] for i in operator.inputs)
        centre = encoded[0, :, :2] * anchors[:, 2:] + anchors[:, :2]
        half = np.exp(encoded[0, :, 2:]) * anchors[:, 2:] / 2
        return np.concatenate([centre - half, centre + half], 1), scores[0][:, list(LABELS.values())]


def iou(box, boxes):
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return both / (np.prod(box[2:] - box[:2]) + areas - both)


def objects(boxes, scores):
    """(label, score, box), best first, after non-maximum suppression by label."""
    result = []
    for label, name in enumerate(LABELS):
        order = [i for i in np.argsort(-scores[:, label], kind="stable") if scores[i, label] >= MIN_SCORE]
        while order:
            best, rest = order[0], np.array(order[1:], int)
            result.append((name, scores[best, label], boxes[best]))
            order = rest[iou(boxes[best], boxes[rest]) <= MAX_IOU].tolist() if len(rest) else []
    return sorted(result, key=lambda found: -found[1])


def main():
    model = tflite.Model(sys.argv[1])
    size = model.tensors[model.inputs[0]].shape[1]
    image = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(size, size, 3)
    boxes, scores = Interpreter(model).run(image)
    for name, score, box in objects(boxes, scores):
        print(name, f"{score:.4f}", *(f"{edge:.4f}" for edge in box))
    for name, best in zip(LABELS, scores.max(axis=0)):
        print("best", name, f"{best:.4f}")


if __name__ == "__main__":
    main()
