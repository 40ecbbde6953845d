"""
Makes other pictures of the pictures at hand, so that a run cannot learn by heart which pictures there are.

All views of a picture are taken from what is made here, so it stands for a picture of its own. Without it, an encoder
that has seen a few thousand pictures a hundred times holds those apart, and strangers hardly better than before.

Shapes: N pictures; V variants of each (as it is, re-saved), treated alike; S pixels a side; values on 0-255.
All randomness comes from the generator, which must live on the pictures' device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch  # noqa: TID251 - one of its doors
from torch import Generator, Tensor  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom


@dataclass(frozen=True, slots=True)
class Vary:
    """
    How far the pictures of a step are from those at hand.

    Attributes:
        share: of the pictures that are varied at all; the shares below are of these.
        least: the shortest side of a window, as a share of the picture's.
        most: the longest; above 1 the picture is shrunk onto a plain ground.
        turned: share that is turned by a quarter.
        joined: share whose one half, 40-60 %, is another picture's: it is different from both.
        tinted: share whose colours are mixed anew.
    """

    share: float = 0.0
    least: float = 0.4
    most: float = 1.3
    turned: float = 0.3
    joined: float = 0.25
    tinted: float = 0.3


def vary(x_NVCSS: Tensor, rng: Generator, config: Vary) -> Tensor:
    """Return the pictures, float32 (N, V, 3, S, S), with a share of them made into others."""
    if config.share == 0:  # and nothing is drawn
        return x_NVCSS
    rows = _some(len(x_NVCSS), config.share, rng).nonzero().flatten()
    if len(rows) == 0:
        return x_NVCSS
    made = _joined(_tinted(_windows(x_NVCSS[rows], rng, config), rng, config), rng, config)
    return x_NVCSS.index_copy(0, rows, made.clamp(0, 255))


def _some(count: int, share: float, rng: Generator) -> Tensor:
    """Choose each of *count* with the probability *share*; bool (count,)."""
    return torch.rand(count, generator=rng, device=rng.device) < share


def _windows(x_NVCSS: Tensor, rng: Generator, config: Vary) -> Tensor:
    """Return a window of each picture, or the picture on a ground of its corner's colour, some turned by a quarter."""
    count, device = len(x_NVCSS), x_NVCSS.device
    sides = config.least + (config.most - config.least) * torch.rand(count, 2, generator=rng, device=device)
    centre = (1 - sides).abs() * (2 * torch.rand(count, 2, generator=rng, device=device) - 1)
    turned = _some(count, config.turned, rng)[:, None].float()
    window = torch.zeros(count, 2, 3, device=device)
    window[:, :, :2] = torch.diag_embed(sides) * (1 - turned[..., None])
    window[:, :, :2] += torch.diag_embed(sides).flip(2) * turned[..., None]
    window[:, :, 2] = centre
    flat = x_NVCSS.flatten(1, 2)
    places = F.affine_grid(window, list(flat.shape), align_corners=False)
    seen = F.grid_sample(flat, places, mode="bilinear", padding_mode="border", align_corners=False)
    inside = (places.abs() <= 1).all(3)[:, None]
    return torch.where(inside, seen, flat[:, :, :1, :1]).view(x_NVCSS.shape)


def _tinted(x_NVCSS: Tensor, rng: Generator, config: Vary) -> Tensor:
    """Mix the channels of some pictures by a random matrix whose rows add up to 1, and invert half of these."""
    count, device = len(x_NVCSS), x_NVCSS.device
    mix = torch.rand(count, 3, 3, generator=rng, device=device)
    mixed = torch.einsum("nij,nvjhw->nvihw", mix / mix.sum(2, keepdim=True), x_NVCSS)
    inverted = _some(count, 0.5, rng)[:, None, None, None, None]
    chosen = _some(count, config.tinted, rng)[:, None, None, None, None]
    return torch.where(chosen, torch.where(inverted, 255 - mixed, mixed), x_NVCSS)


def _joined(x_NVCSS: Tensor, rng: Generator, config: Vary) -> Tensor:
    """Put a part of the next picture, cut along a vertical or level line, in place of some pictures' own."""
    count, side = len(x_NVCSS), x_NVCSS.shape[-1]
    device = x_NVCSS.device
    edge = (0.4 + 0.2 * torch.rand(count, 1, 1, generator=rng, device=device)) * side
    line = torch.arange(side, device=device)
    level = _some(count, 0.5, rng)[:, None, None]
    beyond = torch.where(level, line[:, None] >= edge, line >= edge)
    other = beyond & _some(count, config.joined, rng)[:, None, None]
    return torch.where(other[:, None, None], x_NVCSS.roll(1, 0), x_NVCSS)
