"""A reader of TensorFlow Lite models: tensors, operators and their options.

A .tflite file is a FlatBuffer (identifier TFL3); the field numbers below are
those of tensorflow/lite/schema/schema.fbs.  Only what detection models use is
read.  Nothing needs TensorFlow.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    22: "RESHAPE",
    32: "CUSTOM",
    97: "RESIZE_NEAREST_NEIGHBOR",
    114: "QUANTIZE",
}

TYPES = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}

# Options of an operator: name -> (field number, struct format, default).
_WINDOW = {"padding": (0, "b", 0), "stride_w": (1, "i", 1), "stride_h": (2, "i", 1)}
OPTIONS = {
    "ADD": {"activation": (0, "b", 0)},
    "CONCATENATION": {"axis": (0, "i", 0), "activation": (1, "b", 0)},
    "CONV_2D": {
        **_WINDOW,
        "activation": (3, "b", 0),
        "dilation_w": (4, "i", 1),
        "dilation_h": (5, "i", 1),
    },
    "DEPTHWISE_CONV_2D": {
        **_WINDOW,
        "activation": (4, "b", 0),
        "dilation_w": (5, "i", 1),
        "dilation_h": (6, "i", 1),
    },
    "MAX_POOL_2D": {**_WINDOW, "filter_w": (3, "i", 1), "filter_h": (4, "i", 1), "activation": (5, "b", 0)},
}

PADDING_SAME = 0
ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_RELU6 = 0, 1, 3


class _Table:
    """One FlatBuffers table; an absent field gives its default."""

    def __init__(self, data, position):
        self.data = data
        self.position = position
        self.vtable = position - self._unpack("i", position)
        self.vtable_size = self._unpack("H", self.vtable)

    def _unpack(self, kind, position):
        return struct.unpack_from("<" + kind, self.data, position)[0]

    def _field(self, number):
        slot = 4 + 2 * number
        offset = self._unpack("H", self.vtable + slot) if slot < self.vtable_size else 0
        return self.position + offset if offset else None

    def _target(self, position):
        return position + self._unpack("I", position)

    def scalar(self, number, kind, default=0):
        position = self._field(number)
        return default if position is None else self._unpack(kind, position)

    def table(self, number):
        position = self._field(number)
        return None if position is None else _Table(self.data, self._target(position))

    def array(self, number, dtype):
        position = self._field(number)
        if position is None:
            return np.zeros(0, dtype)
        start = self._target(position)
        return np.frombuffer(self.data, dtype, self._unpack("I", start), start + 4)

    def string(self, number):
        return self.array(number, np.uint8).tobytes().decode()

    def tables(self, number):
        position = self._field(number)
        if position is None:
            return []
        start = self._target(position)
        return [
            _Table(self.data, self._target(start + 4 + 4 * i)) for i in range(self._unpack("I", start))
        ]


@dataclass
class Tensor:
    """Shapes are NHWC.  values is None for what is computed at run time.

    A quantised tensor stands for (values - zero_point) * scale; weights have
    one scale for each slice along axis, everything else just one.
    """

    shape: list
    values: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int

    def real(self):
        """The values as float32, dequantised."""
        if len(self.scale) == 0:
            return self.values.astype(np.float32)
        shape = [1] * self.values.ndim
        shape[self.axis] = -1
        scale = self.scale.astype(np.float64).reshape(shape)
        zero = self.zero_point.astype(np.float64).reshape(shape)
        return ((self.values - zero) * scale).astype(np.float32)


@dataclass
class Operator:
    """inputs and outputs index the model's tensors."""

    kind: str
    inputs: list
    outputs: list
    options: dict = field(default_factory=dict)


class Model:
    """The first subgraph of a .tflite file; operators come in running order."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if data[4:8] != b"TFL3":
            raise ValueError(f"{path} is not a TensorFlow Lite model")
        root = _Table(data, struct.unpack_from("<I", data, 0)[0])
        buffers = root.tables(4)
        codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in root.tables(1)]
        graph = root.tables(2)[0]
        self.tensors = [self._tensor(table, buffers) for table in graph.tables(0)]
        self.inputs = graph.array(1, "<i4").tolist()
        self.operators = [self._operator(table, codes) for table in graph.tables(3)]

    @staticmethod
    def _tensor(table, buffers):
        shape = table.array(0, "<i4").tolist()
        raw = buffers[table.scalar(2, "I")].array(0, np.uint8)
        values = raw.view(TYPES[table.scalar(1, "b")]).reshape(shape) if len(raw) else None
        quantization = table.table(4)
        if quantization is None:
            return Tensor(shape, values, np.zeros(0, np.float32), np.zeros(0, np.int64), 0)
        return Tensor(
            shape,
            values,
            quantization.array(2, "<f4"),
            quantization.array(3, "<i8"),
            quantization.scalar(6, "i"),
        )

    @staticmethod
    def _operator(table, codes):
        code = codes[table.scalar(0, "I")]
        if code not in OPERATORS:
            raise ValueError(f"operator {code} is not one that this converter knows")
        kind = OPERATORS[code]
        given = table.table(4)
        options = {
            name: given.scalar(number, form, default) if given else default
            for name, (number, form, default) in OPTIONS.get(kind, {}).items()
        }
        return Operator(kind, table.array(1, "<i4").tolist(), table.array(2, "<i4").tolist(), options)
