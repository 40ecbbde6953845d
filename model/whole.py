"""
What the radius and the second look find together: the gate, the look and the whole, family by family.

Recall: of the edited copies, the share within the radius; of these, the share that the look confirms (or that lie
within the inner radius, where none is taken); and the whole. False positives: pairs of different pictures within
the radius, and those of them that the look confirms, too. Where fewer than three are, three over the number of pairs
bounds the rate (the rule of three; Hanley and Lippman-Hand, JAMA 1983). Near-copies by a plain check are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from model.augment import FAMILIES, Pixels
from model.calibrate import count_pairs, nearest_pairs, squared_distances
from model.data import Picture, edited
from model.encoder import Encoder
from model.evaluate import MAIN
from model.hard_groups import HardGroup, hard_groups
from model.pairs import Looks
from model.receipts import receipts
from model.second_look import MIN_SCORE, Thumbnail, second_look, thumbnail

Tell = Callable[[str], object]
"""Takes a line of progress."""

LISTED = 20_000
"""How many of the nearest pairs of pictures as they are may lie within the radius."""

HEADS = ("gate", "look", "whole")
COLUMNS = ("pairs", "within_radius", "confirmed", "rate", "at_most")

RECEIPTS = 60
"""Receipts that are drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """One image as the indexer keeps it: descriptor, float32 (D,), and thumbnail."""

    descriptor: npt.NDArray[np.float32]
    thumbnail: Thumbnail


@dataclass(frozen=True, slots=True)
class Rule:
    """When two images are copies: strictly within *inner*, or strictly within *radius* and confirmed (Euclidean)."""

    radius: float
    inner: float

    def look(self, distance: float, new: View, original: View) -> bool:
        """Tell whether two images at this *distance* are confirmed."""
        return distance < self.inner or second_look(new.thumbnail, original.thumbnail).score >= MIN_SCORE


@dataclass(frozen=True, slots=True)
class WholeConfig:
    """
    How to measure.

    Attributes:
        queries: pictures that are edited by every family, at most.
        workers: threads.
    """

    queries: int
    workers: int


def view_of(encoder: Encoder, pixels: Pixels) -> View:
    """Return what the indexer keeps of an image."""
    return View(encoder.embed([pixels])[0], thumbnail(pixels))


def measure(
    encoder: Encoder, pictures: Sequence[Picture], originals: Mapping[str, str], config: WholeConfig, tell: Tell
) -> dict[str, Any]:
    """Return all figures, ready for JSON; *originals* names the pictures' first files (see hard_groups)."""
    rule = Rule(encoder.spec.radius, encoder.spec.inner_radius)
    with ThreadPoolExecutor(config.workers) as pool:
        tell(f"{len(pictures):,} pictures\n")
        references = list(pool.map(lambda picture: view_of(encoder, picture.pixels), pictures))
        tell(f"{len(pictures[: config.queries]):,} of them edited {len(FAMILIES)} times\n")
        copies = list(pool.map(lambda picture: _copies(encoder, picture), pictures[: config.queries]))
        drawn = [view_of(encoder, picture.pixels) for picture in receipts(RECEIPTS)]
    alike = cache(Looks.of(pictures).alike)
    return {
        "fingerprint": encoder.spec.fingerprint,
        "radius": rule.radius,
        "inner_radius": rule.inner,
        "min_score": MIN_SCORE,
        "references": len(references),
        "queries": len(copies),
        "recall": {family: _recall(rule, copies, references, family) for family in FAMILIES},
        "different": {"unedited": _unedited(rule, references, alike)}
        | {f"edited by {family}": _edited(rule, copies, references, family, alike) for family in MAIN},
        "hard_groups": {
            **{group.name: _group(rule, group, references, alike) for group in hard_groups(pictures, originals)},
            "receipts of one shop (drawn)": _group(rule, _all_of(drawn), drawn, alike),
        },
    }


def _copies(encoder: Encoder, picture: Picture) -> dict[str, View]:
    """Return one edited copy of *picture* by each family, over the whole range."""
    return {family: view_of(encoder, edited(picture, family, 1.0)) for family in FAMILIES}


