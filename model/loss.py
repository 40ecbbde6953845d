"""
The training loss on unit descriptors: a picture and its copies together, all other pictures apart, evenly.

InfoNCE on squared L2 distances (for unit vectors, 2 - 2 cos) with negatives from the batch and from a memory bank
(XBM, Wang et al., CVPR 2020), and SSCD's differential-entropy term (KoLeo; Pizzi et al., CVPR 2022), which pushes
every picture off its nearest neighbour. Pairs in the *alike* masks, near-copies in the data, count in neither.

Shapes: N pictures, M copies, K rows of the bank, D the descriptor's length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch  # noqa: TID251 - one of its doors
from torch import Tensor  # noqa: TID251 - as above

CLOSEST = 1e-4
"""Squared distances below it count as this much, so that the logarithm is defined."""


@dataclass(frozen=True, slots=True)
class LossConfig:
    """
    The loss's weights.

    Attributes:
        temperature: of InfoNCE, on the cosine.
        spread: weight of the KoLeo term.
        shared: share of the negatives' pressure that is pooled over the batch, so that one threshold fits all
            pictures; the rest is each row's own, as in plain InfoNCE.
        bank: rows that the memory bank keeps.
    """

    temperature: float = 0.05
    spread: float = 2.0
    shared: float = 0.5
    bank: int = 8192


class Bank:
    """The clean views' descriptors of the last steps, with the number of each one's picture; a ring."""

    def __init__(self, size: int, dim: int, device: torch.device) -> None:
        self.rows_KD = torch.zeros(size, dim, device=device)
        self.ids_K = torch.full((size,), -1, device=device)
        self.next = 0

    def filled(self) -> tuple[Tensor, Tensor]:
        """Return the descriptors and picture numbers that are there so far."""
        there = self.ids_K >= 0
        return (self.rows_KD, self.ids_K) if bool(there.all()) else (self.rows_KD[there], self.ids_K[there])

    def push(self, rows_BD: Tensor, ids_B: Tensor) -> None:
        """Put rows in, over the oldest ones."""
        places = (torch.arange(len(rows_BD), device=rows_BD.device) + self.next) % len(self.ids_K)
        self.rows_KD[places], self.ids_K[places] = rows_BD.detach().float(), ids_B
        self.next = int(self.next + len(rows_BD)) % len(self.ids_K)


def pressure(rows_BD: Tensor, others_KD: Tensor, alike_BK: Tensor, temperature: float) -> Tensor:
    """Return the logarithm of each row's summed likeness, exp(cos / t), to others that are not *alike*; (B,)."""
    return (rows_BD @ others_KD.T / temperature).masked_fill(alike_BK, -torch.inf).logsumexp(1)


def info_nce(pairs_M: Tensor, pressure_M: Tensor, temperature: float) -> Tensor:
    """Return InfoNCE of each pair's cosine against its row's pressure, the mean over pairs."""
    likeness = pairs_M / temperature
    return (torch.logaddexp(likeness, pressure_M) - likeness).mean()


def pooled(pressure_B: Tensor, shared: float, alone_B: Tensor) -> Tensor:
    """Return pressures of which a share is the batch's common one; rows that stand *alone* keep their own."""
    rest = pressure_B[~alone_B]
    common = rest.logsumexp(0) - math.log(max(len(rest), 1))
    return torch.where(alone_B, pressure_B, (1 - shared) * pressure_B + shared * common)


def koleo(rows_ND: Tensor, others_KD: Tensor, alike_NK: Tensor) -> Tensor:
    """Return minus the mean logarithm of each row's distance to its nearest other that is not *alike*."""
    nearest = (rows_ND @ others_KD.T).masked_fill(alike_NK, -1.0).max(1).values
    return -(2 - 2 * nearest).clamp(min=CLOSEST).log().mean() / 2


def loss(  # noqa: PLR0913, PLR0917 - the terms of one formula
    clean_ND: Tensor,
    copies_MD: Tensor,
    owner_M: Tensor,
    others_KD: Tensor,
    alike_NK: Tensor,
    alone_N: Tensor,
    config: LossConfig,
) -> Tensor:
    """
    Return the whole loss.

    *owner_M* is the row in *clean_ND* of each copy's picture; *others_KD* are all that a row may be pushed off:
    clean views and copies of the batch, and the bank; *alike_NK* masks a picture's own views and its near-copies;
    *alone_N* marks pictures whose negatives press on nobody else: pages of one layout lie so near each other that
    they would set the threshold for all.
    """
    clean = pooled(pressure(clean_ND, others_KD, alike_NK, config.temperature), config.shared, alone_N)
    copies = pressure(copies_MD, others_KD, alike_NK[owner_M], config.temperature)
    copies = pooled(copies, config.shared, alone_N[owner_M])
    pairs = (clean_ND[owner_M] * copies_MD).sum(1)
    attract = info_nce(pairs, clean[owner_M], config.temperature) + info_nce(pairs, copies, config.temperature)
    return attract / 2 + config.spread * koleo(clean_ND, others_KD, alike_NK)
