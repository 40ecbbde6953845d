"""
The network in torch, for CUDA: needs the train extra; carries out the graph of the same ONNX file.

Images go through in chunks of one fixed size, the last one filled up, with deterministic kernels and full float32:
so the shape of the arithmetic, and with it a descriptor, does not depend on how many images a caller brings.
A quantised graph is carried out in integers, as ONNX Runtime does it: a rounding that falls apart in one layer would
be made more of by the next ones. float32 holds them exactly, as no sum reaches 2**24.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import torch  # noqa: TID251 - one of its doors
from onnx import numpy_helper
from torch import Tensor  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

from model.graph import read_model, spec_of
from model.preprocess import Square
from model.spec import TAKES_NO_PIXELS, EncoderLoadError

CHUNK = {"cuda": 32, "cpu": 1}
"""Images a forward pass, by device."""

UINT8 = (0, 255)
"""The range of an activation: the one kind that the graph quantises as it runs."""


@dataclass(frozen=True, slots=True)
class _Integers:
    """
    Numbers that are multiples of a step.

    Attributes:
        counts: float32, whole numbers.
        step: float32, what one is worth; of a shape that goes with *counts*.
    """

    counts: Tensor
    step: Tensor

    @property
    def values(self) -> Tensor:
        """The numbers."""
        return self.counts * self.step


Value: TypeAlias = "Tensor | _Integers"


def _dequantised(x: Tensor, step: Tensor, zero: Tensor, *, axis: int = 1) -> _Integers:
    shape = [-1 if place == axis else 1 for place in range(x.dim())] if step.dim() else []
    return _Integers(x - zero.reshape(shape), step.reshape(shape))


def _quantised(x: Value, step: Tensor, zero: Tensor) -> Tensor:
    steps = x.counts * (x.step / step) if isinstance(x, _Integers) else x / step
    return (steps.round() + zero).clamp(*UINT8)


def _conv(x: Value, weight: Value, bias: Value, **how: Any) -> Value:  # noqa: ANN401 - ONNX's attributes
    """Convolve; the step of a quantised bias is the product of the other two, which ONNX Runtime takes for granted."""
    if isinstance(x, _Integers) and isinstance(weight, _Integers) and isinstance(bias, _Integers):
        return _Integers(_conv_of(x.counts, weight.counts, bias.counts, how), x.step * weight.step.reshape(-1, 1, 1))
    return _conv_of(_plain(x), _plain(weight), _plain(bias), how)


def _conv_of(x: Tensor, weight: Tensor, bias: Tensor, how: Mapping[str, Any]) -> Tensor:
    top, left, bottom, right = how["pads"]
    padded = F.pad(x, (left, right, top, bottom))
    return F.conv2d(padded, weight, bias, how["strides"], groups=how["group"])


def _plain(value: Value) -> Tensor:
    return value.values if isinstance(value, _Integers) else value


def _of_plain(operator: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return *operator* for numbers of either kind."""
    return lambda *inputs, **attributes: operator(*map(_plain, inputs), **attributes)


_ON_NUMBERS: Mapping[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Cast": lambda x, *, to: x.float(),  # noqa: ARG005 - the file casts weights to float32, nothing else
    "Clip": lambda x, low, high=None: x.clamp(low, high),
    "Concat": lambda *parts, axis: torch.cat(parts, axis),
    "Div": torch.div,
    "Gemm": lambda x, weight, bias, *, transB: F.linear(x, weight if transB else weight.T, bias),
    "Mul": torch.mul,
    "Pow": torch.pow,
    "ReduceL2": lambda x, *, axes, keepdims: x.norm(dim=axes, keepdim=bool(keepdims)),
    "ReduceMean": lambda x, *, axes, keepdims: x.mean(axes, bool(keepdims)),
    "Transpose": lambda x, *, perm: x.permute(perm),
}

OPERATORS: Mapping[str, Callable[..., Value]] = {
    **{name: _of_plain(operator) for name, operator in _ON_NUMBERS.items()},
    "Conv": _conv,
    "DequantizeLinear": _dequantised,
    "QuantizeLinear": _quantised,
}
"""What `model.graph` and `model.quantize` write, as ONNX defines it."""


