"""
The linear step from pooled features to the descriptor's directions, fitted in closed form.

Copies are brought together first: features are rescaled so that what edits change is equally small in all
directions. Of these, the D in which different pictures differ most are kept. (Mikolajczyk and Matas's learned
whitening, used for retrieval by Radenovic et al., TPAMI 2018; with edits of one picture as the matching pairs.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Whitening:
    """`weight`, float32 (D, F), and `bias`, float32 (D,): z = weight x + bias."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


def fit(pictures: npt.NDArray[np.float32], copies: npt.NDArray[np.float32], *, dim: int, floor: float) -> Whitening:
    """
    Fit on features of *pictures*, (N, F), and of their edited *copies*, (N, K, F).

    *floor* is added to the variance that edits cause, as a share of its mean over directions: a direction that
    no edit has touched is not trusted without limit.
    """
    mean = pictures.mean(0, dtype=np.float64)
    within = _covariance((copies - pictures[:, None]).reshape(-1, pictures.shape[1])) / 2
    within += floor * np.trace(within) / len(within) * np.eye(len(within))
    level = _sphering(within)
    between = level @ _covariance(pictures - mean.astype(np.float32)) @ level.T
    variance, directions = np.linalg.eigh(between)
    kept = directions[:, ::-1][:, :dim] / np.sqrt(variance[::-1][:dim])
    weight = kept.T @ level
    return Whitening(weight.astype(np.float32), (-weight @ mean).astype(np.float32))


def _covariance(rows: npt.NDArray[np.float32]) -> Floats:
    """Return the second moment of centred *rows*, float64 (F, F)."""
    moment: Floats = (rows.T @ rows).astype(np.float64) / len(rows)
    return moment


def _sphering(covariance: Floats) -> Floats:
    """Return a matrix (F, F) that turns data of this covariance into data of unit covariance."""
    variance, directions = np.linalg.eigh(covariance)
    matrix: Floats = (directions / np.sqrt(variance)).T
    return matrix
