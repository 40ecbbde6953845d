"""
How well two aligned pictures agree where they agree least: region by region, and what is forgiven.

A copy agrees with its original everywhere, but for a place where a caption or a logo was laid on it, and for its
edges, where a border may show. Used by the second look and pages only.
"""

from __future__ import annotations

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.grey import Grey, blurred, resized
from model.thumbnail import REGIONS

NOISE = 6.0
"""Grey levels of noise in a thumbnail that are forgiven: what noise of sigma 30 in a small picture leaves."""

WEAKEST = 0.1
"""The score is this quantile of the busy regions' correlations."""

FORGIVEN = 0.17
"""What it costs when one place, or the outermost regions, are left out: the rest must reach 0.9 to be confirmed."""

BAND = 3
"""Rows of regions that a caption may spoil."""

BOX = 4
"""Regions of each side of a box that a logo may spoil."""

OUTLINE = 0.15
"""Two pictures show an outline only when at most this share of the busy regions lies inside the outermost ones."""

SHOWN = 2.0
"""Grey levels of detail in both pictures from which something is to be seen inside an outline."""

FEWEST = 14
"""Regions that must be left, when others are left out, for their agreement to count."""

WIDE = 3.0
"""Blur in pixels that leaves what fills more than a region, which is no detail."""

Regions = npt.NDArray[np.float64]


def detail(image: Grey) -> Grey:
    """Return what of *image*, (H, W), fills no more than a region."""
    height, width = image.shape
    half: Grey = cv2.resize(image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    light: Grey = cv2.resize(blurred(half, WIDE / 2), (width, height), interpolation=cv2.INTER_LINEAR)
    return image - light


def region_means(image: Grey) -> Regions:
    """Return the mean of *image*, (H, W), over each region, (REGIONS, REGIONS)."""
    return resized(image, REGIONS, REGIONS).astype(np.float64)


def quantile(values: npt.NDArray[np.float64], share: float) -> float:
    """Return the quantile of (N,) *values* as numpy's does, to rounding, in a tenth of the time for a few values."""
    ordered: list[float] = np.sort(values).tolist()
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def _agreement_by_region(window: Grey, whole: Grey) -> tuple[Regions, Regions, Regions]:
    """
    Return of each region the correlation, -1 to 1, how strong its detail is, and in how many levels² of both it shows.

    As much noise as a fifth of the regions have at most is taken to be everywhere in one of the two, and forgiven: in
    the one that would be noisier. All are (REGIONS * REGIONS,).
    """
    own, other = region_means(window * window) + 1e-6, region_means(whole * whole) + 1e-6
    shared = region_means(window * whole)
    common = shared * shared / (own * other)
    own_noise, other_noise = (quantile((each * (1 - common)).ravel(), 0.2) for each in (own, other))
    if own_noise * other.mean() >= other_noise * own.mean():
        own = np.maximum(own - min(own_noise, NOISE**2), own * common) + 1e-6
    else:
        other = np.maximum(other - min(other_noise, NOISE**2), other * common) + 1e-6
    strength = np.maximum(own / own.mean(), other / other.mean())
    return (shared / np.sqrt(own * other)).ravel(), strength.ravel(), np.minimum(own, other).ravel()


def weakest(window: Grey, whole: Grey) -> float:
    """
    Return the correlation that nine tenths of the regions with detail reach, -1 to 1.

    Or, if that is more, what they reach but for one place where something was laid on the picture, or but for its
    outermost regions, where a border may show; less FORGIVEN. Of paper on a dark ground, what lies within its outline
    must agree, if anything is there.
    """
    correlation, strength, shown = _agreement_by_region(window, whole)
    busy = strength >= 0.3 * strength.mean()
    calm = np.minimum(strength, 4 * quantile(strength, 0.5))  # a caption is so strong that all else would seem flat
    rest = calm >= 0.3 * calm.mean()
    if (busy & ~RING).sum() <= OUTLINE * busy.sum() and shown[~RING].mean() >= SHOWN**2:
        busy = rest = ~RING & (strength >= 0.3 * strength[~RING].mean())
    spoilt = (rest & (correlation < 0.85)).astype(np.intp)  # of booleans, @ would tell only whether there is one
    place = PLACES[int((PLACES @ spoilt).argmax())]
    forgiving = (_reached(correlation, kept) - FORGIVEN for kept in (rest & ~place, busy & ~RING))
    return max(quantile(correlation[busy], WEAKEST), *forgiving)


def _reached(correlation: npt.NDArray[np.float64], kept: npt.NDArray[np.bool_]) -> float:
    """Return what nine tenths of the regions that are *kept* reach; -1 where these are too few to tell."""
    return quantile(correlation[kept], WEAKEST) if kept.sum() >= FEWEST else -1.0


def _places() -> npt.NDArray[np.bool_]:
    """Return where a caption or a logo may lie, as masks of regions (P, REGIONS * REGIONS): bands and boxes."""
    masks = np.zeros((REGIONS - BAND + 1 + (REGIONS - BOX + 1) ** 2, REGIONS, REGIONS), np.bool_)
    for top in range(REGIONS - BAND + 1):
        masks[top, top : top + BAND] = True
    corners = ((top, left) for top in range(REGIONS - BOX + 1) for left in range(REGIONS - BOX + 1))
    for mask, (top, left) in zip(masks[REGIONS - BAND + 1 :], corners, strict=True):
        mask[top : top + BOX, left : left + BOX] = True
    return masks.reshape(len(masks), -1)


PLACES = _places()
"""Where a caption or a logo may lie, as masks of regions: bands, then boxes."""

CAPTIONS, BOXES = np.split(PLACES, [REGIONS - BAND + 1])
"""The bands of PLACES, and its boxes."""

RING = np.pad(np.zeros((REGIONS - 2, REGIONS - 2), np.bool_), 1, constant_values=True).ravel()
"""The outermost regions."""
