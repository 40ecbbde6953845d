"""
Which pairs of different files count as different pictures.

The data hold true near-copies: bursts of one shelf, one place at two scales, one wallpaper in two formats.
Such a pair is no false positive. Two plain checks that know nothing of the encoder find them: a perceptual hash,
and the correlation of small grey thumbnails at the best shift and zoom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt

from model.augment import GREY_WEIGHTS
from model.data import Picture
from model.pixels import Pixels
from model.preprocess import to_square

HASH_BITS_ALIKE = 10
"""Bits of 64 by which two hashes differ at most when they call two images alike."""

CORRELATION_ALIKE = 0.8
"""Thumbnails whose best correlation reaches this call two images alike."""

THUMBNAIL = 48
"""Pixels of a thumbnail's side."""

MIDDLE = 34
"""Pixels of the middle of a thumbnail that is looked for in the other: a shift of 15 % is found."""

REDUCED = (44, 38, 32)
"""Sides to which a whole thumbnail is reduced, to be looked for in the other: a zoom of 110-150 % is found."""

FLAT = 0.5
"""Grey levels by which a thumbnail must vary to be compared."""

PlainThumbnail = npt.NDArray[np.float32]
"""Grey, float32 (THUMBNAIL, THUMBNAIL); not the one that is stored."""

Alike = Callable[[int, int], bool]
"""Tells whether two pictures, by index and the smaller first, are near-copies."""


def plain_thumbnail(pixels: Pixels) -> PlainThumbnail:
    """Return the grey thumbnail of *pixels*."""
    grey: PlainThumbnail = to_square(pixels, THUMBNAIL, "BOX") @ GREY_WEIGHTS
    return grey


def perceptual_hash(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Return 64 bits: which low frequencies of the grey 32 x 32 image lie above their median."""
    grey = to_square(pixels, 32, "BOX") @ GREY_WEIGHTS
    wave = np.cos(np.pi / 32 * np.outer(np.arange(1, 9), np.arange(32) + 0.5)).astype(np.float32)
    low = wave @ grey @ wave.T
    bits: npt.NDArray[np.bool_] = (low > np.median(low)).ravel()
    return bits


def _best_correlation(window: PlainThumbnail, whole: PlainThumbnail) -> float:
    """Return the best correlation of *window*, at any place where it lies within *whole*; 0 where it shows nothing."""
    if window.std() < FLAT:
        return 0.0
    return float(cv2.matchTemplate(whole, window, cv2.TM_CCOEFF_NORMED).max())


def _windows(thumb: PlainThumbnail) -> Iterator[PlainThumbnail]:
    """Yield what to look for: the middle of *thumb* (the place may be shifted), and all of it made smaller."""
    edge = (THUMBNAIL - MIDDLE) // 2
    yield thumb[edge : edge + MIDDLE, edge : edge + MIDDLE]
    pixels = np.repeat(np.rint(thumb).astype(np.uint8)[..., None], 3, axis=2)
    for side in REDUCED:
        yield to_square(pixels, side, "BOX")[..., 0].astype(np.float32)


def thumbnails_alike(first: PlainThumbnail, second: PlainThumbnail) -> bool:
    """Tell whether one image's thumbnail, shifted or made smaller, is found in the other's."""
    return any(
        _best_correlation(window, whole) >= CORRELATION_ALIKE
        for part, whole in ((first, second), (second, first))
        for window in _windows(part)
    )


@dataclass(frozen=True, slots=True)
class Looks:
    """
    What the plain checks need of some pictures.

    Attributes:
        hashes: bool (N, 64).
        thumbnails: float32 (N, THUMBNAIL, THUMBNAIL).
        drawn: bool (N,), those that are known to be no near-copy of any other.
    """

    hashes: npt.NDArray[np.bool_]
    thumbnails: npt.NDArray[np.float32]
    drawn: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Looks:
        """Prepare *pictures*."""
        hashes = [perceptual_hash(picture.pixels) for picture in pictures]
        thumbnails = [plain_thumbnail(picture.pixels) for picture in pictures]
        return cls(np.stack(hashes), np.stack(thumbnails), np.array([picture.drawn for picture in pictures]))

    def alike(self, first: int, second: int) -> bool:
        """Tell whether a plain check calls two pictures, by index, near-copies."""
        if self.drawn[first] or self.drawn[second]:
            return False
        if np.count_nonzero(self.hashes[first] != self.hashes[second]) <= HASH_BITS_ALIKE:
            return True
        return thumbnails_alike(self.thumbnails[first], self.thumbnails[second])
