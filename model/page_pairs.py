"""
The pairs that the comparison of pages learns from: pages and their edited copies, and pages that are others.

Others are pages made of the page (see reprint), drawn pages of one layout (see documents), and those different
pages of the data that an encoder takes for alike; each as it is, or edited as a copy is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from model.augment import FAMILIES, WILD, jpeg
from model.data import Picture, name_hash
from model.grey import Grey
from model.pixels import Pixels
from model.reprint import other_band, other_lines, other_words
from model.second_look import Thumbnail, laid_pages, thumbnail
from model.thumbnail import view

LAID_ON = ("caption", "overlay", "border", "rotate")
"""Families that hide a part of a page or set it askew: what is hard to tell from other lines."""

COPIES = ("combined", "combined", "combined", "noise", "noise", "zoom_crop", "zoom_crop", "colour", *LAID_ON, "", "")
"""Families of the copies of one page; an empty name draws one of RARE."""

RARE = (*WILD, "full_zoom", "rotate", "screenshot", "strong_crop")
"""Families of few copies."""

OTHERS = ("combined", "noise", "zoom_crop", "colour", "jpeg", "rescale", "blur", *LAID_ON, "")
"""Families of which one edits another page; an empty name leaves it as it is."""

REPRINTS = 5
"""Pages with other words that are made of each page."""

MOVED = 2
"""Pages with lines elsewhere that are made of each page."""

BANDS = 2
"""Pages with another band that are made of each page."""

RESAVED = 0.5
"""Share of the edited pages that are saved as JPEG as well."""

SWAPPED = 0.25
"""Share of the copies that come first, and the page itself afterwards."""


@dataclass(frozen=True, slots=True)
class PagePair:
    """Two pages laid upon each other, *window* and *placed*, uint8 (H, W), and whether they are the *same*."""

    window: Pixels
    placed: Pixels
    same: bool


def of_page(page: Picture) -> list[PagePair]:
    """Return the pairs of one page, RGB: with its copies, and with the pages that are made of it."""
    rng, own = np.random.default_rng([name_hash(page.name), 1]), thumbnail(page.pixels)
    if not view(own).page:
        return []
    pairs = list[PagePair]()
    for family in COPIES:
        copy = thumbnail(_edited(page.pixels, family or str(rng.choice(RARE)), rng))
        pairs += _laid(*((own, copy) if rng.random() < SWAPPED else (copy, own)), same=True)
    for make in (other_words,) * REPRINTS + (other_lines,) * MOVED + (other_band,) * BANDS:
        made = make(page.pixels, rng)
        if made is not None:
            pairs += _laid(thumbnail(_edited(made, str(rng.choice(OTHERS)), rng)), own, same=False)
    return pairs


def of_others(first: Picture, second: Picture) -> list[PagePair]:
    """Return the pairs of two pages that are different: as they are, and the first one edited."""
    rng, other = np.random.default_rng([name_hash(first.name), name_hash(second.name)]), thumbnail(second.pixels)
    edits = (first.pixels, _edited(first.pixels, str(rng.choice(OTHERS[:-1])), rng))
    return [pair for each in edits for pair in _laid(thumbnail(each), other, same=False)]


def of_layouts(pages: Sequence[Picture], each: int) -> Iterator[tuple[Picture, Picture]]:
    """Yield pairs of drawn *pages* that share a layout, named before the hyphen: each page with *each* others."""
    layouts: dict[str, list[Picture]] = {}
    for page in pages:
        layouts.setdefault(page.name.rpartition("-")[0], []).append(page)
    for members in layouts.values():
        for at, page in enumerate(members):
            yield from (
                (page, members[(at + step) % len(members)]) for step in range(1, 1 + min(each, len(members) - 1))
            )


def _edited(page: Pixels, family: str, rng: np.random.Generator) -> Pixels:
    made = FAMILIES[family](page, rng, 1.0) if family else page
    return jpeg(made, rng) if rng.random() < RESAVED else made


def _laid(new: Thumbnail, original: Thumbnail, *, same: bool) -> list[PagePair]:
    """Return the pair, if the two can be laid upon each other."""
    laid = laid_pages(new, original)
    if laid is None:
        return []
    window, placed = map(_levels, laid)
    return [PagePair(window, placed, same)]


def _levels(page: Grey) -> Pixels:
    levels: Pixels = np.clip(np.rint(page), 0, 255).astype(np.uint8)
    return levels
