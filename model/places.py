"""
Where one of two pictures may lie in the other: places to be looked at closely, the likeliest first.

A coarse search by normalised cross-correlation over scales, shifts and mirror images; what fits no better than two
different pictures do is left out. Used by the second look only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np

from model.align import Place, share_of, upright_at
from model.grey import Grey
from model.thumbnail import COARSE, View

TRIED = 3
"""Places that are refined at most; where there is a frame, one more."""

FITTING = 0.6
"""Correlation of the details that a freer place must reach to be looked at closely."""

EQUAL = 0.95
"""Share from which either picture may be the larger one."""

UNMOVED = 0.9
"""Correlation of the details from which a picture that was neither zoomed nor moved is not looked for elsewhere."""

HOPELESS = 0.37
"""Correlation of the details below which they are not looked at closely: they show different things."""

WINDOWS = (28, 26, 25, 23, 22, 20, 19, 17, 16, 14)
"""Sides, at COARSE, that a picture is shrunk to, to be looked for in another: a zoom of 100-200 %."""

OBLONG = (28, 20), (28, 14), (24, 17), (20, 14), (20, 28), (14, 28), (17, 24), (14, 20)
"""Sides, at COARSE, of windows that are looked for when nothing else fits; others are refined to what lies between."""


@dataclass(frozen=True, slots=True)
class Try:
    """A place: *window* lies in *whole* at about *place*, by the *correlation* of what was last compared, 1 before."""

    correlation: float
    place: Place
    window: View
    whole: View
    zoomed: bool
    mirrored: bool

    @property
    def original(self) -> View:
        """The one of the two that is not the new picture."""
        return self.whole if self.zoomed else self.window

    @property
    def proportion(self) -> float:
        """Width by height of the larger picture."""
        height, width = self.whole.grey.shape
        return float(width / height)


def likely_places(new: View, original: View) -> Iterator[Try]:
    """Yield places, the likeliest first; most copies are found at the first, so that the rest is not even searched."""
    unmoved = _found(new.coarse, new, original, zoomed=True, mirrored=False)
    first = [unmoved] if unmoved.correlation >= UNMOVED else []
    yield from first
    plain = _likeliest(_coarse(new, original, mirrored=False))
    yield plain[0]
    yield from sorted(_framed(new, original), key=lambda each: share_of(each.place))[:1]  # that with the wider frame
    turned = list(_coarse(new.mirrored, original, mirrored=True))
    yield from islice(_apart(_likeliest([*plain[1:], *turned]), plain[0]), TRIED - 1 - len(first))


def _likeliest(tries: Iterable[Try]) -> list[Try]:
    return sorted(tries, key=lambda each: -each.correlation)


def _framed(new: View, original: View) -> Iterator[Try]:
    """Yield the place of the one in the other, for each that has even bars around it; it was not compared yet."""
    for zoomed, window, whole in ((False, original, new), (True, new, original)):
        (top, bottom), (left, right) = whole.content
        across, down = right - left, bottom - top
        if across * down < 0.98:
            place = upright_at(across, down, (left + right - 1) / 2, (top + bottom - 1) / 2)
            yield Try(1.0, place, window, whole, zoomed, mirrored=False)


def _apart(tries: list[Try], first: Try) -> Iterator[Try]:
    """Yield those of *tries* that are not about the same as *first*, and may lead somewhere."""
    for each in tries:
        alike = each.mirrored == first.mirrored and each.zoomed == first.zoomed
        near = bool((np.abs(each.place - first.place) < 0.06).all())
        if not (alike and near) and each.correlation >= HOPELESS:
            yield each


def _coarse(new: View, original: View, *, mirrored: bool) -> Iterator[Try]:
    """
    Yield the best place for some sizes of the new picture, zoomed into the original, and the other way round.

    Every other size comes first, then those beside the best: what fits at one size fits a little at the next.
    """
    for zoomed, window, whole in ((True, new, original), (False, original, new)):
        found = partial(_found, window=window, whole=whole, zoomed=zoomed, mirrored=mirrored)
        sizes = WINDOWS if zoomed else WINDOWS[1:]
        tries = {step: found(window.shrunk(sizes[step], sizes[step])) for step in range(0, len(sizes), 2)}
        yield from tries.values()
        best = max(tries, key=lambda step: tries[step].correlation)
        beside = (step for step in (best - 1, best + 1) if 0 <= step < len(sizes))
        yield from (found(window.shrunk(sizes[step], sizes[step])) for step in beside)


def freer_places(upright: Try, new: View, original: View) -> Iterator[Try]:
    """Yield what may still fit when the best *upright* place is not confirmed, and can move more freely."""
    if upright.correlation >= HOPELESS:
        yield upright
    if upright.correlation >= FITTING and share_of(upright.place) > EQUAL:  # a hair's breadth was cut off the original
        yield exchanged(upright)
    oblong = _oblong(new, original)
    if oblong.correlation >= HOPELESS:
        yield oblong


def _oblong(new: View, original: View) -> Try:
    """Return the likeliest place of a window of other proportions: a picture of which one side was cut off."""
    tries = [
        _found(window.shrunk(*sides), window, whole, zoomed=zoomed, mirrored=False)
        for zoomed, window, whole in ((True, new, original), (False, original, new))
        for sides in OBLONG
    ]
    return max(tries, key=lambda each: each.correlation)


def exchanged(tried: Try) -> Try:
    """Return the same place with the other picture taken for the larger one."""
    inverse = np.linalg.inv(tried.place[:, :2])
    place = np.column_stack([inverse, -inverse @ tried.place[:, 2]])
    return replace(tried, place=place, window=tried.whole, whole=tried.window, zoomed=not tried.zoomed)


def _found(shrunk: Grey, window: View, whole: View, *, zoomed: bool, mirrored: bool) -> Try:
    """Return the best place of *shrunk*, the detail of *window*, in *whole*."""
    fit = cv2.matchTemplate(whole.coarse, shrunk, cv2.TM_CCOEFF_NORMED)
    _, correlation, _, (left, top) = cv2.minMaxLoc(fit)
    down, across = (side / COARSE for side in shrunk.shape)
    place = upright_at(across, down, left / COARSE + across / 2 - 0.5, top / COARSE + down / 2 - 0.5)
    return Try(correlation, place, window, whole, zoomed, mirrored)
