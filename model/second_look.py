"""
The second look: is a candidate that the radius search returned the same picture? Align two thumbnails and compare.

A copy is its original under another light, enlarged and cropped, bordered, mirrored or noisy; so once the two lie
on top of each other, they agree everywhere. Two receipts of one shop, two frames of one burst, two variants of one
drawing agree in most places and not in some. Hence the score is not how well the pictures agree on the whole, but
how well they agree where they agree least: the correlation that nine tenths of the regions with detail reach.

How: a coarse search over scales, shifts and mirror images (see places); the best few places, if there is any hope, are
refined to parts of a pixel (see align); then the regions are compared in the frame of the picture that lies within the
other. What is not confirmed so is searched once more, for a picture that was turned a little or of which one side
was cut off, not for both, nor for a mirror image of which one was; different pictures fit better, too, where more may
move, so that this costs FREEDOM. Where too much light or shade took something away, the other picture is made to lose
it: see light. Pages have to agree as a whole as well, and evenly: see pages; those that fail by little are confirmed
where a network that has learned what becomes of letters finds them the same: see page_evidence. And nothing may have
moved: see changes.

Only stored thumbnails are compared, never pixels, so that it makes no difference whether an original is stored or
still in flight: the same two thumbnails always give the same `Look`. Serving may import this: it needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np

from model.align import TURNED, UPRIGHT, Place, cut_out, matching_blur, refined, share_of
from model.changes import STRICT, changes
from model.grey import Grey, blurred, resized
from model.light import in_better_light
from model.page_evidence import PagesError, evidence
from model.pages import OVERALL, SHARP, overall
from model.paper import within_bars
from model.places import EQUAL, FITTING, HOPELESS, Try, exchanged, freer_places, likely_places
from model.regions import detail, weakest
from model.thumbnail import (
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
    "PagesError",
    "Thumbnail",
    "as_jpeg",
    "is_thumbnail",
    "second_look",
    "thumbnail",
]

METHOD = "regions-12"
"""Names how thumbnails are made and compared; a change of either needs another name, as an encoder's does."""

MIN_SCORE = 0.73
"""A candidate is confirmed when its score reaches this; scripts/bench_second_look.py shows what it parts."""

FREEDOM = 0.07
"""What it costs to be found by turning or a window of other proportions only: different pictures fit better, too."""

MOVED = 0.3
"""What it costs that something moved: such pictures are never confirmed."""

ALIGNED = 0.85
"""Correlation of the details from which a place is the right one, so that no other is tried."""

FITTED = 0.95
"""Correlation of the details from which nothing freer is tried where the original is a page."""

SQUASHED = 1.2
"""How many times as dense one picture's pixels may be along one axis, compared with the other picture's."""

NEARLY = 0.3
"""Score from which a place is refined once more, by the finest detail: below it, that hardly ever makes a copy."""

FLAT_ALIKE = 24.0
"""Grey levels by which the means of two flat pictures differ at most when they are the same."""

COLOURED = 10.0
"""Deviation of the colour, in levels, from which its pattern can be compared."""

COLOUR_ALIKE = 0.2
"""Correlation of two colour patterns below which one is a recoloured variant of the other."""

FINEST = 0.8
"""Blur in pixels that both pictures get before their regions are compared: finer detail may be noise."""

INSET = 3
"""Pixels along the edges of a page between bars that are left out: its outline is stronger than all that is on it."""

DOUBTFUL = 0.6
"""Score from which two pages may be the same though they are refuted, if the evidence says so."""

NEARLY_OVERALL = 0.92
"""What they must reach as a whole for that."""

EVIDENT = 3.0
"""The evidence from which they are: the logarithm of the odds, among the pairs that were learned from."""

OTHERWISE = -2.5
"""The evidence up to which they are not, whatever else tells that they are."""

TOLD_APART = 0.7
"""The score that two pages reach at most that the evidence tells apart."""


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a second look found.

    Attributes:
        score: -1 to 1, the correlation that nine tenths of the regions with detail reach in the best alignment, or
            below HOPELESS that of the details, at a place that was not refined; less FREEDOM, where that was found by
            turning or by a window of other proportions. Of pages it is at most as far above MIN_SCORE as they agree as
            a whole above what pages must, which is never much; at least MIN_SCORE, or at most TOLD_APART, where learned
            evidence decided. Less MOVED, where both pictures show what the other one lacks.
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


