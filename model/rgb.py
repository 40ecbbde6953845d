"""
Any Pillow image to opaque 8-bit RGB; a part of `decode`. Who changes a rule here changes the descriptors.

- Transparent pixels are composited on white.
- 16 bits become 8 by dropping the lower half, as Pillow does for 16-bit colour.
- Other integers, and floats, are scaled from the smallest of the ranges 0..1, 0..255 and 0..65535 that holds
  them all; where none does, from their own minimum and maximum.
- Colour profiles are not applied.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image  # noqa: TID251 - one of Pillow's doors, with decode

from model.pixels import Pixels

_PHOTOMETRIC = 262
"""TIFF's tag that tells whether 0 is white."""


def as_rgb(image: Image.Image) -> Image.Image:
    """Return *image*, of any mode, in mode RGB; raises what Pillow raises."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        return Image.fromarray(_scaled(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    grey = (values >> 8).astype(np.uint8)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
        grey = 255 - grey
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey).convert("RGB")


def _scaled(values: npt.NDArray[np.int32 | np.float32]) -> Pixels:
    """Scale integers or floats to 0..255 by the rule at the top; values that are not finite become black."""
    good = np.isfinite(values)
    known = values[good].astype(np.float64)
    if not known.size:
        return np.zeros(values.shape, np.uint8)
    low, high = known.min(), known.max()
    base, full = low, high - low
    if low >= 0 and high <= 65535:
        base, full = 0.0, next(limit for limit in (1.0, 255.0, 65535.0) if high <= limit)
    wide = np.where(good, values, base).astype(np.float64) - base
    scaled: Pixels = np.rint(wide * (255 / full if full else 0)).astype(np.uint8)
    return scaled


def _on_white(image: Image.Image) -> Image.Image:
    """Composite *image*, which has an alpha channel or a transparent colour, on white."""
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # of a 16-bit PNG, which Pillow reduced to 8
        image.info["transparency"] = tuple(value >> 8 for value in key)
    rgba = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return rgba.convert("RGB")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=alpha)
    return white
