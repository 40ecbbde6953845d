"""
Pixels to what the network sees: the one function that serving and training both call.

The square is reached by an antialiased filter, however large or narrow the image is: how much noise survives the
reduction is part of the model, so the filter's name is in the spec. What is left of preprocessing, the network's graph
does itself.
"""

from __future__ import annotations

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np
import numpy.typing as npt
from PIL import Image  # noqa: TID251 - one of Pillow's doors

from model.grey import halved
from model.spec import EncoderSpec

SMOOTH = "SMOOTH"
"""Names the filter that encoders are made with: as smooth as Pillow's BILINEAR, in a third of its time."""

Square = npt.NDArray[np.uint8]
"""What the network sees: uint8 RGB (S, S, 3)."""


def to_square(pixels: npt.NDArray[np.uint8], size: int, interpolation: str) -> Square:
    """Squash *pixels*, uint8 RGB (H, W, 3), to uint8 (size, size, 3) by SMOOTH, or Pillow's filter of that name."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {pixels.dtype} {pixels.shape}")
    whole = np.ascontiguousarray(pixels)
    if interpolation == SMOOTH:
        return _smooth(whole, size)
    return np.asarray(Image.fromarray(whole).resize((size, size), Image.Resampling[interpolation]))


def softening(reduction: float, halved_to: float = 1.0) -> npt.NDArray[np.float32]:
    """
    Return the weights of a pixel and its two neighbours, (3,), before every *reduction*-th is sampled linearly.

    Together, the steps are to have the variance *reduction*² / 6, that of a triangle which reaches to the next samples,
    as Pillow's BILINEAR does. A sixth of a pixel linear sampling has by itself, and (1 - *halved_to*²) / 12 what was
    averaged before, to so large a share of its length. For reductions up to 2; enlarging needs none.
    """
    beside = max((reduction**2 - 1) / 12 - (1 - halved_to**2) / 24, 0.0)
    return np.array([beside, 1 - 2 * beside, beside], np.float32)


def _smooth(pixels: npt.NDArray[np.uint8], size: int) -> Square:
    """Halve each side while it is twice *size* or more, soften what is left, and sample it linearly."""
    few = halved(pixels, (size, size), 2)
    down, across = (softening(few.shape[axis] / size, few.shape[axis] / pixels.shape[axis]) for axis in (0, 1))
    soft = cv2.sepFilter2D(few, -1, across, down, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR_EXACT))


def reduced(pixels: npt.NDArray[np.uint8], short_side: int) -> npt.NDArray[np.uint8]:
    """Return *pixels*, uint8 RGB (H, W, 3), with a shorter side of at most *short_side* pixels, averaged by area."""
    share = short_side / min(pixels.shape[:2])
    if share >= 1:
        return pixels
    size = (round(pixels.shape[1] * share), round(pixels.shape[0] * share))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def preprocess(pixels: npt.NDArray[np.uint8], spec: EncoderSpec) -> Square:
    """Return the network's input, uint8 (S, S, 3), for uint8 RGB (H, W, 3) of any size."""
    return to_square(pixels, spec.input_size, spec.interpolation)
