"""
The second look: is a candidate that the radius search returned the same picture? Align two thumbnails and compare.

A copy is its original under another light, enlarged and cropped, bordered, mirrored or noisy; so once the two lie
on top of each other, they agree everywhere. Two receipts of one shop, two frames of one burst, two variants of one
drawing agree in most places and not in some. Hence the score is not how well the pictures agree on the whole, but
how well they agree where they agree least: the correlation that nine tenths of the regions with detail reach.

How: a coarse search over scales, shifts and mirror images by normalised cross-correlation; the best few places, if
there is any hope, are refined to parts of a pixel by Gauss-Newton steps (Baker and Matthews, "Lucas-Kanade 20 years
on", 2004, the inverse compositional form); then the regions are compared in the frame of the picture that lies within
the other. What is not confirmed so is searched once more, for a picture that was turned a little or of which one side
was cut off, not for both, nor for a mirror image of which one was; different pictures fit better, too, where more may
move, so that this costs FREEDOM. Where too much light or shade took something away, the other picture is made to lose
it: see light. Pages have to agree as a whole as well, and evenly: see pages. And nothing may have moved: see changes.

Only stored thumbnails are compared, never pixels, so that it makes no difference whether an original is stored or
still in flight: the same two thumbnails always give the same `Look`. Serving may import this: it needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.changes import STRICT, changes
from model.grey import Grey, blurred, resized
from model.light import in_better_light
from model.pages import OVERALL, SHARP, overall
from model.paper import within_bars
from model.regions import detail, weakest
from model.thumbnail import (
    COARSE,
    REGIONS,
    THUMBNAIL_MAX_BYTES,
    Thumbnail,
    View,
    as_jpeg,
    finely,
    is_thumbnail,
    thumbnail,
    view,
)

__all__ = [
    "METHOD",
    "MIN_SCORE",
    "STRICT",
    "THUMBNAIL_MAX_BYTES",
    "Look",
    "Thumbnail",
    "as_jpeg",
    "is_thumbnail",
    "second_look",
    "thumbnail",
]

METHOD = "regions-10"
"""Names how thumbnails are made and compared; a change of either needs another name, as an encoder's does."""

MIN_SCORE = 0.73
"""A candidate is confirmed when its score reaches this; scripts/bench_second_look.py shows what it parts."""

TRIED = 3
"""So many places are refined at most, and one more where there is a frame."""

FITTING = 0.6
"""Correlation of the details that a freer place must reach to be looked at closely."""

EQUAL = 0.95
"""Share from which either picture may be the larger one."""

FREEDOM = 0.07
"""What it costs to be found by turning or a window of other proportions only: different pictures fit better, too."""

MOVED = 0.3
"""What it costs that something moved: such pictures are never confirmed."""

STEPS = 6
"""Gauss-Newton steps at most."""

SETTLED = 0.0003
"""Gain in correlation below which no further step is taken."""

ALIGNED = 0.85
"""Correlation of the details from which a place is the right one, so that no other is tried."""

UNMOVED = 0.9
"""Correlation of the details from which a picture that was neither zoomed nor moved is not looked for elsewhere."""

FITTED = 0.95
"""Correlation of the details from which nothing freer is tried where the original is a page."""

HOPELESS = 0.37
"""Correlation of the details below which they are not looked at closely: they show different things."""

SQUASHED = 1.2
"""So many times as dense may the pixels of one picture be along one axis, compared with the other one."""

NEARLY = 0.3
"""Score from which a place is refined once more, by the finest detail: below it, that hardly ever makes a copy."""

FLAT_ALIKE = 24.0
"""Two flat pictures are the same when their mean levels differ by at most so much."""

COLOURED = 10.0
"""Deviation of the colour, in levels, from which its pattern can be compared."""

COLOUR_ALIKE = 0.2
"""Correlation of two colour patterns below which one is a recoloured variant of the other."""

UPRIGHT = (0, 2, 4, 5)
"""The numbers of a place that move without turning the window."""

TURNED = (0, 1, 2, 3, 4, 5)
"""All numbers of a place."""

MOST_TURN = 0.12
"""How far a window may be turned: 7 degrees, of one as large as the whole picture."""

WINDOWS = (28, 26, 25, 23, 22, 20, 19, 17, 16, 14)
"""Sides, at COARSE, that a picture is shrunk to, to be looked for in another: a zoom of 100-200 %."""

