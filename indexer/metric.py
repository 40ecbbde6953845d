"""
The one place that knows how distances are measured and how Milvus counts them.

People see Euclidean distances; Milvus reports and takes squared ones.
The judgement *inside the radius or not* is made here, in float64 on stored float32 descriptors, so that every
back end and index gives the same verdict.
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from indexer.records import Matrix, Vector

_ROUNDING = 1e-12
"""More than sums of products of float64 are wrong by, as a share of what is summed, at any length of a descriptor."""


def distances(query: Vector, others: Matrix | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Euclidean distances, float64 (N,), of *query* (D,) to each row of *others* (N, D)."""
    difference = others.astype(np.float64, copy=False) - query.astype(np.float64)
    squared: npt.NDArray[np.float64] = np.sum(difference * difference, axis=1)
    return np.sqrt(squared)


def square(vector: npt.NDArray[np.float64]) -> float:
    """Return the square of the length of *vector* (D,)."""
    return float(vector @ vector)


def maybe_inside(
    query: Vector, others: npt.NDArray[np.float64], squares: npt.NDArray[np.float64], radius: float
) -> npt.NDArray[np.intp]:
    """
    Return which rows of *others* (N, D) `distances` has to judge: none that lies inside *radius* is left out.

    *squares* (N,) are theirs; infinite where a row does not count. As a product this takes a tenth of the time; it
    is as exact as numbers of that size are, so that all that comes near the radius is kept.
    """
    own = query.astype(np.float64)
    sizes = squares + square(own)
    return np.flatnonzero(sizes - 2 * (others @ own) < radius * radius + _ROUNDING * sizes)


@overload
def inside(distance: float, radius: float) -> bool: ...
@overload
def inside(distance: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.bool_]: ...
def inside(distance: float | npt.NDArray[np.float64], radius: float) -> bool | npt.NDArray[np.bool_]:
    """Return whether *distance*, one or many, is strictly inside *radius*, both Euclidean."""
    return distance < radius


def to_squared(euclidean: float) -> float:
    """Return what Milvus calls the distance (or radius) of a Euclidean one."""
    return euclidean * euclidean
