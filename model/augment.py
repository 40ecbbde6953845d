"""
The copy edits, one named function each: what people do to an image that stays the same image.

Every edit takes pixels, uint8 RGB of shape (H, W, 3), a numpy Generator and a strength, and returns new pixels.
At strength 1 it draws from the whole range in its docstring; at a smaller strength from that share of it.
The same generator state gives the same result, so that every figure can be made again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image  # noqa: TID251 - training's door to Pillow

from model.pixels import Pixels as Pixels  # noqa: PLC0414 - scripts take it from here
from model.wild import (
    aspect,
    blur,
    border,
    caption,
    mirror,
    overlay,
    rotate,
    screenshot,
    sharpen,
    strong_crop,
    upscale,
)

Edit = Callable[[Pixels, np.random.Generator, float], Pixels]
"""An edit: pixels, randomness, strength from 0 (none) to 1 (the whole range)."""

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


def _to_uint8(values: npt.NDArray[np.float32]) -> Pixels:
    """Round and clip *values* on the scale 0-255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _factor(rng: np.random.Generator, most: float) -> float:
    """Draw a factor between 1 / *most* and *most*, even on a logarithmic scale."""
    return float(most ** rng.uniform(-1.0, 1.0))


def brightness(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Multiply all values by 1/1.5 to 1.5."""
    return _to_uint8(pixels * np.float32(_factor(rng, 1 + 0.5 * strength)))


def contrast(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Stretch values about the image's mean by 1/1.5 to 1.5."""
    mean = np.float32(pixels.mean())
    return _to_uint8((pixels - mean) * np.float32(_factor(rng, 1 + 0.5 * strength)) + mean)


def gamma(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Raise values (on 0-1) to the power of 1/1.6 to 1.6."""
    table = 255 * (np.arange(256, dtype=np.float32) / 255) ** np.float32(_factor(rng, 1 + 0.6 * strength))
    return _to_uint8(table)[pixels]


def saturation(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Scale the distance from grey by 0.3 to 1.7."""
    grey = (pixels @ GREY_WEIGHTS)[..., None]
    return _to_uint8(grey + (pixels - grey) * np.float32(1 + 0.7 * strength * rng.uniform(-1, 1)))


def hue(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Turn the hue by -18 to 18 degrees."""
    hsv = np.array(Image.fromarray(pixels).convert("HSV"))
    hsv[..., 0] += np.uint8(round(256 * 0.05 * strength * rng.uniform(-1, 1)) % 256)
    return np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))


def white_balance(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Multiply each channel by a factor of its own, 1/1.25 to 1.25."""
    gains = np.array([_factor(rng, 1 + 0.25 * strength) for _ in range(3)], np.float32)
    return _to_uint8(pixels * gains)


def grey(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:  # noqa: ARG001
    """Take the colour away: by the share *strength* (1 is wholly grey)."""
    luma = (pixels @ GREY_WEIGHTS)[..., None]
    return _to_uint8(luma * np.float32(strength) + pixels * np.float32(1 - strength))


def light_gradient(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Multiply by a slope across the image at any angle, at most from 0.6 on one side to 1.4 on the other."""
    height, width = pixels.shape[:2]
    angle, slope = rng.uniform(0, 2 * np.pi), 0.4 * strength * rng.uniform(0, 1)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = 1 + slope * (x * np.cos(angle) + y * np.sin(angle)) / (abs(np.cos(angle)) + abs(np.sin(angle)))
    return _to_uint8(pixels * light[..., None].astype(np.float32))


def zoom_crop(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Enlarge by 100-150 % and keep a window of the first size at a random place."""
    return _zoomed(pixels, rng, 1 + 0.5 * strength * rng.uniform(0, 1))


def full_zoom(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Enlarge by 150 %, the end of that range, and keep a window of the first size at a random place."""
    return _zoomed(pixels, rng, 1 + 0.5 * strength)


def _zoomed(pixels: Pixels, rng: np.random.Generator, zoom: float) -> Pixels:
    """Enlarge by *zoom* and keep a window of the first size at a random place."""
    height, width = pixels.shape[:2]
    w, h = width / zoom, height / zoom
    left, top = rng.uniform(0, 1) * (width - w), rng.uniform(0, 1) * (height - h)
    box = (left, top, left + w, top + h)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))


def salt_and_pepper(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Turn 0-6 % of the pixels black or white, at the image's own size."""
    hit = rng.random(pixels.shape[:2]) < 0.06 * strength * rng.uniform(0, 1)
    out: Pixels = pixels.copy()
    out[hit] = rng.choice(np.array([0, 255], np.uint8), int(hit.sum()))[:, None]
    return out


def gaussian_noise(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Add normal noise of sigma 0-30 (of 255) to each value, at the image's own size."""
    sigma = np.float32(30 * strength * rng.uniform(0, 1))
    return _to_uint8(pixels + sigma * rng.standard_normal(pixels.shape, np.float32))


def _resave(pixels: Pixels, form: str, quality: int) -> Pixels:
    """Return *pixels* as they come back from a lossy file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def jpeg(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Save as JPEG of quality 30-95."""
    return _resave(pixels, "JPEG", round(95 - 65 * strength * rng.uniform(0, 1)))


def webp(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Save as WebP of quality 30-95."""
    return _resave(pixels, "WEBP", round(95 - 65 * strength * rng.uniform(0, 1)))


def rescale(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Scale down to 50-100 % of each side, by any of Pillow's good filters."""
    share = 1 - 0.5 * strength * rng.uniform(0, 1)
    size = (max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share)))
    filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    return np.asarray(Image.fromarray(pixels).resize(size, filters[rng.integers(3)]))


RELIGHTINGS: tuple[Edit, ...] = (
    brightness,
    contrast,
    gamma,
    saturation,
    hue,
    white_balance,
    light_gradient,
)


def colour(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Apply two or three of brightness, contrast, gamma, saturation, hue, white balance and light gradient."""
    for index in rng.permutation(len(RELIGHTINGS))[: rng.integers(2, 4)]:
        pixels = RELIGHTINGS[index](pixels, rng, strength)
    return pixels


def noise(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Apply salt-and-pepper to 6 % or Gaussian noise to sigma 30, one of the two."""
    return (salt_and_pepper, gaussian_noise)[rng.integers(2)](pixels, rng, strength)


def combined(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Relight, then zoom and crop, then add noise."""
    return noise(zoom_crop(colour(pixels, rng, strength), rng, strength), rng, strength)


MAIN: Mapping[str, Edit] = {edit.__name__: edit for edit in (colour, zoom_crop, noise, combined)}
"""The families that the product is made for; their copies are also compared with all other pictures."""

WILD: Mapping[str, Edit] = {
    edit.__name__: edit
    for edit in (jpeg, webp, rescale, upscale, aspect, blur, sharpen, grey, caption, border, overlay)
}
"""What uploads meet besides, and what must be found, too."""

REPORTED: Mapping[str, Edit] = {edit.__name__: edit for edit in (full_zoom, rotate, mirror, strong_crop, screenshot)}
"""Edits that are measured, but not promised."""

FAMILIES: Mapping[str, Edit] = {
    **MAIN,
    **{edit.__name__: edit for edit in (*RELIGHTINGS, salt_and_pepper, gaussian_noise)},
    **WILD,
    **REPORTED,
}
"""Every edit by name; the first four are the families that the product is measured on."""
