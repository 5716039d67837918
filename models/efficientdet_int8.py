"""EfficientDet-Lite as 8-bit ONNX, opset 13: 2.3 times as fast where a CPU has VNNI.

Input: images, uint8 [1, S, S, 3], RGB as it is.  Quantised values travel
between DequantizeLinear and QuantizeLinear, which ONNX Runtime fuses into its
8-bit kernels: activations are uint8 (TensorFlow Lite's int8 plus 128), weights
int8 with a scale for each output channel.  Pooling, resizing, reshaping and
concatenation run on the 8-bit values themselves.  Box decoding and the sigmoid
stay float.

Three rewrites change no result and save most of the time:
- channels that feed a depthwise convolution are padded with zeros to a
  multiple of 16, the width of its fast kernel;
- the nearest-neighbour resize by two is a reshape, an expand and a reshape;
- the first convolution sees four pixels side by side as twelve channels, for
  three channels would waste most of each vector.
"""

import numpy as np

from efficientdet import Conversion

CHANNEL_MULTIPLE = 16
TO_UINT8 = 128  # added to an int8 activation and its zero point
STEM_PIXELS = 4


def padded(values, length, axis=0):
    """values with zeros appended up to length along an axis."""
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, length - values.shape[axis])
    return np.pad(values, widths)


def stem_weights(weights):
    """The weights of a 3x3 stride-2 convolution on RGB pixels, rearranged.

    Input pixels come in fours, as 12 channels; each position yields two output
    pixels, as twice the channels.  Output pixel a of a pair reads input
    columns 2a .. 2a+2 of the four, and the last of them may lie in the next.
    """
    channels = weights.shape[0]
    wide = np.zeros((2 * channels, 3 * STEM_PIXELS, 3, 2), weights.dtype)
    for a in range(2):
        for x in range(3):
            step, pixel = divmod(2 * a + x, STEM_PIXELS)
            wide[a * channels : (a + 1) * channels, 3 * pixel : 3 * pixel + 3, :, step] = weights[:, :, :, x]
    return wide