class TorchRuntime:
    """The network on *device*, `cuda` or `cpu` (which the parity test uses)."""

    def __init__(self, file: bytes, device: str) -> None:
        """Load the weights file's bytes; raises EncoderLoadError."""
        model = read_model(file)
        if any(each.type.tensor_type.elem_type != onnx.TensorProto.UINT8 for each in model.graph.input):
            raise EncoderLoadError(TAKES_NO_PIXELS)
        self.spec = spec_of(model)
        self.spec.check_weights(file)
        self._device, self._chunk = torch.device(device), CHUNK[torch.device(device).type]
        self._graph = _Graph(model.graph, self._device)
        self._lock = threading.Lock()

    def run(self, images: Sequence[Square]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of images as `preprocess` leaves them."""
        out = np.empty((len(images), self.spec.dim), np.float32)
        for start in range(0, len(images), self._chunk):
            part = images[start : start + self._chunk]
            x_BHWC = np.zeros((self._chunk, *part[0].shape), np.uint8)
            x_BHWC[: len(part)] = part
            out[start : start + len(part)] = self._forward(x_BHWC)[: len(part)]
        return out

    def _forward(self, x_BHWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run one full chunk; one thread at a time."""
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with self._lock, torch.inference_mode(), exact:
            counts = torch.from_numpy(x_BHWC).to(self._device).float()
            descriptors: npt.NDArray[np.float32] = self._graph(counts).cpu().numpy()
        return descriptors


@dataclass(frozen=True, slots=True)
class _Step:
    """
    One node of a graph.

    Attributes:
        run: its operator, with its attributes.
        inputs: names of what it takes.
        output: name of what it makes.
        done: names of what nothing after it takes.
    """

    run: Callable[..., Value]
    inputs: tuple[str, ...]
    output: str
    done: tuple[str, ...]

    def __call__(self, values: Mapping[str, Value]) -> Value:
        """Return what it makes of *values*."""
        return self.run(*(values[name] for name in self.inputs))


class _Graph:
    """An ONNX graph that torch carries out; what depends on weights alone is computed once."""

    def __init__(self, graph: onnx.GraphProto, device: torch.device) -> None:
        """Take over weights and nodes; raises EncoderLoadError."""
        unknown = sorted({node.op_type for node in graph.node}.difference(OPERATORS))
        if unknown:
            raise EncoderLoadError(f"torch cannot carry out {', '.join(unknown)}; export it again")
        self._input, self._output = graph.input[0].name, graph.output[0].name
        known: dict[str, Value] = {weight.name: _tensor(weight).to(device) for weight in graph.initializer}
        self._steps: list[_Step] = []
        for step in _steps(graph):
            if known.keys() >= set(step.inputs):
                known[step.output] = step(known)
            else:
                self._steps.append(step)
        taken = {name for step in self._steps for name in step.inputs}
        self._known = {name: value for name, value in known.items() if name in taken}

    def __call__(self, x_BHWC: Tensor) -> Tensor:
        """Return the descriptors, float32 (B, D), of whole numbers from 0 to 255, float32."""
        values: dict[str, Value] = {**self._known, self._input: x_BHWC}
        for step in self._steps:
            values[step.output] = step(values)
            for name in step.done:
                del values[name]
        return _plain(values[self._output])


def _steps(graph: onnx.GraphProto) -> list[_Step]:
    """Return the nodes of *graph*, in order."""
    last = {name: place for place, node in enumerate(graph.node) for name in node.input}
    steps = []
    for place, node in enumerate(graph.node):
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        run = partial(OPERATORS[node.op_type], **attributes)
        done = tuple({name for name in node.input if last[name] == place})
        steps.append(_Step(run, tuple(node.input), node.output[0], done))
    return steps


def _tensor(weight: onnx.TensorProto) -> Tensor:
    """Return *weight* as float32, whatever it was."""
    return torch.from_numpy(numpy_helper.to_array(weight).astype(np.float32))
