"""
Groups of different pictures that look alike: pages of one layout, frames of one burst, receipts of one shop.

Frames follow each other by the numbers in their first names, which the data's manifest keeps.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from model.data import Picture

PAGES = ("cremma_medieval", "ocrd_assets")
BURSTS = ("grocery",)

NEXT = 2
"""Frames whose numbers differ by at most this belong to one burst."""


@dataclass(frozen=True, slots=True)
class HardGroup:
    """
    Pairs of different pictures that look alike.

    Attributes:
        name: for people.
        pairs: two places among the pictures.
        surely_different: known to be; otherwise near-copies by a plain check are counted apart.
    """

    name: str
    pairs: tuple[tuple[int, int], ...]
    surely_different: bool = False


def hard_groups(pictures: Sequence[Picture], originals: Mapping[str, str]) -> list[HardGroup]:
    """Return the groups among *pictures*; *originals* gives their first names, by name."""
    groups = [HardGroup(f"pages of {source}", _within(pictures, source)) for source in PAGES]
    groups += [HardGroup(f"frames of {source}", _frames(pictures, source, originals)) for source in BURSTS]
    return [group for group in groups if group.pairs]


def _within(pictures: Sequence[Picture], source: str) -> tuple[tuple[int, int], ...]:
    """Return all pairs of one source."""
    return tuple(combinations([place for place, picture in enumerate(pictures) if picture.source == source], 2))


def _frames(pictures: Sequence[Picture], source: str, originals: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of one source whose first names are alike up to a number that is near."""
    numbered = {
        place: (match[1], int(match[2]))
        for place, picture in enumerate(pictures)
        if picture.source == source and (match := re.search(r"^(.*?)(\d+)\.\w+$", originals.get(picture.name, "")))
    }
    return tuple(
        (first, second)
        for first, second in combinations(numbered, 2)
        if numbered[first][0] == numbered[second][0] and abs(numbered[first][1] - numbered[second][1]) <= NEXT
    )


def read_originals(places: Sequence[Path]) -> dict[str, str]:
    """Return the first name of each picture by the manifests beside the data; empty where there is none."""
    folders = {place if place.is_dir() else place.parent for place in places}
    originals = {}
    for manifest in sorted(folder / "manifest.csv" for folder in folders if (folder / "manifest.csv").is_file()):
        with manifest.open(newline="", encoding="utf-8") as file:
            originals.update({row["name"]: row["original"] for row in csv.DictReader(file)})
    return originals
