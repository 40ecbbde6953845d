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
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import cv2  # noqa: TID251 - OpenCV's one door
import numpy as np
import numpy.typing as npt

Thumbnail = bytes
"""What is stored of a picture, at most THUMBNAIL_MAX_BYTES; opaque outside this module."""

THUMBNAIL_MAX_BYTES = 6144

MIN_SCORE = 0.72
"""A candidate is confirmed when its score reaches this; scripts/bench_second_look.py shows what it parts."""

SIDE = 112
"""Pixels of a thumbnail's side: at 80, text and small changes are lost; more costs time and bytes and gains little."""

MIDDLE = 56
"""Pixels of the side at which places are refined."""

COARSE = 36
"""Pixels of the side at which places are searched."""

WINDOWS = (36, 34, 32, 30, 28, 26, 24, 22, 20, 18)
"""Sides that a picture is shrunk to, to be looked for in another of side COARSE: a zoom of 100-200 %."""

REGIONS = 8
"""Regions along each side."""

QUALITIES = (75, 50, 25, 10)
"""JPEG qualities that are tried in turn until a thumbnail fits."""

TRIED = 3
"""So many of the best coarse places are refined."""

STEPS = 6
"""Gauss-Newton steps at most."""

SURE = 0.9
"""A score at which no other place is tried."""

HOPELESS = 0.35
"""Coarse correlation below which only the best place is refined: it will not be confirmed."""

FLAT = 1.5
"""Deviation of the detail, in grey levels, below which a picture shows nothing that could be aligned."""

FLAT_ALIKE = 24.0
"""Two flat pictures are the same when their mean levels differ by at most so much."""

NOISE = 6.0
"""Grey levels of noise in a thumbnail that are forgiven: what noise of sigma 30 in a small picture leaves."""

COLOURED = 10.0
"""Deviation of the colour, in levels, from which its pattern can be compared."""

COLOUR_ALIKE = 0.2
"""Correlation of two colour patterns below which one is a recoloured variant of the other."""

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]

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
class _View:
    """
    A thumbnail made ready to be compared.

    Attributes:
        grey: float32 (SIDE, SIDE), levels.
        detail: float32 (MIDDLE, MIDDLE), evened out to the same strength everywhere.
        coarse: float32 (COARSE, COARSE), the same.
        colour: float32 (REGIONS, REGIONS, 2), blue and red against grey, levels.
    """

    grey: Grey
    detail: Grey
    coarse: Grey
    colour: Grey


@dataclass(frozen=True, slots=True)
class _Try:
    """A place to refine: *window* lies in *whole* at about *place*, by coarse *correlation*."""

    correlation: float
    place: Place
    window: _View
    whole: _View
    zoomed: bool
    mirrored: bool


def thumbnail(pixels: Pixels, /) -> Thumbnail:
    """
    Return what is to be stored of *pixels*, uint8 RGB (H, W, 3) of any size.

    Squashed to a square: REGIONS x REGIONS means of the two colour channels, int8, then the grey picture as JPEG.
    A median before the last reduction takes salt and pepper away, which no later step could.
    """
    height, width = pixels.shape[:2]
    most = 3 * SIDE
    reduced = _resized(pixels, min(width, most), min(height, most))
    luma, red, blue = cv2.split(cv2.cvtColor(cv2.medianBlur(reduced, 3), cv2.COLOR_RGB2YCrCb))
    means = [_resized(channel.astype(np.float32), REGIONS, REGIONS) - 128 for channel in (blue, red)]
    colour = np.clip(np.rint(np.stack(means, axis=-1)), -128, 127).astype(np.int8).tobytes()
    return colour + _jpeg(_resized(luma, SIDE, SIDE), THUMBNAIL_MAX_BYTES - len(colour))


def _jpeg(grey: Pixels, most: int) -> bytes:
    """Return *grey* as JPEG of the best of QUALITIES that takes at most *most* bytes; the last one always does."""
    for quality in QUALITIES:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        data = cv2.imencode(".jpg", grey, flags)[1].tobytes()
        if len(data) <= most:
            break
    return data