def second_look(new: Thumbnail, original: Thumbnail) -> Look:
    """
    Look for the *original* in the *new* picture and the other way round, and tell how well they agree.

    Flat pictures have nothing to align: two of them score 1 when about equally bright and else 0; one scores 0.

    Raises:
        PagesError: the file of the network that compares pages is missing, or another one.

    """
    views = view(new), view(original)
    flat = [each.flat for each in views]
    if any(flat):
        apart = abs(float(views[0].grey.mean() - views[1].grey.mean()))
        return Look(float(all(flat) and apart <= FLAT_ALIKE), 1.0, (0.0, 0.0), mirrored=False)
    upright = _aligned(likely_places(*views))
    look = _look(upright, UPRIGHT)
    if look.score >= MIN_SCORE or (views[1].page and upright.correlation >= FITTED):
        return look
    freer = _freest(upright, *views)
    if freer.correlation < FITTING:
        return look
    return max(look, _look(freer, TURNED), key=lambda each: each.score)


def _correlation(tried: Try) -> float:
    return tried.correlation


def _aligned(tries: Iterable[Try]) -> Try:
    """Return the best of the places, upright: all but hopeless ones are refined, and none after one that is right."""
    best: Try | None = None
    for tried in tries:
        moved = _moved(tried, UPRIGHT) if tried.correlation >= HOPELESS else tried
        best = moved if best is None else max(best, moved, key=_correlation)
        if best.correlation >= ALIGNED:
            break
    assert best is not None
    return best


def _freest(upright: Try, new: View, original: View) -> Try:
    """Return the best place that more than the best *upright* one may move; that one itself where there is none."""
    tries = (_moved(each, TURNED) for each in freer_places(upright, new, original))
    return max(tries, key=_correlation, default=upright)


def _moved(tried: Try, free: tuple[int, ...]) -> Try:
    """Return *tried* at the place to which it is refined by the numbers that are *free*."""
    fit, place = refined(tried.window.detail, tried.whole.detail, tried.place, tried.proportion, free)
    return replace(tried, correlation=fit, place=place)


def _look(best: Try, free: tuple[int, ...]) -> Look:
    """Compare closely at the *best* place, which was found by moving the numbers that are *free*."""
    score, changed = best.correlation, 0.0
    if score >= HOPELESS:
        score, changed, best = _compared(best, free)
    told = exchanged(best) if share_of(best.place) > 1 else best
    share = share_of(told.place)
    x, y = told.place[:, 2].tolist()
    return Look(score, 1 / share if told.zoomed else share, (x, y), told.mirrored, changed)


@dataclass(frozen=True, slots=True)
class _Laid:
    """
    Two pictures laid upon each other.

    Attributes:
        tried: the place.
        window: levels of the one that lies within the other, (H, W).
        whole: levels of the other one, of its own size.
        score: how well they agree where they agree least.
        sharp: both, (H, W), as they were compared: equally sharp and lit.
    """

    tried: Try
    window: Grey
    whole: Grey
    score: float
    sharp: tuple[Grey, Grey]

    @property
    def placed(self) -> Grey:
        """What of the larger picture lies within the window, (H, W)."""
        return cut_out(self.whole, self.tried.place, *self.window.shape)


def laid_pages(new: Thumbnail, original: Thumbnail) -> tuple[Grey, Grey] | None:
    """Return two pages as they are compared, both (H, W), levels; None where the original is none, or nothing fits."""
    views = view(new), view(original)
    if not views[1].page or any(each.flat for each in views):
        return None
    best, free = _aligned(likely_places(*views)), tuple[int, ...](UPRIGHT)
    if best.correlation < FITTED:
        best, free = max((best, UPRIGHT), (_freest(best, *views), TURNED), key=lambda each: each[0].correlation)
    if best.correlation < FITTING:
        return None
    laid = _laid(best, free)
    return laid.window, laid.placed


