"""Descriptors to measure the store with, and their true neighbours by brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from indexer import metric
from indexer.records import Entry, Matrix, Settings

SETTINGS = Settings("bench", dim=128, radius=0.01)
NORM = 0.03
"""Length of the descriptors, about that of the shipped encoder's."""

SEED = 0
ALIKE = 0.3
"""Share of rows that are the same as, or lie close to, another, in data that are `alike`."""

_BLOCK = 16384


def points(count: int, norm: float, seed: int) -> Matrix:
    """Return *count* random directions of length *norm*, float32 (count, 128)."""
    rng, made = np.random.default_rng(seed), np.empty((count, SETTINGS.dim), np.float32)
    for start in range(0, count, _BLOCK):
        drawn = rng.normal(size=(min(_BLOCK, count - start), SETTINGS.dim))
        made[start : start + _BLOCK] = norm * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return made


def alike(count: int) -> Matrix:
    """
    Return points of which ALIKE lie near each other: in groups of 2 to 500 round a point of their own.

    Half of a group has the same vector, as blank pages have; the others lie within 0.009 of it, as originals do that
    a second look told apart.
    """
    stored = points(count, NORM, SEED)
    rng, start = np.random.default_rng(SEED + 1), int(count * (1 - ALIKE))
    while start < count:
        size = min(int(2 * (1 - rng.random()) ** -0.7), 500, count - start)
        group = np.repeat(stored[start : start + 1], size, axis=0)
        moved = size // 2
        away = rng.uniform(0.0005, 0.009, (moved, 1)).astype(np.float32)
        group[size - moved :] += away * points(moved, 1.0, start)
        stored[start : start + size] = group
        start += size
    return stored


DATA: dict[str, Callable[[int], Matrix]] = {
    "apart": lambda count: points(count, NORM, SEED),
    "alike": alike,
}
"""Kinds of data, by name: the function that draws so many rows."""


def questions(stored: Matrix, count: int) -> Matrix:
    """Return *count* queries: by turns an edit at 0.0099 of a stored row, one at 0.005, and something else."""
    chosen = np.random.default_rng(SEED + 2).choice(len(stored), count)
    away = np.tile(np.array([0.0099, 0.005, 0.0], np.float32), count)[:count, None]
    asked = stored[chosen] + away * points(count, 1.0, SEED + 3)
    asked[2::3] = points(len(asked[2::3]), NORM, SEED + 4)
    return asked


def edits(stored: Matrix) -> Matrix:
    """Return edits of the first 256 of *stored*, half of them just inside the radius."""
    return np.concatenate([stored[:128] + points(128, 0.0099, 1), stored[128:256] + points(128, 0.005, 2)])


def within(stored: Matrix, queries: Matrix) -> list[set[int]]:
    """Return for each query the rows within the radius, by comparing it with all."""
    found: list[set[int]] = [set() for _ in queries]
    edges = [*range(0, len(stored), 4 * _BLOCK), len(stored)]
    for start, end in pairwise(edges):
        block = stored[start:end]
        squared = (block**2).sum(axis=1) + (queries**2).sum(axis=1)[:, None] - 2 * queries @ block.T
        for query, row in zip(*np.nonzero(squared < 1.02 * SETTINGS.radius**2), strict=True):
            distance = metric.distances(queries[query], block[row][None])[0]
            if metric.inside(float(distance), SETTINGS.radius):
                found[query].add(start + int(row))
    return found


def uri_of(number: int) -> str:
    """Return the URI of a row."""
    return f"/photos/{number}.jpg"


def digest_of(number: int) -> str:
    """Return the sha256 that a row claims."""
    return f"{number:064x}"


def entries(stored: Matrix, thumbnail_bytes: int = 0, first: int = 0) -> list[Entry]:
    """Return an original at each of *stored*, numbered from *first*, with a thumbnail of so many random bytes."""
    rng = np.random.default_rng(first)
    return [
        Entry(
            uri_of(n), digest_of(n), 1, 1, 640, 480, "JPEG", None, None, False, vector, rng.bytes(thumbnail_bytes)
        )
        for n, vector in enumerate(stored, first)
    ]  # fmt: skip


def batches(stored: Matrix, size: int, thumbnail_bytes: int = 0) -> Iterator[list[Entry]]:
    """Yield entries at *stored* in lists of *size*."""
    for start in range(0, len(stored), size):
        yield entries(stored[start : start + size], thumbnail_bytes, start)
