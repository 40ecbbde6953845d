"""
An int8 copy of a weights file: static quantisation of the trunk's layers, calibrated on training pictures.

Pooling, whitening and scale stay float32. The copy is an encoder of its own, with a fingerprint of its own; its scale
is the first file's until `calibrate --write` sets it anew. Weights take seven bits of the eight: two products of an
activation and a weight then fit the 16 bits in which processors without VNNI add them, so that all get one sum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (  # noqa: TID251 - a tool of its own, beside the runtime
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from model.data import Picture
from model.graph import INPUT, body_of, named, read_model, spec_of, weights_of, write_body
from model.preprocess import Square, preprocess
from model.spec import EncoderSpec

QUANTISED = ["Conv", "Clip", "Add"]


class _Inputs(CalibrationDataReader):  # type: ignore[misc] # its base has no types
    """Gives pictures to ONNX Runtime's calibration, one at a time."""

    def __init__(self, pictures: Sequence[Picture], spec: EncoderSpec) -> None:
        self._left: Iterator[Square] = (preprocess(picture.pixels, spec) for picture in pictures)

    def get_next(self) -> dict[str, Square] | None:
        """Return the next input, or None at the end."""
        image = next(self._left, None)
        return None if image is None else {INPUT: image[None]}


def quantize(weights: Path, out: Path, pictures: Sequence[Picture]) -> EncoderSpec:
    """
    Write the int8 copy of *weights* to *out*, its ranges taken from *pictures*; return its spec.

    Raises:
        EncoderLoadError: *weights* are no encoder's file, or are int8 already.
    """
    file = weights.read_bytes()
    with named("cannot copy", weights):
        spec = spec_of(read_model(file))
        model = _in_float32(read_model(body_of(file, spec)))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            made,
            _Inputs(pictures, spec),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_pooling(model),
        )
        body = onnx.load_model(made).SerializeToString(deterministic=True)
    return write_body(out, body, replace(spec, name=f"{spec.name}-int8", architecture=f"{spec.architecture}-int8"))


def _in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return *model* with float32 weights, where float16 ones were cast as the file is loaded."""
    halves = weights_of(model)
    kept = [weight for weight in model.graph.initializer if weight.name not in halves]
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            kept.append(numpy_helper.from_array(halves[node.input[0]], node.output[0]))
        else:
            nodes.append(node)
    graph = onnx.helper.make_graph(nodes, model.graph.name, model.graph.input, model.graph.output, kept)
    whole = onnx.helper.make_model(graph, opset_imports=model.opset_import, producer_name=model.producer_name)
    whole.ir_version = model.ir_version
    return whole


def _pooling(model: onnx.ModelProto) -> list[str]:
    """Return the names of what stays float32: the floors of pooling and of the length, and the whitening."""
    consumed = {name for node in model.graph.node if node.op_type in {"Pow", "Div"} for name in node.input}
    return [node.name for node in model.graph.node if consumed.intersection(node.output)]
