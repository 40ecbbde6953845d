"""
From a target false-positive rate to the scale s that makes the radius its operating point.

A false positive is a pair of different pictures, none a near-copy of the other by a plain check (see pairs),
whose distance is below the radius. Only the nearest pairs need that check, so only they are listed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.pairs import Looks

BLOCK = 512
"""Rows of the distance matrix at a time."""

MARGIN = 1e-5
"""Share by which s is raised, so that rounding does not bring the first refused pair inside."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, by index, and the Euclidean *distance* of their descriptors."""

    first: int
    second: int
    distance: float


def count_pairs(pictures: int) -> int:
    """Return how many pairs *pictures* make."""
    return pictures * (pictures - 1) // 2


def squared_distances(queries: npt.NDArray[np.float32], references: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return squared Euclidean distances, float64 (Q, R), of float32 (Q, D) to (R, D)."""
    a, b = queries.astype(np.float64), references.astype(np.float64)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    positive: npt.NDArray[np.float64] = np.maximum(squares, 0.0)
    return positive


def nearest_pairs(descriptors: npt.NDArray[np.float32], count: int) -> list[Pair]:
    """Return the *count* nearest pairs among *descriptors*, float32 (N, D), nearest first."""
    best: list[Pair] = []
    for start in range(0, len(descriptors), BLOCK):
        squares = squared_distances(descriptors[start : start + BLOCK], descriptors)
        squares[np.tri(squares.shape[0], squares.shape[1], start, dtype=np.bool_)] = np.inf
        flat = np.argpartition(squares, min(count, squares.size - 1), axis=None)[:count]
        rows, columns = np.unravel_index(flat, squares.shape)
        found = zip(rows + start, columns, np.sqrt(squares[rows, columns]), strict=True)
        best += [Pair(int(i), int(j), float(d)) for i, j, d in found if math.isfinite(d)]
        best = sorted(best, key=lambda pair: pair.distance)[:count]
    return best


def operating_distance(descriptors: npt.NDArray[np.float32], looks: Looks, target: float) -> float:
    """
    Return the largest distance below which at most *target* of all pairs of different pictures lie.

    With N pictures the rate is counted over N (N - 1) / 2 pairs; it needs 1 / *target* of them to mean anything.
    """
    allowed = int(count_pairs(len(descriptors)) * target)
    for listed in (64 * (allowed + 1), 4096 * (allowed + 1)):
        different = [pair for pair in nearest_pairs(descriptors, listed) if not looks.alike(pair.first, pair.second)]
        if len(different) > allowed:
            return different[allowed].distance
    raise ValueError("nearly all near pairs are near-copies: bring more different pictures")


def scale_for(descriptors: npt.NDArray[np.float32], looks: Looks, *, target: float, radius: float) -> float:
    """Return the s by which unit *descriptors* must be multiplied so that *radius* keeps to *target*."""
    return float(np.float32(radius / operating_distance(descriptors, looks, target) * (1 + MARGIN)))


def within(pairs: Sequence[Pair], radius: float) -> list[Pair]:
    """Return those of *pairs* whose distance is strictly below *radius*."""
    return [pair for pair in pairs if pair.distance < radius]
