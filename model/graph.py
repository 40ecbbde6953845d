"""
The network written as an ONNX graph, and its weights read back.

The graph begins with the pixels themselves. That they are normalised is written as what an 8-bit number stands for, so
that a network of 8-bit numbers takes them as they are.

Weights are stored as float16 and cast to float32 as the file is loaded: half the size, and the arithmetic is
float32 on every machine. Each initializer bears the name of the torch parameter that it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.network import GEM_FLOOR, NORM_FLOOR, Block, SameConv, SiameseEncoder
from model.onnx_graph import Graph
from model.spec import FLOAT32_WEIGHTS, EncoderLoadError, EncoderSpec

INPUT = "images"


class _Graph(Graph):
    """The encoder's graph in the making."""

    def weight(self, name: str, values: npt.NDArray[np.float32]) -> str:
        return self.add("Cast", self.tensor(name, values.astype(np.float16)), to=TensorProto.FLOAT)

    def normalised(self, spec: EncoderSpec) -> str:
        (mean,), (std,) = set(spec.mean), set(spec.std)  # one step for all channels: else no 8-bit layer could begin
        assert mean in range(256)
        step = self.tensor(f"{INPUT}.step", np.array(1 / std, np.float32))
        zero = self.tensor(f"{INPUT}.zero", np.array(mean, np.uint8))
        return self.add("DequantizeLinear", self.add("Transpose", INPUT, perm=[0, 3, 1, 2]), step, zero)

    def conv(self, x: str, name: str, layer: SameConv) -> str:
        weight = self.weight(f"{name}.weight", layer.weight.detach().numpy())
        assert layer.bias is not None
        bias = self.weight(f"{name}.bias", layer.bias.detach().numpy())
        pads = [layer.before, layer.before, layer.after, layer.after]
        return self.add("Conv", x, weight, bias, pads=pads, strides=list(layer.stride), group=layer.groups)

    def relu6(self, x: str) -> str:
        return self.add("Clip", x, self.constant(0.0), self.constant(6.0))

    def block(self, x: str, name: str, block: Block) -> tuple[str, str]:
        wide = x if block.expand is None else self.relu6(self.conv(x, f"{name}.expand", block.expand))
        filtered = self.relu6(self.conv(wide, f"{name}.depthwise", block.depthwise))
        narrow = self.conv(filtered, f"{name}.project", block.project)
        return (self.add("Add", x, narrow) if block.residual else narrow), wide

    def gem(self, x: str, power: float) -> str:
        raised = self.add("Pow", self.add("Clip", x, self.constant(GEM_FLOOR)), self.constant(power))
        mean = self.add("ReduceMean", raised, axes=[2, 3], keepdims=0)
        return self.add("Pow", mean, self.constant(1 / power))


def _pool(graph: _Graph, network: SiameseEncoder, x: str) -> str:
    """Walk the trunk as its forward pass does; return the pooled features."""
    x, power, pooled = graph.relu6(graph.conv(x, "stem", network.stem)), network.layout.power, []
    for index, block in enumerate(network.blocks):
        x, wide = graph.block(x, f"blocks.{index}", block)
        if index in network.layout.taps:
            pooled.append(graph.gem(wide, power))
    pooled.append(graph.gem(graph.relu6(graph.conv(x, "head", network.head)), power))
    return graph.add("Concat", *pooled, axis=1)


def _describe(graph: _Graph, network: SiameseEncoder, features: str) -> str:
    """Add whitening, unit length and scale."""
    weight = graph.weight("whiten.weight", network.whiten.weight.detach().numpy())
    bias = graph.weight("whiten.bias", network.whiten.bias.detach().numpy())
    z = graph.add("Gemm", features, weight, bias, transB=1)
    length = graph.add("Clip", graph.add("ReduceL2", z, axes=[1], keepdims=1), graph.constant(NORM_FLOOR))
    return graph.add("Mul", graph.add("Div", z, length), graph.constant(float(network.scale)))


def to_onnx(network: SiameseEncoder, spec: EncoderSpec, *, pooled_only: bool = False) -> bytes:
    """
    Return an ONNX model, without metadata, for one image as `preprocess` leaves it: uint8 (1, S, S, 3) -> (1, D).

    Of *spec* it needs the input's size, mean and std. With *pooled_only* it ends at the pooled features, (1, F), that
    the whitening is fitted on.
    """
    graph = _Graph()
    out, width = _pool(graph, network, graph.normalised(spec)), network.pooled_features
    if not pooled_only:
        out, width = _describe(graph, network, out), network.layout.dim
    image = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [1, spec.input_size, spec.input_size, 3])
    result = helper.make_tensor_value_info(out, TensorProto.FLOAT, [1, width])
    return graph.model("twinlens", image, result)


def write(path: Path, network: SiameseEncoder, spec: EncoderSpec) -> EncoderSpec:
    """
    Write *network* and *spec* as one file and return the spec as written, its weights' length and hash filled in.

    A protobuf message may be the sum of its parts: the metadata are appended, so the bytes before them stay put.
    """
    return write_body(path, to_onnx(network, spec), spec)


def write_body(path: Path, body: bytes, spec: EncoderSpec) -> EncoderSpec:
    """Write a model without metadata and its *spec*, as `write` does."""
    spec = replace(spec, weights_bytes=len(body), weights_sha256=hashlib.sha256(body).hexdigest())
    tail = onnx.ModelProto()
    helper.set_model_props(tail, spec.to_metadata())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body + tail.SerializeToString(deterministic=True))
    return spec


def body_of(file: bytes, spec: EncoderSpec) -> bytes:
    """Return the part of a weights *file* before its metadata."""
    return file[: spec.weights_bytes]


def with_scale(body: bytes, scale: float) -> bytes:
    """Return a model that is *body*, but for the length *scale* of its descriptors: the factor of its last node."""
    model = onnx.load_model_from_string(body)
    last = model.graph.node[-1]
    if last.op_type != "Mul":
        raise EncoderLoadError("its graph does not end with the scale; export it again")
    factor = next(weight for weight in model.graph.initializer if weight.name == last.input[1])
    factor.CopyFrom(numpy_helper.from_array(np.array(scale, np.float32), factor.name))
    return bytes(model.SerializeToString(deterministic=True))


@contextmanager
def named(doing: str, path: Path) -> Iterator[None]:
    """Let the message of an EncoderLoadError begin with what was being done, and with which file."""
    try:
        yield
    except EncoderLoadError as error:
        raise EncoderLoadError(f"{doing} {path}: {error}") from error


def read_model(file: bytes) -> onnx.ModelProto:
    """Return the model in a file's bytes; raises EncoderLoadError."""
    try:
        return onnx.load_model_from_string(file)
    except Exception as error:
        raise EncoderLoadError(f"it is no ONNX model ({error}); fetch it again") from error


def spec_of(model: onnx.ModelProto) -> EncoderSpec:
    """Return the spec in the metadata of *model*; raises EncoderLoadError."""
    return EncoderSpec.from_metadata({entry.key: entry.value for entry in model.metadata_props})


def weights_of(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.float32]]:
    """Return the named weights of *model*, float32; raises EncoderLoadError where they are int8."""
    weights = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT16
    }
    if not weights:
        raise EncoderLoadError(f"its weights are int8 already; name {FLOAT32_WEIGHTS}, or what `export` wrote")
    return weights
