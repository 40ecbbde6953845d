"""
Where a window lies in a larger picture, and how that place is refined to parts of a pixel.

Gauss-Newton steps bring the window's detail to that of the larger picture (Baker and Matthews, "Lucas-Kanade 20 years
on", 2004, the inverse compositional form). Used by the second look and places only.
"""

from __future__ import annotations

from functools import lru_cache

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.grey import Grey

STEPS = 6
"""Gauss-Newton steps at most."""

SETTLED = 0.0003
"""Gain in correlation below which no further step is taken."""

MOST_TURN = 0.12
"""How far a window may be turned: 7 degrees, of one as large as the whole picture."""

UPRIGHT = (0, 2, 4, 5)
"""The numbers of a place, row by row, that move without turning the window."""

TURNED = (0, 1, 2, 3, 4, 5)
"""All numbers of a place."""

Place = npt.NDArray[np.float64]
"""
Where a window lies in a larger picture, (2, 3): the affine map from a point of the window to one of the larger picture,
both (x, y) from the centre as shares of the sides. Upright, its diagonal is the window's width and height, and the
last column its centre.
"""


def upright_at(across: float, down: float, x: float, y: float) -> Place:
    """Return the place of a window of width *across* and height *down* about the centre (x, y), as shares."""
    return np.array([[across, 0.0, x], [0.0, down, y]])


def share_of(place: Place) -> float:
    """Return the window's side as a share of the larger picture's, the mean of both."""
    return float(place[0, 0] + place[1, 1]) / 2


def cut_out(image: Grey, place: Place, height: int, width: int) -> Grey:
    """Return what of *image*, (H, W) or (H, W, 2), lies within the window at *place*, drawn to *height* x *width*."""
    rows = []
    for (across, down, centre), side in zip(place.tolist(), (image.shape[1], image.shape[0]), strict=True):
        right, low = across * side / width, down * side / height
        rows.append((right, low, centre * side + (side - 1 - right * (width - 1) - low * (height - 1)) / 2))
    matrix = np.array(rows)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut: Grey = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut


def refined(window: Grey, whole: Grey, place: Place, proportion: float, free: tuple[int, ...]) -> tuple[float, Place]:
    """
    Move *place* by Gauss-Newton steps; return the best correlation of *window* with *whole*, and its place.

    Args:
        window: float32 (H, W).
        whole: the larger picture, of any size.
        place: where the window is about.
        proportion: the larger picture's width by its height, as the picture is stored.
        free: which numbers of the place may move: UPRIGHT or TURNED.
    """
    normal = _normal(window)
    slopes = _slopes(normal, free)
    curvature = (slopes @ slopes.T).astype(np.float64)
    curvature += np.diag(0.01 * curvature.diagonal() + 1e-9)  # stripes have no slope along them
    inverse = np.linalg.inv(curvature)
    best = place
    highest = -1.0
    for _ in range(STEPS):
        found = _normal(cut_out(whole, place, *window.shape))
        fit = float(np.vdot(normal, found))
        gained = fit - highest
        if gained <= 0:
            break
        best, highest = place, fit
        if gained < SETTLED:
            break
        step = np.zeros(6)
        step[list(free)] = inverse @ (slopes @ (found - normal).ravel())
        place = _stepped(place, step, proportion)
    return highest, best


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


def matching_blur(sharp: float, place: Place) -> float:
    """Return the blur in pixels that a window needs where the larger picture, less sharp at *place*, gets *sharp*."""
    return float(np.sqrt(sharp**2 + 0.3 * max(1 / share_of(place) ** 2 - 1, 0.0)))