def _distance(first: View, second: View) -> float:
    """Return the Euclidean distance of two descriptors."""
    return float(np.linalg.norm(first.descriptor - second.descriptor))


def _recall(
    rule: Rule, copies: Sequence[Mapping[str, View]], references: Sequence[View], family: str
) -> dict[str, float]:
    """Return the shares of the *family*'s copies that the gate, the look and both find."""
    pairs = [(copy[family], original) for copy, original in zip(copies, references, strict=False)]
    near = [(d, copy, original) for copy, original in pairs if (d := _distance(copy, original)) < rule.radius]
    confirmed = sum(rule.look(*pair) for pair in near)
    return {
        "gate": len(near) / len(pairs),
        "look": confirmed / len(near) if near else 0.0,
        "whole": confirmed / len(pairs),
    }


def _counted(rule: Rule, pairs: int, near: Iterable[tuple[float, View, View]]) -> dict[str, float]:
    """Return how many of *pairs* lie within the radius, how many of those are confirmed, and the rate."""
    found = list(near)
    confirmed = sum(rule.look(*pair) for pair in found)
    return {
        "pairs": pairs,
        "within_radius": len(found),
        "confirmed": confirmed,
        "rate": confirmed / max(pairs, 1),
        "at_most": max(confirmed, 3) / max(pairs, 1),
    }


def _unedited(rule: Rule, references: Sequence[View], alike: Callable[[int, int], bool]) -> dict[str, float]:
    """Count false positives among pictures as they are."""
    nearest = nearest_pairs(np.stack([view.descriptor for view in references]), LISTED)
    near = (
        (pair.distance, references[pair.second], references[pair.first])
        for pair in nearest
        if pair.distance < rule.radius and not alike(pair.first, pair.second)
    )
    return _counted(rule, count_pairs(len(references)), near)


def _edited(
    rule: Rule,
    copies: Sequence[Mapping[str, View]],
    references: Sequence[View],
    family: str,
    alike: Callable[[int, int], bool],
) -> dict[str, float]:
    """Count false positives of edited pictures against all other pictures."""
    asked = np.stack([copy[family].descriptor for copy in copies])
    squares = squared_distances(asked, np.stack([view.descriptor for view in references]))
    np.fill_diagonal(squares, np.inf)
    near = (
        (float(np.sqrt(squares[query, other])), copies[query][family], references[other])
        for query, other in np.argwhere(squares < rule.radius**2)
        if not alike(int(query), int(other))
    )
    return _counted(rule, len(copies) * (len(references) - 1), near)


def _all_of(views: Sequence[View]) -> HardGroup:
    """Return the group of all pairs of *views*."""
    return HardGroup("", tuple(combinations(range(len(views)), 2)), surely_different=True)


def _group(rule: Rule, group: HardGroup, views: Sequence[View], alike: Callable[[int, int], bool]) -> dict[str, float]:
    """Count false positives within a hard group."""
    pairs = [pair for pair in group.pairs if group.surely_different or not alike(*pair)]
    measured = ((_distance(views[first], views[second]), views[second], views[first]) for first, second in pairs)
    return _counted(rule, len(pairs), (pair for pair in measured if pair[0] < rule.radius))


def as_text(figures: Mapping[str, Any]) -> str:
    """Return *figures* as two tables for people."""
    lines = [
        f"{figures['fingerprint']}, radius {figures['radius']:g}, inner radius {figures['inner_radius']:g}",
        f"score at least {figures['min_score']:g}",
        f"recall of {figures['queries']:,} edited copies".ljust(34) + "".join(map("{:>9}".format, HEADS)),
    ]
    for family, found in figures["recall"].items():
        lines.append(family.ljust(34) + "".join(f"{found[head]:9.3f}" for head in HEADS))
    lines.append("pairs of different pictures".ljust(34) + "".join(map("{:>14}".format, COLUMNS)))
    for name, found in {**figures["different"], **figures["hard_groups"]}.items():
        counts = "".join(f"{int(found[column]):14,}" for column in COLUMNS[:3])
        lines.append(name.ljust(34) + counts + f"{found['rate']:14.1e}{found['at_most']:14.1e}")
    return "\n".join(lines)
