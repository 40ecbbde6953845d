"""
The whitening sharpened by gradient descent on stored features; the trunk stays as ImageNet left it.

Each step takes some pictures, one edited copy of each, and draws a picture to its copy and away from all others of
the batch (InfoNCE), while every picture is pushed off its nearest neighbour (the KoLeo term of SSCD), so that one
radius means the same everywhere. Takes a minute on one core; the same seed gives the same weights on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors
from torch import Tensor, nn  # noqa: TID251 - as above
from torch.nn import functional as F  # noqa: N812, TID251 - torch's own idiom

from model.whitening import Whitening


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """
    How the whitening is tuned.

    Attributes:
        steps: of gradient descent.
        batch: pictures a step.
        rate: Adam's, at the start of the cosine.
        temperature: InfoNCE's.
        spread: weight of the KoLeo term.
        seed: of what is drawn.
    """

    steps: int = 400
    batch: int = 1024
    rate: float = 1e-3
    temperature: float = 0.05
    spread: float = 5.0
    seed: int = 0


def tune(
    start: Whitening, pictures: npt.NDArray[np.float32], copies: npt.NDArray[np.float32], config: TuneConfig
) -> Whitening:
    """Return *start* tuned on features of *pictures*, (N, F), and of their edited *copies*, (N, K, F)."""
    centre = pictures.mean(0)
    originals, edits = torch.from_numpy(pictures - centre), torch.from_numpy(copies - centre)
    linear = _linear(start, centre, originals)
    optimizer = torch.optim.Adam(linear.parameters(), lr=config.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    draw = torch.Generator().manual_seed(config.seed)
    for _ in range(config.steps):
        rows = torch.randperm(len(originals), generator=draw)[: config.batch]
        kinds = torch.randint(edits.shape[1], rows.shape, generator=draw)
        a_BD, b_BD = linear(originals[rows]), linear(edits[rows, kinds])
        optimizer.zero_grad()
        loss(F.normalize(a_BD), F.normalize(b_BD), config).backward()
        optimizer.step()
        schedule.step()
    weight = linear.weight.detach().numpy()
    return Whitening(weight, linear.bias.detach().numpy() - weight @ centre)


def _linear(start: Whitening, centre: npt.NDArray[np.float32], originals: Tensor) -> nn.Linear:
    """Return a layer for centred features that begins as *start*, its outputs of length 1 on average."""
    linear = nn.Linear(*start.weight.shape[::-1])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(start.weight))
        linear.bias.copy_(torch.from_numpy(start.bias + start.weight @ centre))
        length = linear(originals).norm(dim=1).mean()
        linear.weight /= length
        linear.bias /= length
    return linear


def loss(a_BD: Tensor, b_BD: Tensor, config: TuneConfig) -> Tensor:
    """Return InfoNCE plus KoLeo for unit descriptors of pictures and of their copies, row by row."""
    count = len(a_BD)
    both = torch.cat([a_BD, b_BD])
    likeness = (both @ both.T / config.temperature).fill_diagonal_(-torch.inf)
    partner = torch.cat([torch.arange(count) + count, torch.arange(count)])
    apart = torch.cdist(a_BD, a_BD) + 4 * torch.eye(count)
    nearest = apart.min(1).values.clamp(min=1e-4)
    return F.cross_entropy(likeness, partner) - config.spread * nearest.log().mean()
