"""
The network that tells whether two pages, laid upon each other, are the same; as torch learns it, and as ONNX.

Few convolutions over both pages at once (a two-channel network: Zagoruyko and Komodakis, "Learning to compare image
patches", CVPR 2015) give two numbers for each spot of four by four pixels; the evidence weighs their means over the
page, and over the eighth of it where they are highest: other figures fill but a part of a page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors
from onnx import TensorProto, helper
from torch import Tensor, nn  # noqa: TID251 - as above
from torch.nn.utils.fusion import fuse_conv_bn_eval  # noqa: TID251 - as above

from model.onnx_graph import Graph

WIDTHS = (16, 16, 24, 24, 32, 32, 48)
"""Channels after each convolution."""

HALVED = (0, 2, 4)
"""Convolutions that halve the sides."""

MAPS = 2
"""Numbers for each spot."""

HIGHEST = 8
"""One in so many spots is among the highest."""

INPUT = "pages"


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
    """Return *network*, in evaluation mode, batch norm folded, as an ONNX model: float32 (1, 2, H, W) -> (1,)."""
    graph = Graph()
    new, old = graph.split("Split", INPUT, results=2, axis=1)
    apart = graph.add("Abs", graph.add("Sub", new, old))
    x = graph.add("Concat", new, old, apart, graph.add("Mul", new, old), axis=1)
    for number, (conv, norm, _) in enumerate(step.children() for step in network.steps):
        x = graph.add("Relu", _conv(graph, x, f"steps.{number}", fuse_conv_bn_eval(conv, norm)))
    spots = graph.add("Reshape", _conv(graph, x, "maps", network.maps), graph.constant([0, MAPS, -1]))
    count = graph.add("Slice", graph.add("Shape", spots), graph.constant([2]), graph.constant([3]))
    some = graph.add("Div", count, graph.constant([HIGHEST]))
    highest, _ = graph.split("TopK", spots, some, results=2, axis=2)
    means = [graph.add("ReduceMean", each, axes=[2], keepdims=0) for each in (spots, highest)]
    weight, bias = (graph.tensor(f"weigh.{name}", _array(part)) for name, part in network.weigh.named_parameters())
    weighed = graph.add("Gemm", graph.add("Concat", *means, axis=1), weight, bias, transB=1)
    out = graph.add("Reshape", weighed, graph.constant([-1]))
    pages = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 2, "height", "width"])
    return graph.model("pages", pages, helper.make_tensor_value_info(out, TensorProto.FLOAT, [1]))


def _conv(graph: Graph, x: str, name: str, layer: nn.Conv2d) -> str:
    """Add a convolution with a bias; return the name of its result."""
    numbers = [graph.tensor(f"{name}.{part}", _array(values)) for part, values in layer.named_parameters()]
    return graph.add("Conv", x, *numbers, pads=[layer.padding[0]] * 4, strides=list(layer.stride))


def _array(values: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = values.detach().numpy()
    return array
