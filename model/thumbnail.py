"""
The small picture that is stored for the second look, and how it is made ready to be compared.

The means of the two colour channels over REGIONS x REGIONS, int8, then the grey picture as JPEG, with the picture's
own proportions: squashed to a square, a receipt would keep nothing of its figures. Pages are stored larger for the
same reason. Only `second_look` knows this; everybody else stores the bytes as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np

from model.grey import Grey, blurred, halved, resized
from model.paper import is_framed_page, is_page, within_bars
from model.pixels import Pixels
from model.specks import without_specks

Thumbnail = bytes
"""What is stored of a picture, at most THUMBNAIL_MAX_BYTES; opaque outside this module."""

THUMBNAIL_MAX_BYTES = 6144

SIDE = 112
"""The stored picture has as many pixels as a square of this side."""

LARGE = 160
"""A page is stored with as many pixels as a square of this side: its figures are small."""

ABOUT_A_PAGE = 0.65
"""Share of paper from which a picture is stored as a page: the copy of a page may have less than it, and is, too."""

SLIMMEST = 40 / SIDE
"""The shorter side at least, as a share of SIDE or LARGE: what is longer than eight times its width is squashed."""

FLAT = 1.5
"""Deviation in grey levels below which a picture may be flat: it shows nothing that could be aligned."""

FLAT_RANGE = 24.0
"""Range of grey levels below which a picture may be flat: a line of text on a sheet has a wider one."""

MIDDLE = 56
"""Pixels of the side at which places are refined."""

COARSE = 28
"""Pixels of the side at which places are searched."""

REGIONS = 8
"""Regions along each side."""

QUALITIES = (75, 50, 25, 10)
"""JPEG qualities that are tried in turn until a thumbnail fits."""

LIGHT_SIGMA = 3.0
"""Pixels at MIDDLE over which light and strength are evened out."""

FAINT = 6.0
"""Grey levels: detail much fainter than this stays faint, because it may be noise."""


@dataclass(frozen=True)
class View:
    """
    A thumbnail made ready to be compared.

    Attributes:
        grey: float32 (H, W), levels, of about SIDE x SIDE pixels.
        large: the same of about LARGE x LARGE pixels, or None where it was not stored.
        detail: float32 (MIDDLE, MIDDLE), evened out to the same strength everywhere.
        colour: float32 (REGIONS, REGIONS, 2), blue and red against grey, levels.
    """

    grey: Grey
    large: Grey | None
    detail: Grey
    colour: Grey

    @property
    def flat(self) -> bool:
        """Whether it shows nothing that could be aligned."""
        return float(cv2.meanStdDev(self.grey)[1][0, 0]) < FLAT and float(np.ptp(self.grey)) < FLAT_RANGE

    @cached_property
    def page(self) -> bool:
        """Whether it is a page; what is none by far was not stored large."""
        return self._page_throughout or self.framed_page

    @cached_property
    def framed_page(self) -> bool:
        """Whether it is a page only without the even bars around it."""
        return self.large is not None and not self._page_throughout and is_framed_page(self.grey)

    @cached_property
    def _page_throughout(self) -> bool:
        return self.large is not None and is_page(self.grey)

    @cached_property
    def coarse(self) -> Grey:
        """*detail*, (COARSE, COARSE)."""
        return self.shrunk(COARSE, COARSE)

    def shrunk(self, width: int, height: int) -> Grey:
        """Return *detail* in *width* x *height* pixels; made once."""
        size, made = (width, height), self._shrunk  # of two threads that begin at once each may have its own
        if size not in made:
            made[size] = resized(self.detail, *size)
        return made[size]

    @cached_property
    def _shrunk(self) -> dict[tuple[int, int], Grey]:
        return {}

    @cached_property
    def content(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where what lies between even bars begins and ends, from top to bottom and from left to right, as shares."""
        rows, columns = within_bars(self.grey)
        height, width = self.grey.shape
        return (rows.start / height, rows.stop / height), (columns.start / width, columns.stop / width)

    @cached_property
    def mirrored(self) -> View:
        """The same with left and right exchanged."""
        large = None if self.large is None else _flipped(self.large)
        return View(_flipped(self.grey), large, _flipped(self.detail), _flipped(self.colour))


