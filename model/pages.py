"""
What tells two pages of one layout apart: two receipts of one shop, two invoices, two windows of one program.

Such pictures agree nearly everywhere, and differ in figures of a few pixels: that nine tenths of the regions agree
says little. But nothing in them is faint, so that a copy agrees as a whole, and about equally well everywhere, but for
what was laid on it. Used by the second look only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.grey import Grey, detail_of, resized
from model.regions import NOISE, RING, Regions, quantile, region_means
from model.thumbnail import REGIONS

SHARP = 1.2
"""Blur in pixels that both pages get at least: finer detail is lost in JPEGs and by shifts of parts of a pixel."""

LIGHT = 4.0
"""Blur in pixels that leaves nothing but the light."""

OVERALL = 0.957
"""Correlation of all detail that two pages must reach where all regions have something on them."""

EMPTY = 0.02
"""Correlation that an empty page loses, and any other by its share of empty regions: little differs on them."""

CROWDED = 0.5
"""A page is crowded when this share of its regions has something on it."""

SLIGHT = 4.1
"""Grey levels by which another page differs from a crowded one in some region at least."""

SCARCE = 0.01
"""What a crowded page gains for each level less than SLIGHT: text too small is faint, and agrees no better."""

EXCUSED = 0.018
"""What it costs when the outermost regions, or what was laid on a page, are left out."""

LOWEST = 0.3
"""Share of the regions, those that agree least, that are held against the others."""

TWICE = 2.15
"""How many times what the middle region lacks of agreeing the LOWEST may lack: noise and zoom spoil all alike."""

MARGIN = 0.042
"""Correlation that the LOWEST regions may lack beyond TWICE what the middle region lacks."""

VOID = 0.03
"""A region is empty when it has this share of the mean detail at most: what the other page shows there is noise."""

ROOM = 0.2
"""Share of a page's regions that must be empty for the other one's noise to be told by them."""

LEAST_NOISE = 1.0
"""Grey levels of noise in empty regions from which it is taken off the detail of all regions."""

BUSY = 0.3
"""Regions with less detail than this share of the mean do not count."""

LAID = 25.0
"""Grey levels by which a spot changes when something is laid on it; other figures change it less."""

MOST_LAID = 24
"""Regions that may have something laid on them, at most."""

FINE = 2 * REGIONS
"""Spots along each side, in which what was laid on a page shows."""

FITS = 3
"""Times that the change of light is fitted, each without the spots that fit it least."""

INNER = ~RING.reshape(REGIONS, REGIONS)
"""All but the outermost regions."""


def overall(window: Grey, whole: Grey, soft: float, *, framed: bool) -> float:
    """
    Return how well two aligned pages agree as a whole, -1 to 1; below OVERALL they are not the same.

    *soft* is the blur in pixels that brings *window* to the sharpness of *whole*. Where they may be *framed*,
    as the new picture was not cropped, the outermost regions are left out if need be: of a cropped page, they are all
    that tells.
    """
    detail = detail_of(window, soft, LIGHT), detail_of(whole, SHARP, LIGHT)
    own, other, shared = (region_means(one * two) for one, two in ((detail[0],) * 2, (detail[1],) * 2, detail))
    own, other = _quiet(own, other, shared), _quiet(other, own, shared)
    laid = _laid(window, whole)
    whole_of_it = _agreement(own, other, shared, np.ones_like(INNER))
    parts = [INNER] * framed + [~laid] * bool(0 < laid.sum() <= MOST_LAID)
    return max([whole_of_it, *(_agreement(own, other, shared, part) - EXCUSED for part in parts)])


def _agreement(own: Regions, other: Regions, shared: Regions, kept: npt.NDArray[np.bool_]) -> float:
    """
    Return the mean correlation of the regions that are *kept*, each as important as it has detail.

    Less of a sparse page, or if some agree much less than the rest: other figures in the same places. More, if it is
    crowded, and none differs by much.
    """
    own, other, shared = own[kept] + 1e-6, other[kept] + 1e-6, shared[kept]
    busy = np.maximum(own / own.mean(), other / other.mean()) >= BUSY
    weight = own[busy] / own[busy].sum() + other[busy] / other[busy].sum()
    correlation = shared[busy] / np.sqrt(own[busy] * other[busy])
    ordered = np.sort(correlation)
    lowest = ordered[: max(1, int(LOWEST * len(ordered)))].mean()
    uneven = (1 - lowest) - TWICE * (1 - ordered[len(ordered) // 2])
    level = weight @ correlation / 2 - EMPTY * (1 - busy.mean())
    if busy.mean() >= CROWDED:
        level = max(level, OVERALL + SCARCE * (SLIGHT - _most_apart(own, other, shared)))
    return float(min(level, OVERALL + MARGIN - uneven))


def _quiet(own: Regions, other: Regions, shared: Regions) -> Regions:
    """Return *own* detail without as much noise as half of the regions that are empty in the *other* page have."""
    empty = other <= VOID * other.mean()
    noise = float(np.median(own[empty])) if empty.mean() >= ROOM else 0.0
    if noise < LEAST_NOISE**2:
        return own
    return np.maximum(own - min(noise, NOISE**2), shared * shared / (other + 1e-6))


def _most_apart(own: Regions, other: Regions, shared: Regions) -> float:
    """Return by how many levels of the stronger page one region differs at most, whatever the light."""
    gain = max(float(shared.sum() / own.sum()), 0.05)
    apart = own * gain**2 + other - 2 * gain * shared
    return float(np.sqrt(max(apart.max(), 0.0)) * max(1.0, 1 / gain))


def _laid(window: Grey, whole: Grey) -> npt.NDArray[np.bool_]:
    """Return where something was laid on the *window*, (REGIONS, REGIONS): its level differs by more than the light."""
    new, old = (resized(grey, FINE, FINE).ravel().astype(np.float64) for grey in (window, whole))
    fitting = np.ones(len(new), np.bool_)
    for _ in range(FITS):
        middle, level = old[fitting].mean(), new[fitting].mean()
        bright = old[fitting] - middle
        slope = bright @ (new[fitting] - level) / max(bright @ bright, 1e-6)
        apart = np.abs(new - level - slope * (old - middle))
        fitting = apart <= max(quantile(apart, 0.8), 1.0)
    spots = np.pad((apart >= LAID).reshape(FINE, FINE), 1)
    around = np.lib.stride_tricks.sliding_window_view(spots, (4, 4))[::2, ::2]  # a region's four spots and their rim
    return np.asarray(around.any((2, 3)))
