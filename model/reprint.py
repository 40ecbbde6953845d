"""
Makes other pages of a page: some words exchanged, some lines moved, or a band of it another; never copies.

What the comparison of pages has to learn is what parts two receipts of one shop, and such pairs are rare and private.
A page with other words in the same places is just that, and every page at hand gives as many as are wanted.
"""

from __future__ import annotations

import cv2  # noqa: TID251 - one of OpenCV's doors
import numpy as np

from model.pixels import Pixels

INK = 40
"""Grey levels by which ink stands out from the page."""

FEWEST = 12
"""Words that a page must have, so that other ones make another page."""

LEAST = 20
"""Pixels of ink and of the gaps in a word, at least."""

ERASED = 0.15
"""Share of the chosen words that are erased, not exchanged."""

ALIKE = 8
"""Words nearest in size among which the new one is drawn."""

UNLIKE = 12.0
"""Grey levels by which two bands of a page differ in the mean, so that one makes another page in the other's place."""

Box = tuple[int, int, int, int]
"""Left, top, width and height, in pixels."""


def other_words(page: Pixels, rng: np.random.Generator) -> Pixels | None:
    """Return *page*, RGB, with 12-50 % of its words exchanged for others of it; None where it has few words."""
    words = _words(page, rng)
    if len(words) < FEWEST:
        return None
    made: Pixels = page.copy()
    for number in rng.permutation(len(words))[: max(4, int(rng.uniform(0.12, 0.5) * len(words)))]:
        place = made[_around(words[number], page)]
        place[:] = _other(page, words, int(number), rng)
    return made


def other_lines(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Return *page*, RGB, with 25-70 % of its height moved up by 3-12 % of it; what leaves above comes in below."""
    height = len(page)
    top = int(rng.uniform(0.05, 0.6) * height)
    bottom = min(height, top + int(rng.uniform(0.25, 0.7) * height))
    made: Pixels = page.copy()
    made[top:bottom] = np.roll(page[top:bottom], -2 - int(rng.uniform(0.03, 0.12) * height), 0)
    return made


def other_band(page: Pixels, rng: np.random.Generator) -> Pixels | None:
    """Return *page*, RGB, with a band of 6-20 % of its height as another one of it is; None where that is no other."""
    height = len(page)
    high = max(2, int(rng.uniform(0.06, 0.2) * height))
    into, taken = (int(top) for top in rng.integers(0, height - high + 1, 2))
    band, other = page[into : into + high], page[taken : taken + high]
    if float(cv2.absdiff(band, other).mean()) < UNLIKE:
        return None
    made: Pixels = page.copy()
    made[into : into + high] = other
    return made


def _words(page: Pixels, rng: np.random.Generator) -> list[Box]:
    """Return where ink lies together; how wide a gap may be, is drawn."""
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    ink = (cv2.absdiff(grey, np.full_like(grey, np.median(grey))) > INK).astype(np.uint8)
    joined = cv2.dilate(ink, np.ones((2, int(rng.integers(3, 9))), np.uint8))
    stats = cv2.connectedComponentsWithStats(joined)[2][1:]
    height, width = grey.shape
    _, _, wide, high, pixels = stats.T
    fit = (pixels >= LEAST) & (wide >= 5) & (wide < width * 0.5) & (high >= 4) & (high < height * 0.15)
    return [(left, top, across, down) for left, top, across, down, _ in stats[fit].tolist()]


def _around(word: Box, page: Pixels) -> tuple[slice, slice]:
    """Return the rows and columns of a word and a pixel around it."""
    left, top, across, down = word
    height, width = page.shape[:2]
    return slice(max(top - 1, 0), min(top + down + 1, height)), slice(max(left - 1, 0), min(left + across + 1, width))


def _other(page: Pixels, words: list[Box], number: int, rng: np.random.Generator) -> Pixels:
    """Return what comes in a word's place: paper, or one of the words of about its size, drawn out to it."""
    place = page[_around(words[number], page)]
    if rng.random() < ERASED:
        return np.broadcast_to(np.median(place[[0, -1]].reshape(-1, 3), 0), place.shape).astype(np.uint8)
    sizes = np.array(words, np.float64)[:, 2:]
    unlike = np.abs(sizes / sizes[number] - 1).sum(1)
    unlike[number] = np.inf
    near = np.argsort(unlike)[:ALIKE]
    other = page[_around(words[int(rng.choice(near))], page)]
    made: Pixels = cv2.resize(other, place.shape[1::-1], interpolation=cv2.INTER_AREA)
    return made
