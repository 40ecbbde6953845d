"""
The edits that uploads meet beyond the mission's three families, one named function each; see `augment` for the rest.

Every edit takes pixels, uint8 RGB of shape (H, W, 3), a numpy Generator and a strength, as in `augment`: at
strength 1 it draws from the whole range in its docstring, at a smaller strength from that share of it.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont  # noqa: TID251 - training's door to Pillow, with augment

from model.pixels import Pixels

WORDS = ("sale", "new", "2024", "photo", "free", "the", "best", "of", "www", "summer", "look", "at", "this", "today")
"""What captions are made of."""


def _sized(image: Image.Image, width: float, height: float, rng: np.random.Generator) -> Image.Image:
    """Return *image* at a new size by any of Pillow's good filters."""
    filters = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    return image.resize((max(1, round(width)), max(1, round(height))), filters[rng.integers(3)])


def _shade(rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw black, white or any colour."""
    one = int(rng.choice([0, 255]))
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return (one, one, one) if rng.random() < 2 / 3 else (red, green, blue)


def blur(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Blur by a Gaussian of sigma 0-1 % of the shorter side."""
    sigma = 0.01 * min(pixels.shape[:2]) * strength * rng.uniform(0, 1)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def sharpen(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Add 0-200 % of the difference to a blurred image (an unsharp mask of radius 2)."""
    percent = round(200 * strength * rng.uniform(0, 1))
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.UnsharpMask(2, percent, 0)))


def upscale(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Enlarge the whole image to 100-200 % of each side."""
    height, width = pixels.shape[:2]
    share = 1 + strength * rng.uniform(0, 1)
    return np.asarray(_sized(Image.fromarray(pixels), width * share, height * share, rng))


def aspect(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Squeeze one of the two sides to 70-100 %."""
    height, width = pixels.shape[:2]
    share, wide = 1 - 0.3 * strength * rng.uniform(0, 1), rng.random() < 0.5
    return np.asarray(
        _sized(Image.fromarray(pixels), width * (share if wide else 1), height * (1 if wide else share), rng)
    )


def border(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Add plain bars of 0-10 % of the sides: left and right, above and below, or all round."""
    height, width = pixels.shape[:2]
    sides = rng.choice([(1, 0), (0, 1), (1, 1)])
    right, down = (
        round(0.1 * strength * rng.uniform(0, 1) * size * side)
        for size, side in zip((width, height), sides, strict=True)
    )
    framed = Image.new("RGB", (width + 2 * right, height + 2 * down), _shade(rng))
    framed.paste(Image.fromarray(pixels), (right, down))
    return np.asarray(framed)


def caption(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Write a line of words, up to 12 % of the height, at any height; every other one on a bar of its own colour."""
    image = Image.fromarray(pixels)
    size = round(0.12 * image.height * strength * rng.uniform(0.3, 1))
    if size < 1:
        return pixels
    draw, top = ImageDraw.Draw(image), rng.uniform(0, 1) * (image.height - size)
    ink = 255 * int(rng.integers(2))
    if rng.random() < 0.5:
        draw.rectangle((0, top, image.width, top + 1.2 * size), (255 - ink,) * 3)
    text = " ".join(rng.choice(WORDS, rng.integers(2, 6)))
    left = rng.uniform(0, 0.3) * image.width
    draw.text((left, top), text, (ink,) * 3, ImageFont.load_default(size), stroke_width=size // 12)
    return np.asarray(image)


def overlay(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Lay a disc or a box, up to 25 % of the shorter side and 50-100 % opaque, on any place, as logos lie."""
    image = Image.fromarray(pixels)
    side = round(0.25 * min(image.size) * strength * rng.uniform(0.3, 1))
    if side < 1:
        return pixels
    mask = Image.new("L", (side, side))
    shape = ImageDraw.Draw(mask)
    opaque = round(255 * rng.uniform(0.5, 1))
    (shape.ellipse if rng.random() < 0.5 else shape.rectangle)((0, 0, side - 1, side - 1), opaque)
    logo = Image.new("RGB", (side, side), _shade(rng))
    ImageDraw.Draw(logo).ellipse((side // 4, side // 4, side // 2, side * 3 // 4), _shade(rng))
    image.paste(
        logo, (int(rng.integers(0, image.width - side + 1)), int(rng.integers(0, image.height - side + 1))), mask
    )
    return np.asarray(image)


def rotate(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Turn by -5 to 5 degrees; the corners become black or white."""
    shade = 255 * int(rng.integers(2))
    angle = 5 * strength * rng.uniform(-1, 1)
    turned = Image.fromarray(pixels).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(shade,) * 3)
    return np.asarray(turned)


def mirror(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:  # noqa: ARG001
    """Swap left and right, at any strength but 0."""
    return np.ascontiguousarray(pixels[:, ::-1]) if strength else pixels


def strong_crop(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Keep a window of 50-100 % of each side, the two sides drawn apart, at a random place."""
    sides = [max(1, round(size * (1 - 0.5 * strength * rng.uniform(0, 1)))) for size in pixels.shape[:2]]
    top, left = (int(rng.integers(0, size - side + 1)) for size, side in zip(pixels.shape[:2], sides, strict=True))
    return np.ascontiguousarray(pixels[top : top + sides[0], left : left + sides[1]])


def screenshot(pixels: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """Show the image, filling 70-100 % of each side, on a plain page with a bar above."""
    image = Image.fromarray(pixels)
    free = 0.3 * strength * rng.uniform(0, 1)
    width, height = (math.ceil(side / (1 - free)) for side in image.size)
    page = 255 if rng.random() < 0.5 else int(rng.integers(20, 60))
    screen = Image.new("RGB", (width, height), (page,) * 3)
    spare = (width - image.width, height - image.height)
    ImageDraw.Draw(screen).rectangle((0, 0, width, spare[1] // 3), (128,) * 3)
    screen.paste(image, (spare[0] // 2, spare[1] // 3 * 2))
    return np.asarray(screen)
