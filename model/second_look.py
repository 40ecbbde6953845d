"""
The second look: whether two small grey pictures show one scene, and how one lies in the other.

A stand-in: grey thumbnails of 48 x 48 pixels, plain correlation at a few scales and every shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Thumbnail = bytes
"""Opaque; at most THUMBNAIL_MAX_BYTES long."""

THUMBNAIL_MAX_BYTES = 6144

MIN_SCORE = 0.5
"""Two pictures are copies when their score is at least this."""

_SIDE = 48
_SCALES = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)


@dataclass(frozen=True, slots=True)
class Look:
    """
    What a second look found.

    Attributes:
        score: how well the pictures agree where they overlap best, at most 1.
        scale: how much larger things are in the new picture.
        shift: where its left upper corner lies in the original, x and y in parts of the original's sides.
        mirrored: whether it shows the original mirrored.
    """

    score: float
    scale: float
    shift: tuple[float, float]
    mirrored: bool


def thumbnail(pixels: npt.NDArray[np.uint8], /) -> Thumbnail:
    """Return the thumbnail of *pixels*, uint8 RGB (H, W, 3)."""
    grey = pixels.astype(np.float32).mean(axis=2)
    return bytes(_shrunk(grey, _SIDE).round().astype(np.uint8))


def second_look(new: Thumbnail, original: Thumbnail) -> Look:
    """Return how *new* lies in *original*."""
    upright, within = _picture(new), _picture(original)
    looks = [
        _best(_shrunk(side, round(_SIDE / scale)), within, mirrored=mirrored)
        for mirrored, side in ((False, upright), (True, upright[:, ::-1]))
        for scale in _SCALES
    ]
    return max(looks, key=lambda look: look.score)


def _picture(thumbnail_: Thumbnail) -> npt.NDArray[np.float32]:
    return np.frombuffer(thumbnail_, np.uint8).reshape(_SIDE, _SIDE).astype(np.float32)


def _shrunk(grey: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """Return *grey* as a square of *side* pixels, each the mean of those that it covers."""
    for axis in (0, 1):
        starts = np.arange(side) * grey.shape[axis] // side
        sums = np.add.reduceat(grey, starts, axis=axis)
        ends = np.maximum(np.append(starts[1:], grey.shape[axis]), starts + 1)
        grey = sums / np.expand_dims(ends - starts, 1 - axis)
    return grey.astype(np.float32)


def _best(part: npt.NDArray[np.float32], whole: npt.NDArray[np.float32], *, mirrored: bool) -> Look:
    """Return the best place of *part* in *whole*."""
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    centred = part - part.mean()
    spread = np.sqrt(np.maximum(windows.var(axis=(2, 3)) * part.size, 1.0) * max(float((centred**2).sum()), 1.0))
    scores = np.einsum("yxij,ij->yx", windows, centred) / spread
    y, x = np.unravel_index(int(scores.argmax()), scores.shape)
    return Look(float(scores[y, x]), _SIDE / len(part), (float(x) / _SIDE, float(y) / _SIDE), mirrored)
