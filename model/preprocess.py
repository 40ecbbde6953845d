"""
Pixels to what the network sees: the one function that serving and training both call.

The square is reached in one step by an antialiased filter, however large or narrow the image is:
how much noise survives the reduction is part of the model, so the filter's name is in the spec. What is left of
preprocessing, the network's graph does itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image  # noqa: TID251 - one of Pillow's doors

from model.spec import EncoderSpec

Square = npt.NDArray[np.uint8]
"""What the network sees: uint8 RGB (S, S, 3)."""


def to_square(pixels: npt.NDArray[np.uint8], size: int, interpolation: str) -> Square:
    """Squash *pixels*, uint8 RGB (H, W, 3), to uint8 (size, size, 3) by the Pillow filter of that name."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {pixels.dtype} {pixels.shape}")
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((size, size), Image.Resampling[interpolation]))


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
