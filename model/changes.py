"""
What shows in only one of two aligned pictures: a caption, a logo, or a thing that moved.

Light and colour change a picture as well, but where they do, an edge is an edge in both pictures, or the change has
none. A thing that is there in one picture only has an outline, and the other picture shows nothing there. So a spot
counts when its border is a step in one of the pictures and none in the other; and whichever has the step has the
thing. What is laid on a picture is in one of the two, while a thing that moved has left one place and come to another:
both pictures show what the other one lacks. Used by the second look only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.grey import Grey
from model.light import relit
from model.regions import BOXES, CAPTIONS
from model.thumbnail import REGIONS

APART = 20.0
"""Grey levels by which a spot differs in the two pictures at least, once their light is evened out."""

NOISES = 4.0
"""A spot differs by this many times the noise at least; the noise is told by the median difference of all pixels."""

STEP = 0.7
"""A spot's border is sharp where the pictures' steps across it differ by this share of what makes a spot at least."""

ONE_SIDED = 0.35
"""A sharp border is in one picture only where the other's step is at most this share of the steps' difference."""

OUTLINED = 0.5
"""A spot counts when this share of its border is sharp, and this share of the sharp part in one picture only."""

CLEARLY = 0.7
"""A spot is one picture's own when more than this share of its one-sided border is a step in that picture."""

BOTH = 0.002
"""Both pictures show what the other one lacks when the spots of each take more than this share of the picture."""

STRICT = 0.001
"""A strict second look confirms no two pictures of which a larger share than this shows in one only."""

CAPTION = 0.8
"""Spots may be a caption when this share of them lies in one band of regions: its bar hides more than it shows."""

SMALL = 0.95
"""Spots are no caption when this share of them lies in one box of regions: a caption is longer than a box."""

LONG = 3
"""Spots may be a caption when their first and last columns of regions are this far apart: a thing is less wide."""

NEAR = 5
"""Pixels along each side of the square in which a border's two sides are averaged."""

EDGE = 2
"""Pixels along each edge that do not count: two pictures seldom end at the very same place."""

INSIDE = slice(EDGE, -EDGE), slice(EDGE, -EDGE)
"""All of a picture but its edges, which are EDGE pixels wide."""

Bits = npt.NDArray[np.uint8]
"""0 or 1 for each pixel, as OpenCV takes it."""

Numbers = npt.NDArray[np.float64]

DOT = np.ones((3, 3), np.uint8)
"""The least spot; what is thinner is a border that lies a little beside the other picture's."""


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What shows in only one of two pictures.

    Attributes:
        share: of what both show of the scene, 0 to 1.
        moved: both pictures show what the other one lacks.
    """

    share: float
    moved: bool


NOTHING = Changes(0.0, moved=False)


def changes(window: Grey, placed: Grey) -> Changes:
    """Return what shows only in *window*, or only in what was *placed* on it, both (H, W), levels, equally sharp."""
    if not _may_show(cv2.absdiff(window, placed)):
        return NOTHING
    lit = relit(placed, window)
    apart = window - lit
    level = np.abs(apart)
    if not _may_show(level):
        return NOTHING  # the same answer, sooner
    limit = max(APART, NOISES * 1.4826 * float(np.partition(level.ravel(), level.size // 2)[level.size // 2]))
    lighter, darker = _dots(apart, limit), _dots(-apart, limit)
    if not lighter.any() and not darker.any():
        return NOTHING
    same = cv2.morphologyEx((level <= limit / 2).astype(np.uint8), cv2.MORPH_OPEN, np.ones((NEAR, NEAR), np.uint8))
    spots = np.concatenate([_spots(window, lit, lighter, same, limit), _spots(-window, -lit, darker, same, limit)])
    return _told(spots)


def _may_show(level: Grey) -> bool:
    """Return whether two pictures that lie so many levels apart may differ by a spot."""
    return bool(np.count_nonzero(level[INSIDE] > APART) >= DOT.size)


def _dots(apart: Grey, limit: float) -> Bits:
    """Return where *apart* is more than *limit*, spots of at least a DOT, off the edges."""
    mask: Bits = np.zeros(apart.shape, np.uint8)
    mask[INSIDE] = apart[INSIDE] > limit
    opened: Bits = cv2.morphologyEx(mask, cv2.MORPH_OPEN, DOT)
    return opened


def _told(spots: Numbers) -> Changes:
    """Return what *spots*, as _spots gives them, say together."""
    own, other = spots[:, 0], spots[:, 1]
    regions = spots[:, 2:]
    everywhere = regions.sum(0)
    sides = [regions[mine > CLEARLY * (own + other)].sum(0) for mine in (own, other)]
    both = bool(min(side.sum() for side in sides) > BOTH)
    return Changes(float(everywhere.sum()), moved=both and not _is_caption(everywhere, *sides))


def _is_caption(everywhere: Numbers, own: Numbers, other: Numbers) -> bool:
    """
    Return whether spots, as shares by region, may be a line of text.

    What moved along such a line was on one side and is on the other now, and is not long itself.
    """
    share = everywhere.sum()
    if (CAPTIONS @ everywhere).max() < CAPTION * share or (BOXES @ everywhere).max() >= SMALL * share:
        return False
    (first, last), (other_first, other_last) = sorted(map(_extent, (own, other)))
    return last >= other_first or max(last - first, other_last - other_first) >= LONG


def _extent(side: Numbers) -> tuple[int, int]:
    """Return the first and the last column of regions that has a share."""
    columns = np.flatnonzero(side.reshape(REGIONS, REGIONS).any(0))
    return int(columns[0]), int(columns[-1])


def _spots(window: Grey, lit: Grey, mask: Bits, same: Bits, limit: float) -> Numbers:
    """
    Return the outlined spots of *mask*, where *window* is lighter than *lit*, (N, 2 + REGIONS * REGIONS).

    Of each, how much of its border is a step in the one and in the other picture only, and how large a share of the
    picture it takes in each region.
    """
    count, labels = cv2.connectedComponents(mask)
    border = (mask > cv2.erode(mask, DOT)) & (_mean(same) > 0.1)
    at = labels[border]
    inner, outer = (_mean(each)[border] for each in (mask, same))
    steps = [_mean(image * mask)[border] / inner - _mean(image * same)[border] / outer for image in (window, lit)]
    apart = steps[0] - steps[1]
    sharp = apart >= STEP * limit
    own, other = (sharp & (np.abs(step) <= ONE_SIDED * apart) for step in (steps[1], steps[0]))
    borders, sharps, owns, others = (
        np.bincount(at, weights=each, minlength=count) for each in (np.ones_like(sharp), sharp, own, other)
    )
    outlined = (sharps > 0) & (sharps >= OUTLINED * borders) & (owns + others >= OUTLINED * sharps)
    return np.column_stack([owns, others, _by_region(labels, count)])[outlined]


def _by_region(labels: npt.NDArray[np.int32], count: int) -> Numbers:
    """Return how large a share of the picture each of *count* labels, (H, W), takes in each region, (count, R * R)."""
    height, width = labels.shape
    rows, columns = (np.arange(side) * REGIONS // side for side in (height, width))
    places = labels * REGIONS * REGIONS + rows[:, None] * REGIONS + columns
    return np.bincount(places.ravel(), minlength=count * REGIONS * REGIONS).reshape(count, -1) / labels.size


def _mean(image: npt.NDArray[np.float32] | Bits) -> Grey:
    """Return the mean around each pixel."""
    mean: Grey = cv2.blur(image.astype(np.float32), (NEAR, NEAR))
    return mean
