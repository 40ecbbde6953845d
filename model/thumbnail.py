"""
The small picture that is stored for the second look, and how it is made ready to be compared.

Squashed to a square: the means of the two colour channels over REGIONS x REGIONS, int8, then the grey picture as
JPEG. Only `second_look` knows this; everybody else stores the bytes as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

Thumbnail = bytes
"""What is stored of a picture, at most THUMBNAIL_MAX_BYTES; opaque outside this module."""

THUMBNAIL_MAX_BYTES = 6144

SIDE = 112
"""Pixels of the stored picture's side."""

MIDDLE = 56
"""Pixels of the side at which places are refined."""

COARSE = 28
"""Pixels of the side at which places are searched."""

WINDOWS = (28, 26, 25, 23, 22, 20, 19, 17, 16, 14)
"""Sides that a picture is shrunk to, to be looked for in another of side COARSE: a zoom of 100-200 %."""

REGIONS = 8
"""Regions along each side."""

QUALITIES = (75, 50, 25, 10)
"""JPEG qualities that are tried in turn until a thumbnail fits."""

LIGHT_SIGMA = 3.0
"""Pixels at MIDDLE over which light and strength are evened out."""

FAINT = 6.0
"""Grey levels: detail much fainter than this stays faint, because it may be noise."""

Pixels = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]
Image = TypeVar("Image", Pixels, Grey)


@dataclass(frozen=True, slots=True)
class View:
    """
    A thumbnail made ready to be compared.

    Attributes:
        grey: float32 (SIDE, SIDE), levels.
        detail: float32 (MIDDLE, MIDDLE), evened out to the same strength everywhere.
        shrunk: *detail* at each of WINDOWS, largest first.
        colour: float32 (REGIONS, REGIONS, 2), blue and red against grey, levels.
    """

    grey: Grey
    detail: Grey
    shrunk: tuple[Grey, ...]
    colour: Grey

    def mirrored(self) -> View:
        """Return the same with left and right exchanged."""
        return View(
            _flipped(self.grey), _flipped(self.detail), tuple(map(_flipped, self.shrunk)), _flipped(self.colour)
        )


def thumbnail(pixels: Pixels, /) -> Thumbnail:
    """
    Return what is to be stored of *pixels*, uint8 RGB (H, W, 3) of any size.

    A median before the last reduction takes salt and pepper away, which no later step could. What comes before it is
    made cheap: averaging down by a broken factor takes longer than decoding a small JPEG.
    """
    reduced = cv2.medianBlur(_reduced(pixels), 3)
    luma, red, blue = cv2.split(cv2.cvtColor(reduced, cv2.COLOR_RGB2YCrCb))
    means = np.stack([resized(channel.astype(np.float32), REGIONS, REGIONS) for channel in (blue, red)], axis=-1)
    colour: bytes = np.clip(np.rint(means - 128), -128, 127).astype(np.int8).tobytes()
    return colour + _jpeg(resized(luma, SIDE, SIDE), THUMBNAIL_MAX_BYTES - len(colour))


def _reduced(pixels: Pixels) -> Pixels:
    """Return *pixels* with sides of at most 3 x SIDE: halved while both are twice that, then drawn in linearly."""
    height, width = pixels.shape[:2]
    while min(height, width) >= 6 * SIDE or max(height, width) >= 12 * SIDE:
        down, across = (2 if side >= 6 * SIDE else 1 for side in (height, width))
        height, width = height // down, width // across
        even = pixels[: height * down, : width * across]
        pixels = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    size = min(width, 3 * SIDE), min(height, 3 * SIDE)
    smaller: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    return smaller


def _jpeg(grey: Pixels, most: int) -> bytes:
    """Return *grey* as JPEG of the best of QUALITIES that takes at most *most* bytes; the last one always does."""
    data = b""
    for quality in QUALITIES:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        data = cv2.imencode(".jpg", grey, flags)[1].tobytes()
        if len(data) <= most:
            break
    return data


def is_thumbnail(stored: bytes) -> bool:
    """Return whether `view` can make *stored* ready, and it has the size that `thumbnail` makes."""
    split = 2 * REGIONS * REGIONS
    if len(stored) <= split:
        return False
    levels = cv2.imdecode(np.frombuffer(stored[split:], np.uint8), cv2.IMREAD_GRAYSCALE)
    return levels is not None and levels.shape == (SIDE, SIDE)


@lru_cache(maxsize=64)
def view(stored: Thumbnail) -> View:
    """
    Make a stored thumbnail ready; kept for a while, because a new picture is compared with several.

    Raises:
        ValueError: *stored* did not come from `thumbnail`.
    """
    split = 2 * REGIONS * REGIONS
    colour = np.frombuffer(stored[:split], np.int8).reshape(REGIONS, REGIONS, 2).astype(np.float32)
    levels = cv2.imdecode(np.frombuffer(stored[split:], np.uint8), cv2.IMREAD_GRAYSCALE)
    if levels is None:
        raise ValueError(f"{len(stored)} bytes that are no thumbnail: make it anew from the picture")
    grey: Grey = levels.astype(np.float32)
    detail = _evened(resized(grey, MIDDLE, MIDDLE))
    return View(grey, detail, tuple(resized(detail, side, side) for side in WINDOWS), colour)


def _flipped(image: Grey) -> Grey:
    return np.ascontiguousarray(image[:, ::-1])


def resized(image: Image, width: int, height: int) -> Image:
    """Return *image* with each side averaged down, or drawn out linearly, to the new length."""
    wide, high = max(width, image.shape[1]), max(height, image.shape[0])
    if (high, wide) != image.shape[:2]:
        image = cv2.resize(image, (wide, high), interpolation=cv2.INTER_LINEAR)
    smaller: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return smaller


def blurred(image: Grey, sigma: float) -> Grey:
    """Return *image* after a Gaussian blur of *sigma* pixels."""
    soft: Grey = cv2.GaussianBlur(image, (0, 0), sigma)
    return soft


def _evened(grey: Grey) -> Grey:
    """Return the detail of *grey*, at the same strength everywhere, so that light does not matter."""
    detail = blurred(grey, 0.5) - blurred(grey, LIGHT_SIGMA)
    strength = np.sqrt(blurred(detail * detail, LIGHT_SIGMA))
    evened: Grey = detail / (strength + np.float32(FAINT))
    return evened
