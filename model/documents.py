"""
Pages to learn from, drawn: many forms and receipts, each printed many times with other contents; never copies.

People's archives are full of pages that share a layout, and a small image of two such pages is nearly the same.
Real ones are private, so a training run draws its own: what a layout fixes (paper, type, headings, rules, labels)
comes from the layout's number, what is filled in from the page's. Nothing is shared with `receipts`, which measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont  # noqa: TID251 - draws what is learned

from model.data import DRAWN, Picture
from model.pixels import Pixels

PAGES = 8
"""Pages of one layout."""

LETTERS = "aaabcdeeeefghiiiklmnnnooprrrssttttuuvw"


@dataclass(frozen=True, slots=True)
class Layout:
    """
    What the pages of one form share.

    Attributes:
        size: width and height in pixels.
        paper: grey level.
        ink: grey level.
        type_px: height of a line's letters.
        pitch_px: from line to line.
        margin_px: left and right.
        columns: texts beside each other.
        prices: whether a number stands at the right end of each line.
        ruled: whether lines are drawn between the lines.
        labels: share of the texts that every page bears.
    """

    size: tuple[int, int]
    paper: int
    ink: int
    type_px: int
    pitch_px: float
    margin_px: int
    columns: int
    prices: bool
    ruled: bool
    labels: float


def _layout(rng: np.random.Generator) -> Layout:
    """Draw a layout."""
    width = int(rng.integers(200, 420))
    type_px = int(rng.integers(9, 20))
    return Layout(
        size=(width, int(width * rng.uniform(0.8, 2.2))),
        paper=int(rng.integers(215, 256)),
        ink=int(rng.integers(0, 90)),
        type_px=type_px,
        pitch_px=type_px * rng.uniform(1.2, 2.2),
        margin_px=int(width * rng.uniform(0.03, 0.12)),
        columns=int(rng.choice([1, 1, 1, 2, 3])),
        prices=bool(rng.random() < 0.5),
        ruled=bool(rng.random() < 0.3),
        labels=float(rng.choice([0.0, 0.3, 0.5, 0.7])),
    )


def _words(rng: np.random.Generator, most: int) -> str:
    """Draw some words, *most* letters at most."""
    letters = rng.choice(list(LETTERS + " " * 7), int(rng.integers(2, max(most, 3)))).tolist()
    return "".join(letters).strip() or "a"


def documents(layouts: int) -> list[Picture]:
    """Return the pages of so many *layouts*, the same ones every time, PAGES of each."""
    return [
        Picture(f"{DRAWN}/{number}-{page}", pixels) for number in range(layouts) for page, pixels in _printed(number)
    ]


def _printed(number: int) -> Iterator[tuple[int, Pixels]]:
    """Yield the pages of the layout of this *number*."""
    layout = _layout(np.random.default_rng([number, 0]))
    for page in range(PAGES):
        yield page, _page(layout, np.random.default_rng([number, 1]), np.random.default_rng([number, 2, page]))


def _page(layout: Layout, fixed: np.random.Generator, filled: np.random.Generator) -> Pixels:
    """Print a page: *fixed* draws what all pages bear, *filled* what this one bears."""
    image = Image.new("RGB", layout.size, (layout.paper,) * 3)
    draw, ink = ImageDraw.Draw(image), (layout.ink,) * 3
    heading = ImageFont.load_default(round(layout.type_px * fixed.uniform(1.2, 2.2)))
    draw.text((layout.margin_px, layout.margin_px), _words(fixed, 14).upper(), ink, heading)
    top = layout.margin_px + 3.0 * layout.type_px
    while top < layout.size[1] - layout.margin_px - layout.type_px:
        _line(draw, layout, top, fixed, filled)
        top += layout.pitch_px
    return np.asarray(image)


def _line(
    draw: ImageDraw.ImageDraw, layout: Layout, top: float, fixed: np.random.Generator, filled: np.random.Generator
) -> None:
    """Print one line of the page."""
    font, ink = ImageFont.load_default(layout.type_px), (layout.ink,) * 3
    right = layout.size[0] - layout.margin_px
    wide = (right - layout.margin_px) / layout.columns
    for column in range(layout.columns):
        label, text = _words(fixed, 24), _words(filled, int(1.6 * wide / layout.type_px))
        shared = fixed.random() < layout.labels
        draw.text((layout.margin_px + column * wide, top), label if shared else text, ink, font)
    if layout.prices:
        draw.text((right, top), f"{filled.integers(20, 99999) / 100:.2f}", ink, font, anchor="ra")
    if layout.ruled:
        draw.line((layout.margin_px, top - 2, right, top - 2), ink)