def thumbnail(pixels: Pixels, /) -> Thumbnail:
    """
    Return what is to be stored of *pixels*, uint8 RGB (H, W, 3) of any size.

    Salt and pepper is taken away before the last reduction.
    """
    height, width = pixels.shape[:2]
    size = stored_size(width, height, SIDE)
    few = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2YCrCb)
    means = resized(few, REGIONS, REGIONS)[:, :, :0:-1].astype(np.int16) - 128
    colour: bytes = means.astype(np.int8).tobytes()
    luma = without_specks(halved(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, 6))
    grey = resized(halved(luma, size, 2), *size)
    if is_page(grey, ABOUT_A_PAGE) or is_framed_page(grey, ABOUT_A_PAGE):
        grey = resized(luma, *stored_size(width, height, LARGE))
    return colour + _jpeg(grey, THUMBNAIL_MAX_BYTES - len(colour))


def stored_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return width and height with the proportions of *width* x *height* and as many pixels as a square of *side*."""
    across = side * math.sqrt(width / height)
    across = min(max(across, SLIMMEST * side), side / SLIMMEST)
    return round(across), round(side * side / across)


def _jpeg(grey: Pixels, most: int) -> bytes:
    """Return *grey* as JPEG of the best of QUALITIES that takes at most *most* bytes; the last one always does."""
    data = b""
    for quality in QUALITIES:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        data = cv2.imencode(".jpg", grey, flags)[1].tobytes()
        if len(data) <= most:
            break
    return data


def as_jpeg(stored: Thumbnail) -> bytes:
    """
    Return what is *stored* as a small JPEG to look at, in about its colours.

    Raises:
        ValueError: *stored* did not come from `thumbnail`.
    """
    levels = _known_levels(stored)
    blue_red = _colour(stored) + 128
    height, width = levels.shape
    wide = cv2.resize(blue_red, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    ycrcb = np.dstack([levels, wide[:, :, 1], wide[:, :, 0]])
    return cv2.imencode(".jpg", cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2BGR))[1].tobytes()


def is_thumbnail(stored: bytes) -> bool:
    """Return whether `view` can make *stored* ready, and it has a size that `thumbnail` makes."""
    levels = _levels(stored)
    side = None if levels is None else _side(levels)
    return levels is not None and side is not None and min(levels.shape) >= round(SLIMMEST * side)


def _levels(stored: bytes) -> Pixels | None:
    """Return the grey picture in *stored*, uint8 (H, W), or None where there is none."""
    data = np.frombuffer(stored[2 * REGIONS * REGIONS :], np.uint8)
    try:
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    except cv2.error:  # its header promises too many pixels
        return None


def _known_levels(stored: bytes) -> Pixels:
    levels = _levels(stored)
    if levels is None:
        raise ValueError(f"{len(stored)} bytes that are no thumbnail: make it anew from the picture")
    return levels


def _colour(stored: bytes) -> Grey:
    """Return the means of blue and red against grey, (REGIONS, REGIONS, 2)."""
    means = np.frombuffer(stored, np.int8, 2 * REGIONS * REGIONS)
    return means.reshape(REGIONS, REGIONS, 2).astype(np.float32)


def _side(levels: Pixels) -> int | None:
    """Return the side of the square with as many pixels as *levels*, whose sides were rounded; None for any other."""
    return next((side for side in (SIDE, LARGE) if abs(levels.size - side * side) <= max(levels.shape)), None)


@lru_cache(maxsize=64)
def view(stored: Thumbnail) -> View:
    """
    Make a stored thumbnail ready; kept for a while, because a new picture is compared with several.

    Raises:
        ValueError: *stored* did not come from `thumbnail`.
    """
    levels, colour = _known_levels(stored), _colour(stored)
    grey: Grey = levels.astype(np.float32)
    large = grey if _side(levels) == LARGE else None
    if large is not None:
        grey = resized(large, *stored_size(large.shape[1], large.shape[0], SIDE))
    detail = _evened(resized(grey, MIDDLE, MIDDLE), 0.5, LIGHT_SIGMA)
    return View(grey, large, detail, colour)


def _flipped(image: Grey) -> Grey:
    return np.ascontiguousarray(image[:, ::-1])


def finely(grey: Grey) -> Grey:
    """Return the finest detail of *grey*, at the same strength everywhere: for the last refinement of a place."""
    return _evened(grey, 0.7, 4.0)


def _evened(grey: Grey, fine: float, light: float) -> Grey:
    """
    Return the detail of *grey*, at the same strength everywhere, so that light does not matter.

    *fine* and *light* are the blurs in pixels that take noise away, and that leave nothing but the light.
    """
    detail = blurred(grey, fine) - blurred(grey, light)
    strength = np.sqrt(blurred(detail * detail, light))
    even: Grey = detail / (strength + np.float32(FAINT))
    return even
