"""
The second look: is a candidate that the radius search returned the same picture? Align two thumbnails and compare.

A copy is its original under another light, enlarged and cropped, bordered, mirrored or noisy; so once the two lie
on top of each other, they agree everywhere. Two receipts of one shop, two frames of one burst, two variants of one
drawing agree in most places and not in some. Hence the score is not how well the pictures agree on the whole, but
how well they agree where they agree least: the correlation that nine tenths of the regions with detail reach.

How: a coarse search over scales, shifts and mirror images by normalised cross-correlation; the best few places
are refined to parts of a pixel by Gauss-Newton steps (Baker and Matthews, "Lucas-Kanade 20 years on", 2004, the
inverse compositional form); then the regions are compared in the frame of the picture that lies within the other.

Only stored thumbnails are compared, never pixels, so that it makes no difference whether an original is stored or
still in flight: the same two thumbnails always give the same `Look`. Serving may import this: it needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.regions import weakest
from model.thumbnail import (
    COARSE,
    SIDE,
    THUMBNAIL_MAX_BYTES,
    Grey,
    Thumbnail,
    View,
    blurred,
    is_thumbnail,
    thumbnail,
    view,
)

__all__ = [
    "METHOD",
    "MIN_SCORE",
    "THUMBNAIL_MAX_BYTES",
    "Look",
    "Thumbnail",
    "is_thumbnail",
    "second_look",
    "thumbnail",
]

METHOD = "regions-2"
"""Names how thumbnails are made and compared; a change of either needs another name, as an encoder's does."""

MIN_SCORE = 0.72
"""A candidate is confirmed when its score reaches this; scripts/bench_second_look.py shows what it parts."""

TRIED = 3
"""So many places are refined at most."""

STEPS = 6
"""Gauss-Newton steps at most."""

ALIGNED = 0.85
"""Correlation of the details from which a place is the right one, so that no other is tried."""

HOPELESS = 0.35
"""Correlation of the details below which they are not looked at closely: they show different things."""

FLAT = 1.5
"""Deviation in grey levels below which a picture shows nothing that could be aligned."""

FLAT_ALIKE = 24.0
"""Two flat pictures are the same when their mean levels differ by at most so much."""

COLOURED = 10.0
"""Deviation of the colour, in levels, from which its pattern can be compared."""

COLOUR_ALIKE = 0.2
"""Correlation of two colour patterns below which one is a recoloured variant of the other."""

BAR = 4.0
"""Deviation of a row or column, in grey levels, below which it may belong to a border."""

Place = tuple[float, float, float, float]
"""
Where a window lies in a larger picture: its width and height as shares of the larger one's, and its centre's
distance (x, y) from the larger one's centre, as shares too.
"""


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a second look found.

    Attributes:
        score: -1 to 1, the correlation that nine tenths of the regions with detail reach in the best alignment.
        scale: how much the new picture is enlarged against the original: 1.25 is a zoom to 125 %, less than 1 is
            shrunk, as by a border; the mean of both axes.
        shift: where the centre of the picture that lies within the other is, from the other's centre: (x, y) as
            shares of the other's width and height. Of a mirrored picture, after it was mirrored back.
        mirrored: the new picture is a mirror image.
    """

    score: float
    scale: float
    shift: tuple[float, float]
    mirrored: bool


@dataclass(frozen=True, slots=True)
class _Try:
    """A place to refine: *window* lies in *whole* at about *place*, by coarse *correlation*."""

    correlation: float
    place: Place
    window: View
    whole: View
    zoomed: bool
    mirrored: bool


def second_look(new: Thumbnail, original: Thumbnail) -> Look:
    """
    Look for the *original* in the *new* picture and the other way round, and tell how well they agree.

    Flat pictures have nothing to align: two of them score 1 when about equally bright and else 0; one scores 0.
    """
    views = view(new), view(original)
    flat = [float(each.grey.std()) < FLAT for each in views]
    if any(flat):
        apart = abs(float(views[0].grey.mean() - views[1].grey.mean()))
        return Look(float(all(flat) and apart <= FLAT_ALIKE), 1.0, (0.0, 0.0), mirrored=False)
    return _look(_aligned(*views))


def _aligned(new: View, original: View) -> _Try:
    """Return the best of the places, refined."""
    best: _Try | None = None
    for tried in islice(_tries(new, original), TRIED):
        fit, place = _refined(tried.window.detail, tried.whole.detail, tried.place)
        if best is None or fit > best.correlation:
            best = replace(tried, correlation=fit, place=place)
        if best.correlation >= ALIGNED:
            break
    assert best is not None
    return best


def _look(best: _Try) -> Look:
    """Compare closely at the *best* place."""
    share = (best.place[0] + best.place[1]) / 2
    score = best.correlation
    if score >= HOPELESS:
        score = _agreement(best.window, best.whole, best.place)
    return Look(score, 1 / share if best.zoomed else share, best.place[2:], best.mirrored)


def _tries(new: View, original: View) -> Iterator[_Try]:
    """Yield places, the likeliest first; most copies are found at the first, so that the rest is not even searched."""
    plain = sorted(_coarse(new, original, mirrored=False), key=lambda each: -each.correlation)
    yield plain[0]
    yield from _framed(new, original)
    turned = list(_coarse(new.mirrored(), original, mirrored=True))
    yield from _apart(sorted([*plain[1:], *turned], key=lambda each: -each.correlation), plain[0])


def _framed(new: View, original: View) -> Iterator[_Try]:
    """Yield the place of the original in a new picture that has even bars around it."""
    (top, bottom), (left, right) = (_between_bars(new.grey.std(axis)) for axis in (1, 0))
    across, down = right - left, bottom - top
    if across * down < 0.98 and min(across, down) > 0.3:
        place = across, down, (left + right - 1) / 2, (top + bottom - 1) / 2
        yield _Try(0.0, place, original, new, zoomed=False, mirrored=False)


def _between_bars(deviations: Grey) -> tuple[float, float]:
    """Return where the rows or columns with content begin and end, as shares."""
    busy = np.flatnonzero(deviations > BAR)
    return (float(busy[0]) / SIDE, float(busy[-1] + 1) / SIDE) if len(busy) else (0.0, 1.0)


def _apart(tries: list[_Try], first: _Try) -> Iterator[_Try]:
    """Yield those of *tries* that are not about the same as *first*, and may lead somewhere."""
    for each in tries:
        alike = each.mirrored == first.mirrored and each.zoomed == first.zoomed
        near = all(abs(a - b) < 0.06 for a, b in zip(each.place, first.place, strict=True))
        if not (alike and near) and each.correlation >= HOPELESS:
            yield each


def _coarse(new: View, original: View, *, mirrored: bool) -> Iterator[_Try]:
    """Yield the best place for each size: the new picture zoomed into the original, and the other way round."""
    for zoomed, window, whole in ((True, new, original), (False, original, new)):
        for shrunk in window.shrunk if zoomed else window.shrunk[1:]:
            fit = cv2.matchTemplate(whole.shrunk[0], shrunk, cv2.TM_CCOEFF_NORMED)
            _, correlation, _, (left, top) = cv2.minMaxLoc(fit)
            share = len(shrunk) / COARSE
            place = share, share, left / COARSE + share / 2 - 0.5, top / COARSE + share / 2 - 0.5
            yield _Try(correlation, place, window, whole, zoomed, mirrored)


def _placed(image: Grey, place: Place) -> Grey:
    """Return what of *image*, (N, N) or (N, N, 2), lies within the window at *place*, enlarged to the same size."""
    size = image.shape[0]
    across, down, x, y = place
    matrix = np.array(
        [
            [across, 0, (across - 1) * (0.5 - size / 2) + x * size],
            [0, down, (down - 1) * (0.5 - size / 2) + y * size],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    placed: Grey = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return placed


def _normal(image: Grey) -> Grey:
    """Return *image* less its mean, of length 1."""
    centred = image - image.mean()
    normal: Grey = centred / np.float32(np.sqrt(float(np.vdot(centred, centred))) + 1e-6)
    return normal


def _slopes(window: Grey) -> Grey:
    """Return how each pixel, float32 (4, N * N), changes with the width, height, x and y of the window's place."""
    size = window.shape[0]
    unit = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    across = cv2.Sobel(window, cv2.CV_32F, 1, 0, ksize=1) * (size / 2)
    down = cv2.Sobel(window, cv2.CV_32F, 0, 1, ksize=1) * (size / 2)
    return np.stack([across * unit, down * unit[:, None], across, down]).reshape(4, -1)


