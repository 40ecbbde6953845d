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


def distances(query: Vector, others: Matrix | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Euclidean distances, float64 (N,), of *query* (D,) to each row of *others* (N, D)."""
    difference = others.astype(np.float64, copy=False) - query.astype(np.float64)
    squared: npt.NDArray[np.float64] = np.sum(difference * difference, axis=1)
    return np.sqrt(squared)


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
