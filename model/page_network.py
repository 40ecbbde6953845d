"""
The network that tells whether two pages, laid upon each other, are the same; as torch learns it, and as ONNX.

Few convolutions over both pages at once (a two-channel network: Zagoruyko and Komodakis, "Learning to compare image
patches", CVPR 2015) give two numbers for each spot of four by four pixels; the evidence weighs their means over the
page, and over the eighth of it where they are highest: other figures fill but a part of a page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import torch  # noqa: TID251 - one of its doors
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn  # noqa: TID251 - as above

from model.graph import IR_VERSION, OPSET

WIDTHS = (16, 16, 24, 24, 32, 32, 48)
"""Channels after each convolution."""

HALVED = (0, 2, 4)
"""Convolutions that halve the sides."""

MAPS = 2
"""Numbers for each spot."""

HIGHEST = 8
"""One in so many spots is among the highest."""

INPUT, OUTPUT = "pages", "evidence"


class PageNetwork(nn.Module):  # type: ignore[misc] # torch is optional, so its classes are Any to mypy
    """Takes two pages as `page_evidence.planes` leaves them, float32 (B, 2, H, W), 16 n pixels a side; gives (B,)."""

    def __init__(self) -> None:
        super().__init__()
        ins = (4, *WIDTHS[:-1])
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, 2 if at in HALVED else 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
            )
            for at, (before, after) in enumerate(zip(ins, WIDTHS, strict=True))
        )
        self.maps = nn.Conv2d(WIDTHS[-1], MAPS, 1)
        self.weigh = nn.Linear(2 * MAPS, 1)
        nn.init.constant_(self.weigh.weight, 0.5)

    def forward(self, x_B2HW: Tensor) -> Tensor:
        """Return the evidence that the two are one page, as the logarithm of the odds."""
        new, old = x_B2HW[:, :1], x_B2HW[:, 1:]
        x = torch.cat([new, old, (new - old).abs(), new * old], 1)
        for step in self.steps:
            x = step(x)
        spots: Tensor = self.maps(x).flatten(2)
        highest = spots.topk(max(1, spots.shape[2] // HIGHEST), 2).values.mean(2)
        evidence: Tensor = self.weigh(torch.cat([spots.mean(2), highest], 1))[:, 0]
        return evidence


def to_onnx(network: PageNetwork) -> bytes:
    """Return *network*, batch norm folded, as an ONNX model: float32 (1, 2, H, W) -> (1,)."""
    drawn = _Drawn()
    new, old = drawn.add("Split", INPUT, outputs=2, axis=1)
    (apart,) = drawn.add("Abs", *drawn.add("Sub", new, old))
    (x,) = drawn.add("Concat", new, old, apart, *drawn.add("Mul", new, old), axis=1)
    for number, step in enumerate(network.steps):
        (x,) = drawn.add("Relu", drawn.conv(x, f"steps.{number}", *_folded(step)))
    maps = network.maps
    assert maps.bias is not None
    x = drawn.conv(x, "maps", maps.weight, maps.bias, stride=1)
    (spots,) = drawn.add("Reshape", x, drawn.tensor("flat", np.array([0, MAPS, -1])))
    (count,) = drawn.add("Slice", *drawn.add("Shape", spots), *(drawn.tensor(f"at.{n}", np.array([n])) for n in (2, 3)))
    (some,) = drawn.add("Div", count, drawn.tensor("highest", np.array([HIGHEST])))
    highest, _ = drawn.add("TopK", spots, some, outputs=2, axis=2)
    means = [drawn.add("ReduceMean", each, axes=[2], keepdims=0)[0] for each in (spots, highest)]
    (both,) = drawn.add("Concat", *means, axis=1)
    weigh = (
        drawn.tensor("weigh.weight", _array(network.weigh.weight)),
        drawn.tensor("weigh.bias", _array(network.weigh.bias)),
    )
    (weighed,) = drawn.add("Gemm", both, *weigh, transB=1)
    drawn.nodes.append(helper.make_node("Reshape", [weighed, drawn.tensor("one", np.array([-1]))], [OUTPUT]))
    return drawn.model()


def _folded(step: nn.Module) -> tuple[Tensor, Tensor, int]:
    """Return weight, bias and stride of a convolution and the batch norm after it."""
    conv, norm, _ = step.children()
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain, conv.stride[0]


def _array(values: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = values.detach().numpy()
    return array


class _Drawn:
    """A graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> list[str]:
        """Add a node; return the names of its *outputs*."""
        names = [f"{kind.lower()}_{len(self.nodes)}.{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def tensor(self, name: str, values: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> str:
        """Add a constant; return its name."""
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, name: str, weight: Tensor, bias: Tensor, stride: int) -> str:
        """Add a convolution; return the name of its result."""
        pad = weight.shape[2] // 2
        numbers = self.tensor(f"{name}.weight", _array(weight)), self.tensor(f"{name}.bias", _array(bias))
        return self.add("Conv", x, *numbers, pads=[pad] * 4, strides=[stride] * 2)[0]

    def model(self) -> bytes:
        """Return the graph as a file."""
        pages = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 2, "height", "width"])
        evidence = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1])
        graph = helper.make_graph(self.nodes, "pages", [pages], [evidence], self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="twinlens")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
