"""An ONNX graph in the making, and the file that it becomes; the same nodes and tensors always give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


@dataclass(slots=True)
class Graph:
    """Nodes and tensors so far; each method adds some and returns the name of the result."""

    nodes: list[NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node that has one result."""
        return self.split(kind, *inputs, results=1, **attributes)[0]

    def split(self, kind: str, *inputs: str, results: int, **attributes: object) -> list[str]:
        """Add a node that has several *results*."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [name] if results == 1 else [f"{name}.{number}" for number in range(results)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names

    def constant(self, value: float | list[int]) -> str:
        """Add a number as float32, or several as int64."""
        dtype = np.int64 if isinstance(value, list) else np.float32
        return self.tensor(f"constant_{len(self.tensors)}", np.array(value, dtype))

    def tensor(self, name: str, values: npt.NDArray[np.generic]) -> str:
        """Add *values* as they are."""
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def model(self, name: str, takes: ValueInfoProto, gives: ValueInfoProto) -> bytes:
        """Return the graph, called *name*, as a file."""
        graph = helper.make_graph(self.nodes, name, [takes], [gives], self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="twinlens")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
