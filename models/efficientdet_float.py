"""EfficientDet-Lite as float32 ONNX, opset 10: for any CPU, and for OpenCV.

Input: images, float32 [1, 3, S, S], RGB, (x - 127) / 128.  Opset 10 because
OpenCV 4.6 does not read the Clip of later ones.
"""

import numpy as np

import tflite
from efficientdet import Conversion


class FloatConversion(Conversion):
    def __init__(self, model):
        super().__init__(model)
        self.names = {model.inputs[0]: "images"}

    def save(self, path):
        self.graph.save(
            path,
            opset=10,
            ir_version=5,
            inputs=[("images", np.float32, [1, 3, self.size, self.size])],
            outputs=self.outputs(),
            properties=self.properties(),
        )

    def _inputs(self, operator):
        """Names of what is computed; shapes and sizes given as constants are left out."""
        return [self.names[tensor] for tensor in operator.inputs if tensor in self.names]

    def _add(self, node, inputs, operator, **attributes):
        """Add a node for an operator, with its activation."""
        output = operator.outputs[0]
        name = f"t{output}"
        activation = operator.options.get("activation", tflite.ACTIVATION_NONE)
        if activation == tflite.ACTIVATION_NONE:
            self.graph.add(node, inputs, name, **attributes)
        else:
            linear = self.graph.add(node, inputs, f"{name}_linear", **attributes)
            if activation == tflite.ACTIVATION_RELU6:
                self.graph.add("Clip", [linear], name, min=0.0, max=6.0)
            elif activation == tflite.ACTIVATION_RELU:
                self.graph.add("Relu", [linear], name)
            else:
                raise ValueError(f"activation {activation} is not one that this converter knows")
        self.names[output] = name

    def quantize(self, operator):
        """Float all through: rounding to 8 bits and back is left out."""
        self.names[operator.outputs[0]] = self.names[operator.inputs[0]]

    dequantize = quantize

    def conv_2d(self, operator):
        source, weight, bias = operator.inputs
        options = operator.options
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        # OHWI -> OIHW; depthwise 1HWC -> C1HW.
        weights = self.model.tensors[weight].real().transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        biases = self.model.tensors[bias].real()
        keep = self.class_channels(operator, len(biases))
        if keep is not None:
            weights, biases = weights[keep], biases[keep]
        kernel = list(weights.shape[2:])
        name = f"t{operator.outputs[0]}"
        inputs = [
            self.names[source],
            self.graph.constant(f"{name}_weights", weights),
            self.graph.constant(f"{name}_bias", biases),
        ]
        self._add(
            "Conv",
            inputs,
            operator,
            kernel_shape=kernel,
            strides=[options["stride_h"], options["stride_w"]],
            dilations=[options["dilation_h"], options["dilation_w"]],
            pads=self.pads(options, self.shape(source), kernel),
            group=weights.shape[0] if depthwise else 1,
        )

    depthwise_conv_2d = conv_2d

    def add(self, operator):
        self._add("Add", self._inputs(operator), operator)

    def max_pool_2d(self, operator):
        options = operator.options
        kernel = [options["filter_h"], options["filter_w"]]
        self._add(
            "MaxPool",
            self._inputs(operator),
            operator,
            kernel_shape=kernel,
            strides=[options["stride_h"], options["stride_w"]],
            pads=self.pads(options, self.shape(operator.inputs[0]), kernel),
        )

    def resize_nearest_neighbor(self, operator):
        before, after = self.shape(operator.inputs[0]), self.shape(operator.outputs[0])
        scales = [1.0, 1.0] + [self._scale(after[i], before[i]) for i in (1, 2)]
        constant = self.graph.constant(f"t{operator.outputs[0]}_scales", np.array(scales, np.float32))
        self._add("Resize", [*self._inputs(operator), constant], operator, mode="nearest")

    @staticmethod
    def _scale(after, before):
        """A ratio that float32 does not round down, lest 3 x 5/3 floor to 4."""
        scale = np.float32(after / before)
        return scale if scale * np.float64(before) >= after else np.nextafter(scale, np.float32(np.inf))

    def reshape(self, operator):
        source = self.names[operator.inputs[0]]
        name = f"t{operator.outputs[0]}"
        if len(self.shape(operator.inputs[0])) == 4:
            source = self.graph.add("Transpose", [source], f"{name}_nhwc", perm=[0, 2, 3, 1])
        target = self.graph.constant(f"{name}_shape", self.reshape_target(operator))
        self._add("Reshape", [source, target], operator)

    def concatenation(self, operator):
        self._add("Concat", self._inputs(operator), operator, axis=operator.options["axis"])

    def logistic(self, operator):
        self._add("Sigmoid", self._inputs(operator), operator)

    def custom(self, operator):
        boxes, scores, anchors = operator.inputs
        self.decode_boxes(self.names[boxes], self.names[scores], self.model.tensors[anchors].real())