def _refined(window: Grey, whole: Grey, place: Place) -> tuple[float, Place]:
    """Move *place* by Gauss-Newton steps; return the best correlation of *window* with *whole*, and its place."""
    normal = _normal(window)
    slopes = _slopes(normal)
    curvature = (slopes @ slopes.T).astype(np.float64)
    curvature[np.diag_indices(4)] *= 1.01
    inverse = np.linalg.pinv(curvature)
    best, highest = place, -1.0
    for _ in range(STEPS):
        found = _normal(_placed(whole, place))
        fit = float(np.vdot(normal, found))
        if fit <= highest:
            break
        best, highest = place, fit
        place = _stepped(place, inverse @ (slopes @ (found - normal).ravel()))
    return highest, best


def _stepped(place: Place, step: npt.NDArray[np.float64]) -> Place:
    """Return *place* after the inverse of *step*, kept within the larger picture but for a hair's breadth."""
    wider, higher, right, lower = np.clip(step, -0.2, 0.2).tolist()
    across, down = (min(side / (1 + more), 1.02) for side, more in zip(place, (wider, higher), strict=False))
    x, y = place[2] - across * right, place[3] - down * lower
    edge_x, edge_y = (max(1 - side, 0.0) / 2 + 0.01 for side in (across, down))
    return across, down, float(np.clip(x, -edge_x, edge_x)), float(np.clip(y, -edge_y, edge_y))


def _agreement(window: View, whole: View, place: Place) -> float:
    """Return the score of *window* against what of *whole* lies at *place*."""
    share = (place[0] + place[1]) / 2
    soft = float(np.sqrt(0.8**2 + 0.3 * max(1 / share**2 - 1, 0.0)))
    score = weakest(_detail(window.grey, soft), _detail(_placed(whole.grey, place), 0.8))
    return min(score, _colour_agreement(window.colour, _placed(whole.colour, place)))


def _detail(grey: Grey, soft: float) -> Grey:
    """Return the fine detail of *grey*, that which fills a region's size; *soft* is the blur taken as its limit."""
    fine = blurred(grey, soft)
    return fine - blurred(fine, 3.0)


def _colour_agreement(window: Grey, whole: Grey) -> float:
    """Return 1, or the correlation of the two patterns of colour where they tell of a recoloured picture."""
    first, second = (colour - colour.mean((0, 1)) for colour in (window, whole))
    if min(float(first.std()), float(second.std())) < COLOURED:
        return 1.0
    agreement = float(np.vdot(_normal(first), _normal(second)))
    return agreement if agreement < COLOUR_ALIKE else 1.0
