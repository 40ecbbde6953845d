"""Whether a picture is a page: paper, or another even ground, with something on it."""

from __future__ import annotations

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.grey import Image, resized
from model.pixels import Pixels

PARTS = 4
"""Parts along each side in which paper may lie in another light."""

SPOTS = 7
"""Spots along each side of a part: most show paper."""

PLAIN = 0.75
"""A picture is a page when this share of it has about one level, that of its paper, once strokes are taken away."""

STROKE = 5
"""Pixels of a thumbnail that strokes, or lines of small letters, are thick at most."""

ABOUT = 13
"""Grey levels to either side that are about the same."""

INK = 32
"""Grey levels by which something on it stands out from paper; a meadow is as even, but nothing in it does."""

WRITTEN = 0.003
"""Least share of a page's pixels that stand out from its paper (see INK)."""

TO_FLOOR = 0.4999
"""OpenCV rounds levels to the nearest; what is taken off them first makes it the next lower one."""

BAR = 4.0
"""Deviation of a row or column, in grey levels, below which it may belong to a bar along an edge."""

LEAST_WITHIN = 0.3
"""Share of the rows and of the columns that lie between bars at least."""

_FIRST = np.maximum(np.arange(256) - ABOUT, 0)
"""For each grey level, the lowest one that is about the same."""

_PAST = np.minimum(np.arange(256) + ABOUT, 255) + 1
"""For each grey level, the one after the highest that is about the same."""

Levels = npt.NDArray[np.int64]


def is_page(grey: Image, plain: float = PLAIN) -> bool:
    """
    Return whether at least the share *plain* of *grey*, (H, W), is paper, or another even ground, with ink on it.

    Dark strokes are taken away by a morphological closing, light ones by an opening; of both kinds, there are more of
    one.
    """
    levels = _histogram(grey)
    paper = _middle(levels)
    dark, light = (int(some.sum()) for some in (levels[: max(paper - INK, 0)], levels[paper + INK :]))
    if dark + light < WRITTEN * grey.size:
        return False
    how = cv2.MORPH_CLOSE if dark >= light else cv2.MORPH_OPEN
    ground = cv2.morphologyEx(grey, how, np.ones((STROKE, STROKE), np.uint8))
    return _evenness(_histogram(ground)) >= plain


def is_framed_page(grey: Image, plain: float = PLAIN) -> bool:
    """Return whether *grey*, (H, W), is a page between even bars, such as a receipt under the lid of a scanner."""
    inner = grey[within_bars(grey)]
    return inner.shape != grey.shape and is_page(np.ascontiguousarray(inner), plain)


def within_bars(grey: Image) -> tuple[slice, slice]:
    """Return the rows and columns of *grey*, (H, W), within even bars along its edges; all where few lie within."""
    everything = slice(0, grey.shape[0]), slice(0, grey.shape[1])
    edges = (grey[0], grey[-1], grey[:, 0], grey[:, -1])
    if all(cv2.meanStdDev(edge)[1][0, 0] > BAR for edge in edges):  # most pictures: the rest takes ten times as long
        return everything
    busy = [np.flatnonzero(grey.std(axis) > BAR) for axis in (1, 0)]
    inner = [slice(int(lines[0]), int(lines[-1]) + 1) if len(lines) else slice(0, 0) for lines in busy]
    if any(part.stop - part.start <= LEAST_WITHIN * side for part, side in zip(inner, grey.shape, strict=True)):
        return everything
    return inner[0], inner[1]


def _middle(levels: Levels) -> int:
    """Return the level that most others are about the same as: the mean of those, as several may be as good."""
    near = _about(levels)
    return round(float(levels[near] @ near) / float(levels[near].sum()))


def _evenness(levels: Levels) -> float:
    """Return the share of the pixels that have about one level."""
    return float(levels[_about(levels)].sum() / levels.sum())


def _about(levels: Levels) -> Levels:
    """Return the levels that are about the same, of all such ranges the one with most pixels."""
    below = np.zeros(len(levels) + 1, np.int64)
    np.cumsum(levels, out=below[1:])
    middle = (below[_PAST] - below[_FIRST]).argmax()
    return np.arange(_FIRST[middle], _PAST[middle])


def _histogram(grey: Image) -> Levels:
    """Return how many pixels of *grey*, evenly lit, have each level, (256,)."""
    counts = cv2.calcHist([_evenly_lit(grey)], [0], None, [256], [0, 256])
    levels: Levels = counts.ravel().astype(np.int64)
    return levels


def _evenly_lit(grey: Image) -> Pixels:
    """Return *grey*, (H, W), with the middle level of each of its parts brought to that of them all."""
    height, width = grey.shape
    levels = grey.astype(np.float32)
    spots = resized(levels, PARTS * SPOTS, PARTS * SPOTS).reshape(PARTS, SPOTS, PARTS, SPOTS)
    in_order = np.sort(spots.swapaxes(1, 2).reshape(PARTS, PARTS, SPOTS * SPOTS))
    paper = np.ascontiguousarray(in_order[:, :, SPOTS * SPOTS // 2])
    low, high = np.sort(paper, axis=None)[PARTS * PARTS // 2 - 1 :][:2]  # np.median takes ten times as long
    middle = float(low + high) / 2
    lit: Pixels = cv2.addWeighted(levels, 1, resized(paper, width, height), -1, middle - TO_FLOOR, dtype=cv2.CV_8U)
    return lit
