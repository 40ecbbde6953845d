"""
How often different pictures come near, also where too few pairs were compared to count it.

At least COUNTED pairs must be expected below a distance for its rate to be read off the list. Below that, a line is
fitted: for small balls the logarithm of the count is linear in the logarithm of the distance, as extreme-value theory
has it, and its slope is the local intrinsic dimension. The estimator is Hill's (1975), for distances as in Amsaleg,
Chelly, Furon, Girard, Houle, Kawarabayashi and Nett, "Estimating Local Intrinsic Dimensionality" (KDD 2015).
A fit is no count: whoever shows such a figure must say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.errors import ModelError

COUNTED = 5
"""Pairs that must be expected for a rate to be counted and not fitted."""

FITTED = (10, 30)
"""
How many of the nearest pairs the line is fitted to: one in a thousand, within these bounds.

Few, since the slope is steep (20 and more) and so costs little in precision, while rare look-alikes bend the line.
"""

SMALL_BALL = 20
"""The line is fitted to at most one pair in this many."""


class TooFewPairsError(ModelError):
    """There are too few different pictures to tell a radius from, even by a fit; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Reach:
    """
    The distance below which a given share of pairs lies.

    Attributes:
        distance: in the unit of the descriptors.
        rate: the share, per pair.
        counted: read off the list; otherwise from the fit.
        error: relative standard error of the distance, by the fit.
    """

    distance: float
    rate: float
    counted: bool
    error: float


@dataclass(frozen=True, slots=True)
class Tail:
    """
    The nearest pairs of different pictures.

    Attributes:
        distances: of these, nearest first; nothing nearer was left out.
        pairs: how many were compared.
        fitted: how many of the distances the line goes through.
        dimension: its slope: the count grows as the distance to this power.
    """

    distances: tuple[float, ...]
    pairs: int
    fitted: int
    dimension: float

    @classmethod
    def of(cls, distances: Sequence[float], pairs: int) -> Tail:
        """Fit the line to *distances*, nearest first; raises TooFewPairsError."""
        least, most = FITTED
        fitted = min(max(pairs // 1000, least), most, len(distances))
        end = distances[fitted - 1] if fitted >= least and fitted * SMALL_BALL <= pairs else 0.0
        logs = [math.log(end / distance) for distance in distances[:fitted] if 0 < distance < end]
        if not logs:
            raise TooFewPairsError(f"{pairs:,} pairs are too few to fit their tail: bring more different pictures")
        return cls(tuple(distances), pairs, fitted, len(logs) / sum(logs))

    def at(self, rate: float) -> Reach:
        """Return the distance below which the share *rate* of all pairs lies."""
        expected = rate * self.pairs
        if COUNTED <= expected < len(self.distances):
            distance, error = self.distances[int(expected)], 1 / (self.dimension * math.sqrt(expected))
            return Reach(distance, rate, True, error)
        steps = math.log(expected / self.fitted)
        distance = self.distances[self.fitted - 1] * math.exp(steps / self.dimension)
        return Reach(distance, rate, False, math.sqrt((1 + steps**2) / self.fitted) / self.dimension)

    def rate(self, distance: float) -> tuple[float, bool]:
        """Return the share of pairs below *distance*, and whether it was counted."""
        below = sum(near < distance for near in self.distances)
        if COUNTED <= below < len(self.distances):
            return below / self.pairs, True
        fit = self.fitted / self.pairs * (distance / self.distances[self.fitted - 1]) ** self.dimension
        if below < COUNTED:
            return min(fit, COUNTED / self.pairs), False
        return min(max(fit, below / self.pairs), 1.0), False