class Int8Conversion(Conversion):
    def __init__(self, model):
        super().__init__(model)
        self.quantized = {}  # tensor -> name of its uint8 value
        self.floats = {}  # tensor -> name of its float value
        self.dequantized = 0
        self.stem = None  # the tensor of raw pixels
        self.wide_groups = self._group_channels()

    def save(self, path):
        self.graph.save(
            path,
            opset=13,
            ir_version=7,
            inputs=[("images", np.uint8, [1, self.size, self.size, 3])],
            outputs=self.outputs(),
            properties=self.properties(),
        )

    # Channel counts

    def _group_channels(self):
        """The groups of tensors that must be padded alike.

        Operators that keep channels apart tie their tensors to one count; a
        group with a depthwise convolution in it is padded.
        """
        self.group_of = {}
        depthwise = []
        for operator in self.model.operators:
            if operator.kind in ("DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR"):
                tied = operator.inputs if operator.kind == "ADD" else operator.inputs[:1]
                for tensor in tied:
                    self.group_of[self._group(tensor)] = self._group(operator.outputs[0])
            if operator.kind == "DEPTHWISE_CONV_2D":
                depthwise.append(operator.outputs[0])
        return {self._group(tensor) for tensor in depthwise}

    def _group(self, tensor):
        while self.group_of.get(tensor, tensor) != tensor:
            tensor = self.group_of[tensor]
        return tensor

    def _channels(self, tensor):
        count = self.shape(tensor)[3]
        if self._group(tensor) in self.wide_groups:
            count = -(-count // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE
        return count

    # To 8 bits and back

    def _scale_and_zero(self, tensor):
        described = self.model.tensors[tensor]
        if len(described.scale) != 1:
            raise ValueError(f"tensor {tensor} is not quantised as a whole")
        scale = np.float32(described.scale[0])
        zero = int(described.zero_point[0]) + TO_UINT8
        key = f"q_{scale.tobytes().hex()}_{zero}"
        return [
            self.graph.constant(f"{key}_scale", np.array(scale, np.float32)),
            self.graph.constant(f"{key}_zero", np.array(zero, np.uint8)),
        ]

    def _dequantize(self, tensor):
        """A fresh node for each use: shared ones would not be fused."""
        self.dequantized += 1
        name = f"t{tensor}_float{self.dequantized}"
        return self.graph.add("DequantizeLinear", [self.quantized[tensor], *self._scale_and_zero(tensor)], name)

    def _quantize(self, name, tensor):
        """ReLU6 comes of the output's range, which ends at 0 and 6."""
        self.quantized[tensor] = self.graph.add(
            "QuantizeLinear", [name, *self._scale_and_zero(tensor)], f"t{tensor}"
        )

    def _dequantized_constant(self, name, values, scale):
        inputs = [
            self.graph.constant(f"{name}_values", values),
            self.graph.constant(f"{name}_scale", scale),
            self.graph.constant(f"{name}_zero", np.zeros(len(scale), values.dtype)),
        ]
        return self.graph.add("DequantizeLinear", inputs, name, axis=0)

    # Layout

    def _nhwc(self, source, name):
        return self.graph.add("Transpose", [source], name, perm=[0, 2, 3, 1])

    def _nchw(self, source, name):
        return self.graph.add("Transpose", [source], name, perm=[0, 3, 1, 2])

    def _reshape(self, source, shape, name):
        target = self.graph.constant(f"{name}_shape", np.array(shape, np.int64))
        return self.graph.add("Reshape", [source, target], name)

    # Operators

    def quantize(self, operator):
        """The raw bytes are the quantised input: (x - 127) / 128 is its scale."""
        described = self.model.tensors[operator.outputs[0]]
        if operator.inputs[0] != self.model.inputs[0] or described.zero_point[0] + TO_UINT8 != 127:
            raise ValueError("the input is not quantised as (x - 127) / 128")
        self.stem = operator.outputs[0]
        wide = self._reshape("images", [1, self.size, self.size // STEM_PIXELS, 3 * STEM_PIXELS], "pixels_wide")
        self.quantized[self.stem] = self._nchw(wide, "pixels")

    def dequantize(self, operator):
        tensor, output = operator.inputs[0], operator.outputs[0]
        self.floats[output] = self._dequantize(tensor) if tensor in self.quantized else self.floats[tensor]

    def conv_2d(self, operator):
        source, weight, bias = operator.inputs
        output = operator.outputs[0]
        options = operator.options
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        weights, biases, scale, bias_scale = self._weights(operator, weight, bias, depthwise)
        kernel = list(weights.shape[2:])
        pads = self.pads(options, self.shape(source), kernel)
        strides = [options["stride_h"], options["stride_w"]]
        if source == self.stem:
            if kernel != [3, 3] or strides != [2, 2] or pads != [0, 0, 1, 1]:
                raise ValueError("the first convolution is not 3x3 with stride 2")
            weights = stem_weights(weights)
            biases, scale, bias_scale = (np.tile(values, 2) for values in (biases, scale, bias_scale))
            kernel, strides = [3, 2], [2, 1]
        name = f"t{output}"
        inputs = [
            self._dequantize(source),
            self._dequantized_constant(f"{name}_weights", weights, scale),
            self._dequantized_constant(f"{name}_bias", biases, bias_scale),
        ]
        real = self.graph.add(
            "Conv",
            inputs,
            f"{name}_real",
            kernel_shape=kernel,
            strides=strides,
            dilations=[options["dilation_h"], options["dilation_w"]],
            pads=pads,
            group=weights.shape[0] if depthwise else 1,
        )
        self._quantize(real, output)
        if source == self.stem:
            self._unfold_stem(output)

    depthwise_conv_2d = conv_2d

    def _weights(self, operator, weight, bias, depthwise):
        """Weights as int8 OIHW, biases as int32, and their scales, all padded."""
        described, described_bias = self.model.tensors[weight], self.model.tensors[bias]
        weights = described.values.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        biases = described_bias.values
        count = len(biases)
        if described.zero_point.any():
            raise ValueError(f"weights {weight} have a zero point")
        scale = np.broadcast_to(described.scale.astype(np.float32), count)
        bias_scale = np.broadcast_to(described_bias.scale.astype(np.float32), count)
        keep = self.class_channels(operator, count)
        if keep is not None:
            weights, biases, scale, bias_scale = (values[keep] for values in (weights, biases, scale, bias_scale))
        else:
            channels = self._channels(operator.outputs[0])
            weights, biases = padded(weights, channels), padded(biases, channels)
            # Any scale will do for zeros, but zero.
            scale, bias_scale = (
                np.concatenate([values, np.repeat(values[:1], channels - count)])
                for values in (scale, bias_scale)
            )
        if not depthwise and operator.inputs[0] != self.stem:
            weights = padded(weights, self._channels(operator.inputs[0]), axis=1)
        return weights, biases, scale, bias_scale

    def _unfold_stem(self, tensor):
        """Pairs of output pixels, kept as channels, side by side again."""
        half = self.size // 2
        pairs = self._nhwc(self.quantized[tensor], "stem_pairs")
        pixels = self._reshape(pairs, [1, half, half, self._channels(tensor)], "stem_pixels")
        self.quantized[tensor] = self._nchw(pixels, "stem")

    def add(self, operator):
        output = operator.outputs[0]
        inputs = [self._dequantize(tensor) for tensor in operator.inputs]
        self._quantize(self.graph.add("Add", inputs, f"t{output}_real"), output)

    def max_pool_2d(self, operator):
        tensor, output = operator.inputs[0], operator.outputs[0]
        options = operator.options
        kernel = [options["filter_h"], options["filter_w"]]
        self.quantized[output] = self.graph.add(
            "MaxPool",
            [self.quantized[tensor]],
            f"t{output}",
            kernel_shape=kernel,
            strides=[options["stride_h"], options["stride_w"]],
            pads=self.pads(options, self.shape(tensor), kernel),
        )

    def resize_nearest_neighbor(self, operator):
        tensor, output = operator.inputs[0], operator.outputs[0]
        (_, height, width, _), (_, to_height, to_width, _) = self.shape(tensor), self.shape(output)
        channels = self._channels(tensor)
        name = f"t{output}"
        if (to_height, to_width) != (2 * height, 2 * width):
            sizes = self.graph.constant(f"{name}_sizes", np.array([1, channels, to_height, to_width], np.int64))
            self.quantized[output] = self.graph.add(
                "Resize",
                [self.quantized[tensor], "", "", sizes],
                name,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
            return
        pixels = self._nhwc(self.quantized[tensor], f"{name}_nhwc")
        single = self._reshape(pixels, [1, height, 1, width, 1, channels], f"{name}_single")
        twice = self.graph.constant(
            f"{name}_double_shape", np.array([1, height, 2, width, 2, channels], np.int64)
        )
        double = self.graph.add("Expand", [single, twice], f"{name}_double")
        merged = self._reshape(double, [1, to_height, to_width, channels], f"{name}_merged")
        self.quantized[output] = self._nchw(merged, name)

    def reshape(self, operator):
        tensor, output = operator.inputs[0], operator.outputs[0]
        source = self.quantized[tensor]
        if len(self.shape(tensor)) == 4:
            source = self._nhwc(source, f"t{output}_nhwc")
        self.quantized[output] = self._reshape(source, self.reshape_target(operator), f"t{output}")

    def concatenation(self, operator):
        output = operator.outputs[0]
        target = self.model.tensors[output]
        for tensor in operator.inputs:
            source = self.model.tensors[tensor]
            if (source.scale[0], source.zero_point[0]) != (target.scale[0], target.zero_point[0]):
                raise ValueError(f"concatenation {output} joins different scales")
        self.quantized[output] = self.graph.add(
            "Concat",
            [self.quantized[tensor] for tensor in operator.inputs],
            f"t{output}",
            axis=operator.options["axis"],
        )

    def logistic(self, operator):
        tensor, output = operator.inputs[0], operator.outputs[0]
        self.floats[output] = self.graph.add("Sigmoid", [self._dequantize(tensor)], f"t{output}")

    def custom(self, operator):
        boxes, scores, anchors = operator.inputs
        self.decode_boxes(self.floats[boxes], self.floats[scores], self.model.tensors[anchors].real())
