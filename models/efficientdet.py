"""EfficientDet-Lite: what its two conversions from TensorFlow Lite share.

The source is the 8-bit model as published, ending in the custom operator
TFLite_Detection_PostProcess.  Non-maximum suppression stays outside; box
decoding and the sigmoid come in.  Outputs of every conversion:

    boxes   [1, N, 4]  ymin, xmin, ymax, xmax as fractions of the padded square
    scores  [1, N, 9]  one for each of LABELS
"""

import math

import numpy as np

import tflite
from onnx_graph import Graph

# Of COCO's 90 classes (numbered from 0) those that a camera is asked about;
# leaving out the others makes the whole model a fifth faster.
CLASSES = [0, 1, 2, 3, 5, 7, 15, 16, 17]
LABELS = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "bird", "cat", "dog"]
COCO_CLASSES = 90
ANCHORS_PER_CELL = 9


def same_padding(size, kernel, stride, dilation=1):
    """Before and after, as TensorFlow's SAME: the odd one comes after."""
    needed = (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size
    return max(needed, 0) // 2, max(needed, 0) - max(needed, 0) // 2


class Conversion:
    """Walks the operators; a subclass has a method for each kind.

    Inside, a tensor of rank 4 is NCHW, any other as in TensorFlow Lite.
    """

    def __init__(self, model):
        self.model = model
        self.graph = Graph()
        self.size = model.tensors[model.inputs[0]].shape[1]
        self.class_tensors = set()  # whose last axis was cut to CLASSES
        self.anchors = 0

    def run(self):
        for operator in self.model.operators:
            getattr(self, operator.kind.lower())(operator)

    def shape(self, tensor):
        return self.model.tensors[tensor].shape

    def pads(self, options, shape, kernel):
        """ONNX's pads (top, left, bottom, right) of a window over an NHWC shape."""
        if options["padding"] != tflite.PADDING_SAME:
            return [0, 0, 0, 0]
        top, bottom = same_padding(shape[1], kernel[0], options["stride_h"], options.get("dilation_h", 1))
        left, right = same_padding(shape[2], kernel[1], options["stride_w"], options.get("dilation_w", 1))
        return [top, left, bottom, right]

    def class_channels(self, operator, channels):
        """The output channels to keep of a convolution: an index, or None for all.

        Marks the output if it is the class head, a layer of one channel for
        each anchor and class.
        """
        if operator.kind != "CONV_2D" or channels != ANCHORS_PER_CELL * COCO_CLASSES:
            return None
        self.class_tensors.add(operator.outputs[0])
        return [anchor * COCO_CLASSES + label for anchor in range(ANCHORS_PER_CELL) for label in CLASSES]

    def reshape_target(self, operator):
        """The shape after a RESHAPE, with the classes that are kept."""
        target = list(self.shape(operator.outputs[0]))
        if operator.inputs[0] in self.class_tensors:
            target[-1] = len(CLASSES)
        return np.array(target, np.int64)

    def decode_boxes(self, encoded, scores, anchors):
        """Add boxes and scores: SSD's box coder with all scales 1.

        anchors are [N, 4]: centre y, centre x, height, width.
        """
        graph = self.graph
        centre, size = anchors[None, :, :2], anchors[None, :, 2:]
        self.anchors = anchors.shape[0]
        axis = graph.constant("last_axis", np.array([2], np.int64))
        bounds = [graph.constant(f"at_{i}", np.array([i], np.int64)) for i in (0, 2, 4)]
        shift = graph.add("Slice", [encoded, bounds[0], bounds[1], axis], "shift")
        growth = graph.add("Slice", [encoded, bounds[1], bounds[2], axis], "growth")
        moved = graph.add("Mul", [shift, graph.constant("anchor_size", size.astype(np.float32))], "moved")
        middle = graph.add("Add", [moved, graph.constant("anchor_centre", centre.astype(np.float32))], "middle")
        grown = graph.add("Exp", [growth], "grown")
        half = graph.add("Mul", [grown, graph.constant("anchor_half", (size / 2).astype(np.float32))], "half")
        low = graph.add("Sub", [middle, half], "low")
        high = graph.add("Add", [middle, half], "high")
        graph.add("Concat", [low, high], "boxes", axis=2)
        graph.add("Identity", [scores], "scores")

    def outputs(self):
        return [
            ("boxes", np.float32, [1, self.anchors, 4]),
            ("scores", np.float32, [1, self.anchors, len(CLASSES)]),
        ]

    def properties(self):
        return {"kind": "efficientdet", "labels": ",".join(LABELS), "licence": "Apache-2.0"}
