"""
The pairs of different pictures that one system holds for nearest, counted by part, kind and group.

A part is one kind of comparison: pictures as they are with each other, or the edited copies of one family with all
other pictures. Pairs that a plain check calls near-copies (see pairs) are no mistakes; they are counted apart.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.calibrate import Pair, count_pairs, nearest_others, nearest_pairs
from model.hard_groups import HardGroup
from model.kinds import found_by_kind, pairs_by_kind
from model.pairs import Alike
from model.tail import Reach, Tail, TooFewPairsError
from model.views import Vectors

LISTED = 4096
"""How many of the nearest pairs of each part are looked at."""

UNEDITED = "unedited"
"""The part that compares pictures as they are."""


@dataclass(frozen=True, slots=True)
class Near:
    """A near *pair* of pictures, the *part* that it was found in, and whether both are *alike* by a plain check."""

    part: str
    pair: Pair
    alike: bool


@dataclass(frozen=True, slots=True)
class Mistakes:
    """
    What was compared, and the nearest of it.

    Attributes:
        near: nearest first, of all parts together; nothing nearer was left out.
        parts: pairs compared, by part.
        queries: pictures whose copies were compared, the first ones.
    """

    near: tuple[Near, ...]
    parts: Mapping[str, int]
    queries: int

    @classmethod
    def of(cls, references: Vectors, copies: Mapping[str, Vectors], alike: Alike) -> Mistakes:
        """Compare *references*, (N, D), with each other and with *copies*, by family (Q, D) of the first Q."""
        lists = {UNEDITED: nearest_pairs(references, LISTED)}
        lists |= {family: nearest_others(edited, references, LISTED) for family, edited in copies.items()}
        parts = {UNEDITED: count_pairs(len(references))}
        parts |= {family: len(edited) * (len(references) - 1) for family, edited in copies.items()}
        named = [[(pair.distance, part, pair) for pair in pairs] for part, pairs in lists.items()]
        merged = heapq.merge(*named, key=lambda entry: entry[0])
        near = (Near(part, pair, alike(*sorted((pair.first, pair.second)))) for _, part, pair in merged)
        queries = max((len(edited) for edited in copies.values()), default=0)
        return cls(tuple(first for first, _ in zip(near, range(LISTED), strict=False)), parts, queries)

    def within(self, radius: float) -> Iterator[Near]:
        """Yield what is listed strictly within *radius*."""
        return (near for near in self.near if near.pair.distance < radius)

    def reach(self, rate: float, kinds: Sequence[str], among: frozenset[str] | None = None) -> Reach | None:
        """
        Return the distance below which the share *rate* of the pairs of different pictures lies.

        With *among*, only pairs of pictures of these kinds count. None where there are too few pairs.
        """
        chosen = [near for near in self.near if not near.alike and _both(near.pair, kinds, among)]
        compared = pairs_by_kind(kinds, self.queries, len(self.parts) - 1)
        pairs = sum(count for both, count in compared.items() if among is None or among.issuperset(both.split(" / ")))
        try:
            return Tail.of([near.pair.distance for near in chosen], pairs).at(rate)
        except TooFewPairsError:
            return None

    def tail(self, parts: Collection[str]) -> Tail:
        """Return the tail of some *parts* by themselves; raises TooFewPairsError."""
        distances = [near.pair.distance for near in self.near if near.part in parts and not near.alike]
        return Tail.of(distances, sum(self.parts[part] for part in parts))


def _both(pair: Pair, kinds: Sequence[str], among: frozenset[str] | None) -> bool:
    """Tell whether both pictures are of the kinds in *among*."""
    return among is None or {kinds[pair.first], kinds[pair.second]} <= among


def by_part(mistakes: Mistakes, radius: float) -> dict[str, dict[str, float]]:
    """Return false positives and near-copies within *radius*, by part and together."""
    false = Counter(near.part for near in mistakes.within(radius) if not near.alike)
    copies = Counter(near.part for near in mistakes.within(radius) if near.alike)
    rows = {part: (pairs, false[part], copies[part]) for part, pairs in mistakes.parts.items()}
    rows["together"] = (sum(mistakes.parts.values()), false.total(), copies.total())
    return {
        part: {"pairs": pairs, "false_positives": wrong, "rate": wrong / max(pairs, 1), "near_copies": same}
        for part, (pairs, wrong, same) in rows.items()
    }


def by_kind(mistakes: Mistakes, radius: float, kinds: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return pairs and false positives within *radius* by two kinds, of all parts together, most first."""
    compared = pairs_by_kind(kinds, mistakes.queries, len(mistakes.parts) - 1)
    wrong = found_by_kind((near.pair for near in mistakes.within(radius) if not near.alike), kinds)
    ranked = sorted(compared, key=lambda both: (-wrong[both], both))
    return {
        both: {"pairs": compared[both], "false_positives": wrong[both], "rate": wrong[both] / compared[both]}
        for both in ranked
        if compared[both]
    }


def within_group(group: HardGroup, vectors: Vectors, alike: Alike, radius: float) -> dict[str, Any]:
    """Return how many pairs of one hard group lie within *radius*, near-copies apart."""
    first, second = np.array(group.pairs).T
    close = np.linalg.norm(vectors[first] - vectors[second], axis=1) < radius
    same = np.array([not group.surely_different and alike(*sorted(pair)) for pair in group.pairs])
    pairs, wrong = int((~same).sum()), int((close & ~same).sum())
    return {
        "pairs": pairs,
        "false_positives": wrong,
        "rate": wrong / max(pairs, 1),
        "near_copies": int(same.sum()),
        "near_copies_within": int((close & same).sum()),
    }