def _laid(best: Try, free: tuple[int, ...]) -> _Laid:
    """Lay both upon each other at the *best* place, refined by the finest detail where that may still decide."""
    page = best.original.page  # not of the new picture: too much light makes a page of a photograph
    window, whole = _evenly_dense(*_chosen(best.window, best.whole, finest=page), best.place)
    score, *sharp = _agreed(best, window, whole)
    if best.correlation >= FITTING and score >= NEARLY and (page or score < MIN_SCORE):
        _, place = refined(finely(window), finely(whole), best.place, best.proportion, free)
        best = replace(best, place=place)
        score, *sharp = _agreed(best, window, whole)
    return _Laid(best, window, whole, score, (sharp[0], sharp[1]))


def _compared(best: Try, free: tuple[int, ...]) -> tuple[float, float, Try]:
    """Return the score, what changed, and the place."""
    laid = _laid(best, free)
    score = laid.score if free == UPRIGHT else laid.score - FREEDOM
    if best.original.page and score >= DOUBTFUL:
        score = _as_pages(score, laid)
    if score < MIN_SCORE:
        return score, 0.0, laid.tried
    changed = changes(*laid.sharp)
    return score - MOVED * changed.moved, changed.share, laid.tried


def _as_pages(score: float, laid: _Laid) -> float:
    """Return the *score* of two pages, held down by how they agree as a whole; learned evidence overrules it."""
    level = _overall(laid.tried, laid.window, laid.whole)
    score = min(score, MIN_SCORE + level - OVERALL)
    if level < NEARLY_OVERALL:
        return score
    told = evidence(laid.window, laid.placed)
    if told >= EVIDENT:
        return max(score, MIN_SCORE)
    return min(score, TOLD_APART) if told <= OTHERWISE else score


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


def _equally_sharp(window: Grey, whole: Grey, place: Place) -> tuple[Grey, Grey]:
    """Return *window*, and what of *whole* lies at its *place*, blurred to the same sharpness."""
    return blurred(window, matching_blur(FINEST, place)), blurred(cut_out(whole, place, *window.shape), FINEST)


def _agreed(best: Try, window: Grey, whole: Grey) -> tuple[float, Grey, Grey]:
    """Return how well both agree at the *best* place, and the two as they were compared: equally sharp and lit."""
    return in_better_light(partial(_agreement, best), MIN_SCORE, *_equally_sharp(window, whole, best.place))


def _overall(best: Try, window: Grey, whole: Grey) -> float:
    """Return how well two pages agree as a whole at the *best* place; without the bars around them, if any."""
    cropped = best.zoomed and share_of(best.place) <= EQUAL
    agreement = partial(overall, soft=matching_blur(SHARP, best.place), framed=not cropped)
    placed = cut_out(whole, best.place, *window.shape)
    if best.original.framed_page:
        page = within_bars(window)
        inner = [np.ascontiguousarray(each[page][INSET:-INSET, INSET:-INSET]) for each in (window, placed)]
        window, placed = inner if min(inner[0].shape) >= REGIONS else (window, placed)
    return in_better_light(agreement, OVERALL, window, placed)[0]


def _agreement(best: Try, window: Grey, placed: Grey) -> float:
    """Return how well *window* agrees, where it agrees least, with what was *placed* on it from the *best* place."""
    score = weakest(detail(window), detail(placed))
    colour = cut_out(best.whole.colour, best.place, REGIONS, REGIONS)
    return min(score, _colour_agreement(best.window.colour, colour))


def _colour_agreement(window: Grey, whole: Grey) -> float:
    """Return 1, or the correlation of the two patterns of colour where they tell of a recoloured picture."""
    first, second = (cv2.subtract(colour, cv2.mean(colour)) for colour in (window, whole))
    lengths = [cv2.norm(each) for each in (first, second)]
    if min(lengths) < COLOURED * np.sqrt(first.size):
        return 1.0
    agreement = float(np.vdot(first, second)) / (lengths[0] * lengths[1])
    return agreement if agreement < COLOUR_ALIKE else 1.0
