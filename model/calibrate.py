"""
From a target false-positive rate to the scale s that makes the radius its operating point.

A false positive is a pair of different pictures, none a near-copy of the other by a plain check (see pairs),
whose distance is below the radius. Only the nearest pairs need that check, so only they are listed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from model.pairs import Looks
from model.tail import TooFewPairsError

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


def pictures_for(target: float) -> int:
    """Return how many pictures make so many pairs that *target*, a rate per pair, of them is one pair at least."""
    return math.ceil((1 + math.sqrt(1 + 8 / target)) / 2)


def squared_distances(queries: npt.NDArray[np.float32], references: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return squared Euclidean distances, float64 (Q, R), of float32 (Q, D) to (R, D)."""
    a, b = queries.astype(np.float64), references.astype(np.float64)
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    positive: npt.NDArray[np.float64] = np.maximum(squares, 0.0)
    return positive


def nearest_pairs(descriptors: npt.NDArray[np.float32], count: int) -> list[Pair]:
    """Return the *count* nearest pairs among *descriptors*, float32 (N, D), nearest first."""
    return _nearest_of(_pair_blocks(descriptors), count)


def nearest_others(copies: npt.NDArray[np.float32], references: npt.NDArray[np.float32], count: int) -> list[Pair]:
    """Return the *count* nearest pairs of a copy, (Q, D), of the first Q references and another reference, (N, D)."""
    return _nearest_of(_other_blocks(copies, references), count)


def pairs_within(descriptors: npt.NDArray[np.float32], radius: float) -> Iterator[Pair]:
    """Yield all pairs among *descriptors*, float32 (N, D), strictly within *radius* (Euclidean), in no order."""
    return _within_blocks(_pair_blocks(descriptors), radius)


def others_within(
    copies: npt.NDArray[np.float32], references: npt.NDArray[np.float32], radius: float
) -> Iterator[Pair]:
    """Yield, of the pairs that `nearest_others` compares, all strictly within *radius*, in no order."""
    return _within_blocks(_other_blocks(copies, references), radius)


Block = tuple[int, npt.NDArray[np.float64]]
"""The first row of a block of the distance matrix, and its squares, (BLOCK, N): infinite where nothing is compared."""


def _pair_blocks(descriptors: npt.NDArray[np.float32]) -> Iterator[Block]:
    """Yield the squared distances of each to those after it."""
    for start in range(0, len(descriptors), BLOCK):
        squares = squared_distances(descriptors[start : start + BLOCK], descriptors)
        squares[np.tri(squares.shape[0], squares.shape[1], start, dtype=np.bool_)] = np.inf
        yield start, squares


def _other_blocks(copies: npt.NDArray[np.float32], references: npt.NDArray[np.float32]) -> Iterator[Block]:
    """Yield the squared distances of each copy to all references but its own."""
    for start in range(0, len(copies), BLOCK):
        squares = squared_distances(copies[start : start + BLOCK], references)
        rows = np.arange(len(squares))
        squares[rows, rows + start] = np.inf
        yield start, squares


def _nearest_of(blocks: Iterable[Block], count: int) -> list[Pair]:
    """Return the *count* nearest pairs of all *blocks*, nearest first."""
    best: list[Pair] = []
    for start, squares in blocks:
        best = _nearest(best + _listed(squares, start, count), count)
    return best


def _within_blocks(blocks: Iterable[Block], radius: float) -> Iterator[Pair]:
    """Yield the pairs of all *blocks* within *radius*."""
    for start, squares in blocks:
        for row, column in np.argwhere(squares < radius**2):
            yield Pair(int(row) + start, int(column), math.sqrt(squares[row, column]))


def _listed(squares: npt.NDArray[np.float64], start: int, count: int) -> list[Pair]:
    """Return the *count* nearest pairs of one block of rows, of which the first is row *start*."""
    flat = np.argpartition(squares, min(count, squares.size - 1), axis=None)[:count]
    rows, columns = np.unravel_index(flat, squares.shape)
    found = zip(rows + start, columns, np.sqrt(squares[rows, columns]), strict=True)
    return [Pair(int(i), int(j), float(d)) for i, j, d in found if math.isfinite(d)]


def _nearest(pairs: list[Pair], count: int) -> list[Pair]:
    """Return the *count* nearest of *pairs*, nearest first."""
    return sorted(pairs, key=lambda pair: pair.distance)[:count]


def different(pairs: Sequence[Pair], looks: Looks, count: int) -> list[Pair]:
    """Return the first *count* of *pairs* that no plain check calls near-copies."""
    return list(islice((pair for pair in pairs if not looks.alike(pair.first, pair.second)), count))


def operating_distance(descriptors: npt.NDArray[np.float32], looks: Looks, target: float) -> float:
    """
    Return the largest distance below which at most *target* of all pairs of different pictures lie.

    With N pictures the rate is counted over N (N - 1) / 2 pairs; with fewer than `pictures_for` it is the distance of
    the nearest pair, whatever the target.

    Raises:
        TooFewPairsError: nearly all pairs that are near are near-copies, or there is no pair.
    """
    allowed = int(count_pairs(len(descriptors)) * target)
    for listed in (64 * (allowed + 1), 4096 * (allowed + 1)):
        found = different(nearest_pairs(descriptors, listed), looks, allowed + 1)
        if len(found) > allowed:
            return found[allowed].distance
    told = f"of {len(descriptors):,} pictures nearly all that are near each other are near-copies"
    raise TooFewPairsError(f"{told}: bring more different pictures, with --data")


def scale_for(descriptors: npt.NDArray[np.float32], looks: Looks, *, target: float, radius: float) -> float:
    """Return the s by which unit *descriptors* must be multiplied so that *radius* keeps to *target*."""
    return rescaled(1.0, radius, operating_distance(descriptors, looks, target))


def rescaled(scale: float, radius: float, distance: float) -> float:
    """Return the s that brings *distance*, measured at *scale*, just outside *radius*."""
    return float(np.float32(scale * radius / distance * (1 + MARGIN)))


def within(pairs: Sequence[Pair], radius: float) -> list[Pair]:
    """Return those of *pairs* whose distance is strictly below *radius*."""
    return [pair for pair in pairs if pair.distance < radius]
