"""An ONNX model under construction."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ELEMENT_TYPES = {np.float32: TensorProto.FLOAT, np.uint8: TensorProto.UINT8}


class Graph:
    """Nodes in running order, and the constants they use."""

    def __init__(self):
        self.nodes = []
        self.constants = {}

    def add(self, operator, inputs, output, **attributes):
        """Append a node with one output; returns the output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name, values):
        """Store an array under a name (again, if it is the same); returns the name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.array(values, order="C"), name)
        return name

    def save(self, path, opset, ir_version, inputs, outputs, properties):
        """Write the model: inputs and outputs are (name, type, shape).

        The bytes depend on nothing but what was added, so a model can be
        known by its hash.
        """
        described = [
            [helper.make_tensor_value_info(name, ELEMENT_TYPES[kind], shape) for name, kind, shape in values]
            for values in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "detector", *described, list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = ir_version
        helper.set_model_props(model, properties)
        onnx.checker.check_model(model)
        with open(path, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))
