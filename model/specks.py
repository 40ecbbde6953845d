"""
Salt and pepper, taken out of a picture before it is reduced: no later step could.

A median everywhere would do, but it takes the strokes of small letters away as well, some here and others there after
a zoom or a blur, so that a page would not resemble its own copy. Hence only specks are replaced, as by a switching
median filter (Sun and Neuvo, "Detail-preserving median based filters in image processing", 1994), and only in pictures
that have them everywhere.
"""

from __future__ import annotations

from itertools import product

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.pixels import Pixels

APART = 40
"""Grey levels by which a speck differs from its surroundings."""

CALM = 24
"""Grey levels that lie between the neighbours of a lonely speck, at most."""

PATCHES = 16
"""Patches along each side of a picture, to tell whether specks are everywhere."""

SPECKLED = 24
"""
Patches with a lonely speck (with a few, in a picture of more than 360 pixels a side) from which they are: the dots of
letters are in fewer, noise is in more.
"""

ALIKE = 36
"""Grey levels to either side in which a neighbour is of the same stroke."""

GROUND = 64
"""Grey levels that lie around a clump of specks, at most."""

CLUMPED = 0.07
"""Share of the specks that lie in clumps by chance; small letters, which look like clumps, would be more."""

Mask = npt.NDArray[np.bool_]


def without_specks(grey: Pixels) -> Pixels:
    """Return *grey*, (H, W), with the median of their surroundings in place of specks, if they are everywhere."""
    if not _speckled(grey):
        return grey
    median = cv2.medianBlur(grey, 3)
    specks = (cv2.absdiff(grey, median) >= APART) & _alone(grey)
    cleaner = np.where(specks, median, grey)
    median = cv2.medianBlur(cleaner, 5)
    clumps = (cv2.absdiff(cleaner, median) >= APART) & _on_even_ground(cleaner)
    return np.where(clumps, median, cleaner) if clumps.sum() <= CLUMPED * specks.sum() else cleaner


def _speckled(grey: Pixels) -> bool:
    """Return whether single pixels stand out from neighbours that are alike, all over the picture."""
    low, high = _range_around(grey, 3)
    slack = np.full_like(grey, APART - 1)  # no number: beside one, OpenCV takes four pixels in a column for a scalar
    ordinary = cv2.inRange(grey, cv2.subtract(low, slack), cv2.add(high, slack))
    if grey.size - cv2.countNonZero(ordinary) < SPECKLED:
        return False  # the same answer, sooner
    _, calm = cv2.threshold(cv2.subtract(high, low), CALM, 255, cv2.THRESH_BINARY_INV)
    lonely = cv2.bitwise_and(cv2.bitwise_not(ordinary), calm)
    if cv2.countNonZero(lonely) < SPECKLED:
        return False  # likewise
    shares = cv2.resize(lonely, (PATCHES, PATCHES), interpolation=cv2.INTER_AREA)
    return int(np.count_nonzero(shares)) >= SPECKLED


def _range_around(grey: Pixels, side: int) -> tuple[Pixels, Pixels]:
    """Return the lowest and the highest level on the rim of the square of *side* around each pixel."""
    rim = np.ones((side, side), np.uint8)
    rim[1:-1, 1:-1] = 0
    return cv2.erode(grey, rim), cv2.dilate(grey, rim)


def _alone(grey: Pixels) -> Mask:
    """Return which pixels have at most one neighbour of about their level; those of strokes have more."""
    height, width = grey.shape
    around = np.pad(grey, 1, mode="edge")
    alike = np.zeros(grey.shape, np.uint8)
    for down, across in product(range(3), repeat=2):
        shifted = np.ascontiguousarray(around[down : down + height, across : across + width])
        alike += cv2.absdiff(grey, shifted) <= ALIKE
    return np.asarray(alike <= 2)  # itself, and one


def _on_even_ground(grey: Pixels) -> Mask:
    """Return which pixels lie in a square of 3 x 3 whose surroundings are about even."""
    low, high = _range_around(grey, 5)
    even = (cv2.subtract(high, low) <= GROUND).view(np.uint8)
    return np.asarray(cv2.dilate(even, np.ones((3, 3), np.uint8)) > 0)
