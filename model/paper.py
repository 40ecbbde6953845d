"""Whether a picture is a page: paper, or another even ground, with something on it."""

from __future__ import annotations

import numpy as np

from model.grey import Grey, Pixels, resized

PARTS = 4
"""Parts along each side in which paper may lie in another light."""

SPOTS = 7
"""Spots along each side of a part: most show paper."""

PLAIN = 0.61
"""A picture is a page when so large a share of it has about one level, its paper."""

ABOUT = 13
"""Grey levels to either side that are about the same."""

INK = 32
"""Grey levels by which something on it stands out from paper; a meadow is as even, but nothing in it does."""

WRITTEN = 0.003
"""Share of a page that does at least."""


def is_page(grey: Grey, plain: float = PLAIN) -> bool:
    """Return whether at least the share *plain* of *grey*, (H, W), is paper or another even ground, with ink on it."""
    levels = np.bincount(_evenly_lit(grey).ravel(), minlength=256)
    middle = int(np.convolve(levels, np.ones(2 * ABOUT + 1), "same").argmax())
    near = np.arange(max(middle - ABOUT, 0), min(middle + ABOUT, 255) + 1)
    even = levels[near].sum()
    paper = round(float(levels[near] @ near) / even)  # of all middles that are as good, the first is far off
    ink = levels[: max(paper - INK, 0)].sum() + levels[paper + INK :].sum()
    return bool(even >= plain * grey.size and ink >= WRITTEN * grey.size)


def _evenly_lit(grey: Grey) -> Pixels:
    """Return *grey*, (H, W), with the middle level of each of its parts brought to that of them all."""
    height, width = grey.shape
    spots = resized(grey, PARTS * SPOTS, PARTS * SPOTS).reshape(PARTS, SPOTS, PARTS, SPOTS)
    paper: Grey = np.median(spots, axis=(1, 3)).astype(np.float32)
    lit = grey - resized(paper, width, height) + np.median(paper)
    levels: Pixels = np.clip(lit, 0, 255).astype(np.uint8)
    return levels