OBLONG = (28, 20), (28, 14), (24, 17), (20, 14), (20, 28), (14, 28), (17, 24), (14, 20)
"""Sides, at COARSE, of windows that are looked for when nothing else fits; others are refined to what lies between."""

FINEST = 0.8
"""Blur in pixels that both pictures get before their regions are compared: finer detail may be noise."""

INSET = 3
"""Pixels along the edges of a page between bars that are left out: its outline is stronger than all that is on it."""

Place = npt.NDArray[np.float64]
"""
Where a window lies in a larger picture, (2, 3): the affine map from a point of the window to one of the larger picture,
both (x, y) from the centre as shares of the sides. Upright, its diagonal is the window's width and height, and the
last column its centre.
"""


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a second look found.

    Attributes:
        score: -1 to 1, the correlation that nine tenths of the regions with detail reach in the best alignment, or
            below HOPELESS that of the details, at a place that was not refined; less FREEDOM, where that was found by
            turning or by a window of other proportions. Of pages it is at most as far above MIN_SCORE as they agree as
            a whole above what pages must, which is never much. Less MOVED, where both pictures show what the other one
            lacks.
        scale: how much the new picture is enlarged against the original: 1.25 is a zoom to 125 %, less than 1 is
            shrunk, as by a border; by the mean of the window's sides: 1 / 0.8 of a picture cut to 60 % of its width.
        shift: where the centre of the picture that lies within the other is, from the other's centre: (x, y) as
            shares of the other's width and height. Of a mirrored picture, after it was mirrored back.
        mirrored: the new picture is a mirror image.
        changed: share of the part that both show in which one shows something that the other one lacks, 0 to 1; in
            grey. It is looked for only where the rest reaches MIN_SCORE, and else 0.
    """

    score: float
    scale: float
    shift: tuple[float, float]
    mirrored: bool
    changed: float = 0.0


@dataclass(frozen=True, slots=True)
class _Try:
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


def second_look(new: Thumbnail, original: Thumbnail) -> Look:
    """
    Look for the *original* in the *new* picture and the other way round, and tell how well they agree.

    Flat pictures have nothing to align: two of them score 1 when about equally bright and else 0; one scores 0.
    """
    views = view(new), view(original)
    flat = [each.flat for each in views]
    if any(flat):
        apart = abs(float(views[0].grey.mean() - views[1].grey.mean()))
        return Look(float(all(flat) and apart <= FLAT_ALIKE), 1.0, (0.0, 0.0), mirrored=False)
    upright = _aligned(_tries(*views))
    look = _look(upright, UPRIGHT)
    if look.score >= MIN_SCORE or (views[1].page and upright.correlation >= FITTED):
        return look
    freer = max((_moved(each, TURNED) for each in _freer(upright, *views)), key=_correlation, default=upright)
    if freer.correlation < FITTING:
        return look
    return max(look, _look(freer, TURNED), key=lambda each: each.score)


def _correlation(tried: _Try) -> float:
    return tried.correlation


def _aligned(tries: Iterable[_Try]) -> _Try:
    """Return the best of the places, upright: all but hopeless ones are refined, and none after one that is right."""
    best: _Try | None = None
    for tried in tries:
        moved = _moved(tried, UPRIGHT) if tried.correlation >= HOPELESS else tried
        best = moved if best is None else max(best, moved, key=_correlation)
        if best.correlation >= ALIGNED:
            break
    assert best is not None
    return best


def _moved(tried: _Try, free: tuple[int, ...]) -> _Try:
    """Return *tried* at the place to which it is refined by the numbers that are *free*."""
    fit, place = _refined(tried.window.detail, tried.whole.detail, tried, free)
    return replace(tried, correlation=fit, place=place)


def _look(best: _Try, free: tuple[int, ...]) -> Look:
    """Compare closely at the *best* place, which was found by moving the numbers that are *free*."""
    score, changed = best.correlation, 0.0
    if score >= HOPELESS:
        score, changed, best = _compared(best, free)
    told = _exchanged(best) if _share(best.place) > 1 else best
    share = _share(told.place)
    x, y = told.place[:, 2].tolist()
    return Look(score, 1 / share if told.zoomed else share, (x, y), told.mirrored, changed)


def _compared(best: _Try, free: tuple[int, ...]) -> tuple[float, float, _Try]:
    """Return the score, what changed, and the place, refined by the finest detail where that may still decide."""
    page = best.original.page  # not of the new picture: too much light makes a page of a photograph
    window, whole = _evenly_dense(*_chosen(best.window, best.whole, finest=page), best.place)
    score, *sharp = _agreed(best, window, whole)
    if best.correlation >= FITTING and score >= NEARLY and (page or score < MIN_SCORE):
        best = replace(best, place=_refined(finely(window), finely(whole), best, free)[1])
        score, *sharp = _agreed(best, window, whole)
    if free != UPRIGHT:
        score -= FREEDOM
    if page and score >= MIN_SCORE:
        score = min(score, MIN_SCORE + _overall(best, window, whole) - OVERALL)
    if score < MIN_SCORE:
        return score, 0.0, best
    changed = changes(*sharp)
    return score - MOVED * changed.moved, changed.share, best


def _chosen(window: View, whole: View, *, finest: bool) -> tuple[Grey, Grey]:
    """Return the grey pictures to compare; the *finest* are the large ones, where both have one."""
    if finest and window.large is not None and whole.large is not None:
        return window.large, whole.large
    return window.grey, whole.grey


def _evenly_dense(window: Grey, whole: Grey, place: Place) -> tuple[Grey, Grey]:
    """Return both with no more pixels along one axis than the other has there: a picture may have been squashed."""
    sides = np.array([window.shape[::-1], whole.shape[::-1]], np.float64)
    dense = sides[1] * place.diagonal() / sides[0]  # pixels of the larger picture by those of the window
    odd = dense / np.sqrt(dense.prod())
    if odd.max() <= SQUASHED:
        return window, whole
    window_size, whole_size = np.rint(sides * [np.minimum(odd, 1), np.minimum(1 / odd, 1)]).astype(int).tolist()
    return resized(window, *window_size), resized(whole, *whole_size)


def _exchanged(tried: _Try) -> _Try:
    """Return the same place with the other picture taken for the larger one."""
    inverse = np.linalg.inv(tried.place[:, :2])
    place = np.column_stack([inverse, -inverse @ tried.place[:, 2]])
    return replace(tried, place=place, window=tried.whole, whole=tried.window, zoomed=not tried.zoomed)


def _upright(across: float, down: float, x: float, y: float) -> Place:
    return np.array([[across, 0.0, x], [0.0, down, y]])


def _share(place: Place) -> float:
    """Return the window's side as a share of the larger picture's, the mean of both."""
    return float(place[0, 0] + place[1, 1]) / 2


def _tries(new: View, original: View) -> Iterator[_Try]:
    """Yield places, the likeliest first; most copies are found at the first, so that the rest is not even searched."""
    unmoved = _found(new.coarse, new, original, zoomed=True, mirrored=False)
    first = [unmoved] if unmoved.correlation >= UNMOVED else []
    yield from first
    plain = _likeliest(_coarse(new, original, mirrored=False))
    yield plain[0]
    yield from sorted(_framed(new, original), key=lambda each: _share(each.place))[:1]  # that with the wider frame
    turned = list(_coarse(new.mirrored, original, mirrored=True))
    yield from islice(_apart(_likeliest([*plain[1:], *turned]), plain[0]), TRIED - 1 - len(first))


def _likeliest(tries: Iterable[_Try]) -> list[_Try]:
    return sorted(tries, key=lambda each: -each.correlation)


def _framed(new: View, original: View) -> Iterator[_Try]:
    """Yield the place of the one in the other, for each that has even bars around it; it was not compared yet."""
    for zoomed, window, whole in ((False, original, new), (True, new, original)):
        (top, bottom), (left, right) = whole.content
        across, down = right - left, bottom - top
        if across * down < 0.98:
            place = _upright(across, down, (left + right - 1) / 2, (top + bottom - 1) / 2)
            yield _Try(1.0, place, window, whole, zoomed, mirrored=False)


def _apart(tries: list[_Try], first: _Try) -> Iterator[_Try]:
    """Yield those of *tries* that are not about the same as *first*, and may lead somewhere."""
    for each in tries:
        alike = each.mirrored == first.mirrored and each.zoomed == first.zoomed
        near = bool((np.abs(each.place - first.place) < 0.06).all())
        if not (alike and near) and each.correlation >= HOPELESS:
            yield each


def _coarse(new: View, original: View, *, mirrored: bool) -> Iterator[_Try]:
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


def _freer(upright: _Try, new: View, original: View) -> Iterator[_Try]:
    """Yield what may still fit when the best *upright* place is not confirmed, and can move more freely."""
    if upright.correlation >= HOPELESS:
        yield upright
    if upright.correlation >= FITTING and _share(upright.place) > EQUAL:  # a hair's breadth was cut off the original
        yield _exchanged(upright)
    oblong = _oblong(new, original)
    if oblong.correlation >= HOPELESS:
        yield oblong


def _oblong(new: View, original: View) -> _Try:
    """Return the likeliest place of a window of other proportions: a picture of which one side was cut off."""
    tries = [
        _found(window.shrunk(*sides), window, whole, zoomed=zoomed, mirrored=False)
        for zoomed, window, whole in ((True, new, original), (False, original, new))
        for sides in OBLONG
    ]
    return max(tries, key=lambda each: each.correlation)


def _found(shrunk: Grey, window: View, whole: View, *, zoomed: bool, mirrored: bool) -> _Try:
    """Return the best place of *shrunk*, the detail of *window*, in *whole*."""
    fit = cv2.matchTemplate(whole.coarse, shrunk, cv2.TM_CCOEFF_NORMED)
    _, correlation, _, (left, top) = cv2.minMaxLoc(fit)
    down, across = (side / COARSE for side in shrunk.shape)
    place = _upright(across, down, left / COARSE + across / 2 - 0.5, top / COARSE + down / 2 - 0.5)
    return _Try(correlation, place, window, whole, zoomed, mirrored)


def _placed(image: Grey, place: Place, height: int, width: int) -> Grey:
    """Return what of *image*, (H, W) or (H, W, 2), lies within the window at *place*, drawn to *height* x *width*."""
    rows = []
    for (across, down, centre), side in zip(place.tolist(), (image.shape[1], image.shape[0]), strict=True):
        right, low = across * side / width, down * side / height
        rows.append((right, low, centre * side + (side - 1 - right * (width - 1) - low * (height - 1)) / 2))
    matrix = np.array(rows)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    placed: Grey = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return placed


def _normal(image: Grey) -> Grey:
    """Return *image* less its mean, of length 1."""
    centred = image - np.float32(np.add.reduce(image, axis=None) / image.size)  # what `mean` does, in half the time
    normal: Grey = centred / np.float32(np.sqrt(float(np.vdot(centred, centred))) + 1e-6)
    return normal


def _slopes(window: Grey, free: tuple[int, ...]) -> Grey:
    """Return how each pixel changes with the numbers of the window's place that are *free*, float32 (F, H * W)."""
    height, width = window.shape
    across = cv2.Sobel(window, cv2.CV_32F, 1, 0, ksize=1, scale=width / 2)
    down = cv2.Sobel(window, cv2.CV_32F, 0, 1, ksize=1, scale=height / 2)
    by = _spread(width), _spread(height)[:, None], np.float32(1)
    slopes = np.empty((len(free), height, width), np.float32)
    for number, slope in zip(free, slopes, strict=True):
        np.multiply((across, down)[number // 3], by[number % 3], out=slope)
    return slopes.reshape(len(free), -1)


@lru_cache(maxsize=64)
def _spread(side: int) -> Grey:
    """Return where the middles of so many pixels lie, from the centre, as shares of the *side*."""
    spread: Grey = ((np.arange(side) + 0.5) / side - 0.5).astype(np.float32)
    return spread


def _refined(window: Grey, whole: Grey, tried: _Try, free: tuple[int, ...]) -> tuple[float, Place]:
    """Move the place of *tried* by Gauss-Newton steps; return the best fit of *window* with *whole*, and its place."""
    height, width = tried.whole.grey.shape
    normal = _normal(window)
    slopes = _slopes(normal, free)
    curvature = (slopes @ slopes.T).astype(np.float64)
    curvature += np.diag(0.01 * curvature.diagonal() + 1e-9)  # stripes have no slope along them
    inverse = np.linalg.inv(curvature)
    place = best = tried.place
    highest = -1.0
    for _ in range(STEPS):
        found = _normal(_placed(whole, place, *window.shape))
        fit = float(np.vdot(normal, found))
        gained = fit - highest
        if gained <= 0:
            break
        best, highest = place, fit
        if gained < SETTLED:
            break
        step = np.zeros(6)
        step[list(free)] = inverse @ (slopes @ (found - normal).ravel())
        place = _stepped(place, step, width / height)
    return highest, best


def _stepped(place: Place, step: npt.NDArray[np.float64], proportion: float) -> Place:
    """
    Return *place* after the inverse of *step*, kept within the larger picture but for a hair and corners.

    *proportion* is the larger picture's width by its height: to turn it moves shares of the one by shares of the other.
    """
    (a, b, x), (c, d, y) = place.tolist()
    wide, skewed, right, slid, high, low = (_within(number, 0.2) for number in step.tolist())
    wide, high = 1 + wide, 1 + high
    area = wide * high - skewed * slid
    a, b = (a * high - b * slid) / area, (b * wide - a * skewed) / area
    c, d = (c * high - d * slid) / area, (d * wide - c * skewed) / area
    x, y = x - a * right - b * low, y - c * right - d * low
    a, d = (min(max(side, 0.1), 1.02) for side in (a, d))
    up, down = b * proportion, c / proportion
    turn = _within(down - up, 2 * MOST_TURN) / 2
    slant = _within(down + up, abs(turn)) / 2
    x, y = (_within(centre, max(1 - side, 0.0) / 2 + 0.01) for centre, side in ((x, a), (y, d)))
    return np.array([[a, (slant - turn) / proportion, x], [(slant + turn) * proportion, d, y]])


def _within(number: float, most: float) -> float:
    """Return *number*, or what is nearest to it between *most* and its opposite."""
    return min(max(number, -most), most)


def _blur(sharp: float, place: Place) -> float:
    """Return the blur in pixels that a window needs where the larger picture, less sharp at *place*, gets *sharp*."""
    return float(np.sqrt(sharp**2 + 0.3 * max(1 / _share(place) ** 2 - 1, 0.0)))


def _equally_sharp(window: Grey, whole: Grey, place: Place) -> tuple[Grey, Grey]:
    """Return *window*, and what of *whole* lies at its *place*, blurred to the same sharpness."""
    return blurred(window, _blur(FINEST, place)), blurred(_placed(whole, place, *window.shape), FINEST)


def _agreed(best: _Try, window: Grey, whole: Grey) -> tuple[float, Grey, Grey]:
    """Return how well both agree at the *best* place, and the two as they were compared: equally sharp and lit."""
    return in_better_light(partial(_agreement, best), MIN_SCORE, *_equally_sharp(window, whole, best.place))


def _overall(best: _Try, window: Grey, whole: Grey) -> float:
    """Return how well two pages agree as a whole at the *best* place; without the bars around them, if any."""
    cropped = best.zoomed and _share(best.place) <= EQUAL
    agreement = partial(overall, soft=_blur(SHARP, best.place), framed=not cropped)
    placed = _placed(whole, best.place, *window.shape)
    if best.original.framed_page:
        page = within_bars(window)
        inner = [np.ascontiguousarray(each[page][INSET:-INSET, INSET:-INSET]) for each in (window, placed)]
        window, placed = inner if min(inner[0].shape) >= REGIONS else (window, placed)
    return in_better_light(agreement, OVERALL, window, placed)[0]


def _agreement(best: _Try, window: Grey, placed: Grey) -> float:
    """Return how well *window* agrees, where it agrees least, with what was *placed* on it from the *best* place."""
    score = weakest(detail(window), detail(placed))
    colour = _placed(best.whole.colour, best.place, REGIONS, REGIONS)
    return min(score, _colour_agreement(best.window.colour, colour))


def _colour_agreement(window: Grey, whole: Grey) -> float:
    """Return 1, or the correlation of the two patterns of colour where they tell of a recoloured picture."""
    first, second = (cv2.subtract(colour, cv2.mean(colour)) for colour in (window, whole))
    lengths = [cv2.norm(each) for each in (first, second)]
    if min(lengths) < COLOURED * np.sqrt(first.size):
        return 1.0
    agreement = float(np.vdot(first, second)) / (lengths[0] * lengths[1])
    return agreement if agreement < COLOUR_ALIKE else 1.0