def second_look(new: Thumbnail, original: Thumbnail) -> Look:
    """
    Look for the *original* in the *new* picture and the other way round, and tell how well they agree.

    Flat pictures have nothing to align: two of them score 1 when about equally bright and else 0; one scores 0.
    """
    views = _view(new), _view(original)
    flat = [float(view.grey.std()) < FLAT for view in views]
    if any(flat):
        apart = abs(float(views[0].grey.mean() - views[1].grey.mean()))
        return Look(float(all(flat) and apart <= FLAT_ALIKE), 1.0, (0.0, 0.0), mirrored=False)
    best = Look(-1.0, 1.0, (0.0, 0.0), mirrored=False)
    for tried in _tries(*views):
        look = _look(tried)
        best = max(best, look, key=lambda each: each.score)
        if best.score >= SURE:
            break
    return best


@lru_cache(maxsize=64)
def _view(stored: Thumbnail) -> _View:
    """Make a stored thumbnail ready; kept for a while, because a new picture is compared with several."""
    split = 2 * REGIONS * REGIONS
    colour = np.frombuffer(stored[:split], np.int8).reshape(REGIONS, REGIONS, 2).astype(np.float32)
    grey = cv2.imdecode(np.frombuffer(stored[split:], np.uint8), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    detail = _evened(_resized(grey, MIDDLE, MIDDLE))
    return _View(grey, detail, _resized(detail, COARSE, COARSE), colour)


def _mirrored(view: _View) -> _View:
    """Return *view* with left and right exchanged."""
    return _View(*(np.ascontiguousarray(part[:, ::-1]) for part in (view.grey, view.detail, view.coarse, view.colour)))


def _resized(image: npt.NDArray[np.generic], width: int, height: int) -> npt.NDArray[np.generic]:
    """Return *image* with each side averaged down, or drawn out linearly, to the new length."""
    wide, high = max(width, image.shape[1]), max(height, image.shape[0])
    if (high, wide) != image.shape[:2]:
        image = cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _blurred(image: Grey, sigma: float) -> Grey:
    return cv2.GaussianBlur(image, (0, 0), sigma)


def _evened(grey: Grey) -> Grey:
    """Return the detail of *grey*, at the same strength everywhere, so that light does not matter."""
    detail = _blurred(grey, 0.5) - _blurred(grey, 3.0)
    strength = np.sqrt(_blurred(detail * detail, 3.0))
    return detail / (strength + np.float32(NOISE))


def _tries(new: _View, original: _View) -> Iterator[_Try]:
    """
    Yield the best places of the coarse search, best first; without the mirror images, then with them.

    Most copies are confirmed at the first place, so that the rest is not even searched.
    """
    plain = sorted(_coarse(new, original, mirrored=False), key=lambda each: -each.correlation)
    yield plain[0]
    turned = _coarse(_mirrored(new), original, mirrored=True)
    rest = sorted([*plain[1:], *turned], key=lambda each: -each.correlation)
    if rest[0].correlation >= HOPELESS:
        yield from islice(_apart(rest, plain[0]), TRIED - 1)


def _apart(tries: list[_Try], first: _Try) -> Iterator[_Try]:
    """Yield those of *tries* that are not about the same as an earlier one, *first* among them."""
    kept = [first]
    for each in tries:
        if not any(_same(each, other) for other in kept):
            kept.append(each)
            yield each


def _same(one: _Try, other: _Try) -> bool:
    """Tell whether two places lie so near to each other that refining leads to the same one."""
    alike = one.mirrored == other.mirrored and one.zoomed == other.zoomed
    return alike and all(abs(a - b) < 0.06 for a, b in zip(one.place, other.place, strict=True))


def _coarse(new: _View, original: _View, *, mirrored: bool) -> Iterator[_Try]:
    """Yield the best place for each size: the new picture zoomed into the original, and the other way round."""
    for zoomed, window, whole in ((True, new, original), (False, original, new)):
        for side in WINDOWS if zoomed else WINDOWS[1:]:
            shrunk = _resized(window.detail, side, side)
            fit = cv2.matchTemplate(whole.coarse, shrunk, cv2.TM_CCOEFF_NORMED)
            _, correlation, _, (left, top) = cv2.minMaxLoc(fit)
            share = side / COARSE
            place = share, share, left / COARSE + share / 2 - 0.5, top / COARSE + share / 2 - 0.5
            yield _Try(correlation, place, window, whole, zoomed, mirrored)


def _look(tried: _Try) -> Look:
    """Refine a place, and compare there."""
    place = _refined(tried.window.detail, tried.whole.detail, tried.place)
    share = (place[0] + place[1]) / 2
    score = _agreement(tried.window, tried.whole, place)
    return Look(score, 1 / share if tried.zoomed else share, place[2:], tried.mirrored)


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
    return cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _normal(image: Grey) -> Grey:
    """Return *image* less its mean, of length 1."""
    centred = image - image.mean()
    return centred / np.float32(np.sqrt(float(np.vdot(centred, centred))) + 1e-6)


def _slopes(window: Grey) -> Grey:
    """Return how each pixel, float32 (4, N * N), changes with the width, height, x and y of the window's place."""
    size = window.shape[0]
    unit = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    across = cv2.Sobel(window, cv2.CV_32F, 1, 0, ksize=1) * (size / 2)
    down = cv2.Sobel(window, cv2.CV_32F, 0, 1, ksize=1) * (size / 2)
    return np.stack([across * unit, down * unit[:, None], across, down]).reshape(4, -1)


def _refined(window: Grey, whole: Grey, place: Place) -> Place:
    """Move *place* by Gauss-Newton steps to where *window* fits best into *whole*; the best place seen."""
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
    return best


def _stepped(place: Place, step: npt.NDArray[np.float64]) -> Place:
    """Return *place* after the inverse of *step*, kept within the larger picture but for a hair's breadth."""
    wider, higher, right, lower = np.clip(step, -0.2, 0.2).tolist()
    across, down = (min(side / (1 + more), 1.02) for side, more in zip(place, (wider, higher), strict=False))
    x, y = place[2] - across * right, place[3] - down * lower
    edge_x, edge_y = (max(1 - side, 0.0) / 2 + 0.01 for side in (across, down))
    return across, down, float(np.clip(x, -edge_x, edge_x)), float(np.clip(y, -edge_y, edge_y))


def _agreement(window: _View, whole: _View, place: Place) -> float:
    """Return the score of *window* against what of *whole* lies at *place*."""
    share = (place[0] + place[1]) / 2
    soft = float(np.sqrt(0.8**2 + 0.3 * max(1 / share**2 - 1, 0.0)))
    score = _weakest(_detail(window.grey, soft), _detail(_placed(whole.grey, place), 0.8))
    return min(score, _colour_agreement(window.colour, _placed(whole.colour, place)))


def _detail(grey: Grey, soft: float) -> Grey:
    """Return the fine detail of *grey*, that which fills a region's size; *soft* is the blur taken as its limit."""
    fine = _blurred(grey, soft)
    return fine - _blurred(fine, 3.0)


def _region_means(image: Grey) -> npt.NDArray[np.float64]:
    return cv2.resize(image, (REGIONS, REGIONS), interpolation=cv2.INTER_AREA).astype(np.float64)


def _weakest(window: Grey, whole: Grey) -> float:
    """
    Return the correlation that nine tenths of the regions with detail reach, -1 to 1.

    As much noise as a fifth of the regions have at most is taken to be everywhere in *window*, and forgiven.
    """
    own, other = _region_means(window * window), _region_means(whole * whole) + 1e-6
    shared = _region_means(window * whole)
    explained = shared * shared / other
    noise = min(float(np.quantile(own - explained, 0.2)), NOISE**2)
    clean = np.maximum(own - noise, explained) + 1e-6
    strength = np.maximum(clean / clean.mean(), other / other.mean())
    correlation = shared / np.sqrt(clean * other)
    return float(np.quantile(correlation[strength >= 0.3 * strength.mean()], 0.1))


def _colour_agreement(window: Grey, whole: Grey) -> float:
    """Return 1, or the correlation of the two patterns of colour where they tell of a recoloured picture."""
    first, second = (colour - colour.mean((0, 1)) for colour in (window, whole))
    if min(float(first.std()), float(second.std())) < COLOURED:
        return 1.0
    agreement = float(np.vdot(_normal(first), _normal(second)))
    return agreement if agreement < COLOUR_ALIKE else 1.0
