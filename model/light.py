"""
Brings one of two aligned pictures to the light of the other: brightness, contrast and gamma, also from side to side.

Light that is too bright makes white of what was pale, and nothing brings that back; but the other picture can be made
as white. So where one of two has lost much to white or black, the other one is made to lose the same, before they are
compared. Used by the second look and changes only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.grey import Grey, resized
from model.regions import detail, region_means

LOST = 0.2
"""A picture is relit when the share of white and black pixels in the other one is larger by more than this."""

MOST_GONE = 0.2
"""Largest share of the regions with detail that may lose it when a picture is relit."""

BUSY = 0.1
"""A region has detail when it has this share of the mean detail at least."""

FAINT = 0.25
"""A region's detail is gone when less than this share of it is left."""

WHITE = 253.5
"""A pixel that is lighter than this level is white."""

BLACK = 1.5
"""A pixel that is darker than this level is black."""

SAMPLED = 16
"""Pixels of each side to which pictures are reduced when the change of light is fitted."""

FITS = 3
"""Rounds of fitting; each keeps the KEPT pixels that fitted best."""

KEPT = SAMPLED * SAMPLED * 4 // 5
"""Pixels, of SAMPLED x SAMPLED, that a round of fitting keeps: four fifths."""

MIDDLE = 128.0
"""Grey level from which levels are counted when the change of light is fitted; gamma leaves it alone."""

SPAN = 64.0
"""Grey levels that count as 1 when the change of light is fitted."""

Numbers = npt.NDArray[np.float64]
Agreement = Callable[[Grey, Grey], float]


def in_better_light(agreement: Agreement, enough: float, one: Grey, other: Grey) -> tuple[float, Grey, Grey]:
    """
    Return the *agreement* of two aligned pictures, both (H, W), levels, and these two.

    Where it is not *enough*, and LOST more is white or black in one of them, the other is relit, and the better kept;
    not where that would make nothing of much that it shows: what is gone tells of no other picture.
    """
    level = agreement(one, other)
    more = 0.0 if level >= enough else _lost(one) - _lost(other)
    if abs(more) <= LOST:
        return level, one, other
    image, model = (other, one) if more > 0 else (one, other)
    lit = relit(image, model)
    if _share_gone(image, lit) > MOST_GONE:
        return level, one, other
    pair = (model, lit) if more > 0 else (lit, model)
    again = agreement(*pair)
    return (again, *pair) if again > level else (level, one, other)


def _lost(image: Grey) -> float:
    """Return the share of *image* that is white or black."""
    return 1 - cv2.countNonZero(cv2.inRange(image, BLACK, WHITE)) / image.size


def _share_gone(image: Grey, lit: Grey) -> float:
    """Return the share of the regions of *image* with detail that show next to none once it is *lit*."""
    before, after = (region_means(np.square(detail(each))) for each in (image, lit))
    busy = before >= BUSY * before.mean()
    return float(np.mean(after[busy] < FAINT * before[busy]))


def relit(image: Grey, model: Grey) -> Grey:
    """
    Return *image* in the light of *model*, both (H, W), levels, of one scene but for some spots.

    What would be lighter than white or darker than black is cut off, as it was when the light was changed.
    """
    few, wanted = (resized(each, SAMPLED, SAMPLED).ravel().astype(np.float64) for each in (image, model))
    terms = _terms((few - MIDDLE) / SPAN)
    weights = np.ones_like(few)
    for _ in range(FITS):
        weighed = terms * weights
        numbers = np.linalg.solve(weighed @ terms.T + RIDGE, weighed @ wanted)
        apart = np.abs(wanted - numbers @ terms)
        fitting = (apart <= max(np.partition(apart, KEPT)[KEPT], 2.0)).astype(np.float64)
        if np.array_equal(fitting, weights):
            break
        weights = fitting
    flat, across, down, wide, high, both, gain, gain_across, gain_down, gamma = numbers.astype(np.float32)
    powers_of_y = _powers(image.shape[0])
    x, x_squared = _powers(image.shape[1])[1:]
    by_row = np.stack([flat + across * x + wide * x_squared, down + both * x, np.full_like(x, high)])
    gains = np.stack([gain + gain_across * x, np.full_like(x, gain_down)])
    level = (image - np.float32(MIDDLE)) * np.float32(1 / SPAN)
    lit: Grey = level * gamma
    lit += powers_of_y[:2].T @ gains
    lit *= level
    lit += powers_of_y.T @ by_row
    return np.clip(lit, 0, 255, out=lit)


@lru_cache(maxsize=64)
def _powers(side: int) -> Grey:
    """Return 1, x and x² for so many pixels from -0.5 to 0.5, float32 (3, side)."""
    spread = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    return np.stack([np.ones_like(spread), spread, spread * spread])


def _terms(level: Numbers) -> Numbers:
    """Return what the light of pixels, sampled row by row, of some *level*, (N,), is a sum of, (10, N)."""
    return np.concatenate([BY_PLACE, level * BY_PLACE[:3], [level * level]])


def _by_place() -> Numbers:
    """Return what light without regard to the level is a sum of, (6, N)."""
    spread = np.linspace(-0.5, 0.5, SAMPLED)
    x, y = np.tile(spread, SAMPLED), np.repeat(spread, SAMPLED)
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])


BY_PLACE = _by_place()
"""The terms of light that do not depend on the level, at the pixels at which it is fitted, (6, N)."""

RIDGE = 1e-3 * np.eye(10)
"""Added to the equations of the fit: keeps numbers that nothing tells, as of an even picture, at zero."""
