"""
The network in torch, for CUDA: needs the train extra; carries out the graph of the same ONNX file.

Images go through in chunks of one fixed size, the last one filled up, with deterministic kernels and full float32:
so the shape of the arithmetic, and with it a descriptor, does not depend on how many images a caller brings.
Integers of a quantised graph are held as float32, which has room for them: a value is rounded and bounded where the
graph says so, which gives what integer arithmetic gives but for what lies on the edge between two of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch  # noqa: TID251 - one of its doors
from onnx import numpy_helper
from torch import Tensor  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

from model.graph import read_model, spec_of
from model.spec import EncoderLoadError

CHUNK = {"cuda": 32, "cpu": 1}
"""Images a forward pass, by device."""

UINT8 = (0, 255)
"""The range of an activation: the one kind that the graph quantises as it runs."""


def _conv(  # noqa: PLR0913 - as ONNX defines it
    x: Tensor, weight: Tensor, bias: Tensor, *, pads: list[int], strides: list[int], group: int
) -> Tensor:
    top, left, bottom, right = pads
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, strides, groups=group)


def _clip(x: Tensor, low: Tensor, high: Tensor | None = None) -> Tensor:
    return x.clamp(low, high)


def _quantised(x: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    return ((x / step).round() + zero).clamp(*UINT8)


def _dequantised(x: Tensor, step: Tensor, zero: Tensor, *, axis: int = 0) -> Tensor:
    shape = [-1 if place == axis else 1 for place in range(x.dim())] if step.dim() else []
    return (x - zero.reshape(shape)) * step.reshape(shape)


def _gemm(x: Tensor, weight: Tensor, bias: Tensor, *, transB: int) -> Tensor:  # noqa: N803 - ONNX's name
    return F.linear(x, weight if transB else weight.T, bias)


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Cast": lambda x, *, to: x.float(),  # noqa: ARG005 - the file casts weights to float32, nothing else
    "Clip": _clip,
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Conv": _conv,
    "DequantizeLinear": _dequantised,
    "Div": torch.div,
    "Gemm": _gemm,
    "Mul": torch.mul,
    "Pow": torch.pow,
    "QuantizeLinear": _quantised,
    "ReduceL2": lambda x, *, axes, keepdims: x.norm(dim=axes, keepdim=bool(keepdims)),
    "ReduceMean": lambda x, *, axes, keepdims: x.mean(axes, bool(keepdims)),
}
"""What `model.graph` and `model.quantize` write, as ONNX defines it."""


class TorchRuntime:
    """The network on *device*, `cuda` or `cpu` (which the parity test uses)."""

    def __init__(self, file: bytes, device: str) -> None:
        """Load the weights file's bytes; raises EncoderLoadError."""
        model = read_model(file)
        self.spec = spec_of(model)
        self.spec.check_weights(file)
        self._device, self._chunk = torch.device(device), CHUNK[torch.device(device).type]
        self._graph = _Graph(model.graph, self._device)
        self._lock = threading.Lock()

    def run(self, images: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of normalised images, each float32 (3, S, S)."""
        out = np.empty((len(images), self.spec.dim), np.float32)
        for start in range(0, len(images), self._chunk):
            part = images[start : start + self._chunk]
            x_BCHW = np.zeros((self._chunk, *part[0].shape), np.float32)  # noqa: N806 - the suffix is the shape
            x_BCHW[: len(part)] = part
            out[start : start + len(part)] = self._forward(x_BCHW)[: len(part)]
        return out

    def _forward(self, x_BCHW: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Run one full chunk; one thread at a time."""
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with self._lock, torch.inference_mode(), exact:
            descriptors: npt.NDArray[np.float32] = self._graph(torch.from_numpy(x_BCHW).to(self._device)).cpu().numpy()
        return descriptors


class _Graph:
    """An ONNX graph that torch carries out; what depends on weights alone is computed once."""

    def __init__(self, graph: onnx.GraphProto, device: torch.device) -> None:
        """Take over weights and nodes; raises EncoderLoadError."""
        unknown = sorted({node.op_type for node in graph.node}.difference(OPERATORS))
        if unknown:
            raise EncoderLoadError(f"torch cannot carry out {', '.join(unknown)}; export it again")
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._known = {weight.name: _tensor(weight).to(device) for weight in graph.initializer}
        self._nodes = []
        for node in graph.node:
            if self._known.keys() >= set(node.input):
                self._known[node.output[0]] = _carried_out(node, self._known)
            else:
                self._nodes.append(node)

    def __call__(self, x_BCHW: Tensor) -> Tensor:  # noqa: N803
        """Return the descriptors, float32 (B, D)."""
        values = {**self._known, self._input: x_BCHW}
        for node in self._nodes:
            values[node.output[0]] = _carried_out(node, values)
        return values[self._output]


def _tensor(weight: onnx.TensorProto) -> Tensor:
    """Return *weight* as float32, whatever it was."""
    return torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))


def _carried_out(node: onnx.NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    """Return what *node* makes of *values*."""
    attributes: dict[str, Any] = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    return OPERATORS[node.op_type](*(values[name] for name in node.input), **attributes)
