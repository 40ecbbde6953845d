"""
Pairs of different pictures that come near, and what the second look makes of each.

All pairs are compared, in blocks: of 16,000 pictures, each edited four times, that is a milliard. What lies within the
gate is looked at; near-copies by a plain check (see pairs) are set aside. The gate is at least the radius. A wider one
shows what the look does by itself: more pairs, and nearly as hard ones, as if the encoder were worse.

The pairs are not independent: a picture takes part in many, and two pictures that are alike come up in every part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model.calibrate import Pair, count_pairs, others_within, pairs_within
from model.hard_groups import HardGroup
from model.mistakes import UNEDITED
from model.pairs import Alike
from model.second_look import MIN_SCORE, STRICT, Thumbnail, second_look
from model.spec import EncoderSpec

SIDES = ("both held out", "one learned", "both learned")
"""Which of two pictures the encoder was trained on."""

DOUBT = 0.05
"""The chance that a rate above its bound shows as few pairs as were found: the bound holds at 95 %, from one side."""


@dataclass(frozen=True, slots=True)
class View:
    """One image as the indexer keeps it: descriptor, float32 (D,), and thumbnail."""

    descriptor: npt.NDArray[np.float32]
    thumbnail: Thumbnail


@dataclass(frozen=True, slots=True)
class Rule:
    """
    When two images are copies: strictly within *inner*, or strictly within *radius* and confirmed (Euclidean).

    If it is *strict*, all must be confirmed, and nothing may show in one picture only.
    """

    radius: float
    inner: float
    strict: bool = False

    @classmethod
    def of(cls, spec: EncoderSpec, *, strict: bool) -> Rule:
        """Return the rule of a collection of an encoder."""
        return cls(spec.radius, 0.0 if strict else spec.inner_radius, strict)

    def look(self, distance: float, new: View, original: View) -> bool:
        """Tell whether two images at this *distance* are confirmed."""
        if distance < self.inner:
            return True
        look = second_look(new.thumbnail, original.thumbnail)
        return look.score >= MIN_SCORE and (not self.strict or look.changed <= STRICT)


@dataclass(frozen=True, slots=True)
class Judged:
    """A *pair* of different pictures, the first of them new (and perhaps edited), and whether it is *confirmed*."""

    pair: Pair
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Part:
    """
    One kind of comparison.

    Attributes:
        name: for people.
        pairs: how many were compared.
        near: the different pictures within the gate, nearest first.
        near_copies: pairs within the gate that a plain check calls near-copies.
    """

    name: str
    pairs: int
    near: tuple[Judged, ...]
    near_copies: int


@dataclass(frozen=True, slots=True)
class Judge:
    """
    Looks at the pairs within the gate.

    Attributes:
        rule: which of them are copies.
        gate: Euclidean.
        alike: the plain check.
        pool: where the looks are made.
    """

    rule: Rule
    gate: float
    alike: Alike
    pool: Executor

    def unedited(self, views: Sequence[View]) -> Part:
        """Judge all pairs of pictures as they are; of two the later is the new one."""
        near = pairs_within(_descriptors(views), self.gate)
        return self._part(UNEDITED, count_pairs(len(views)), map(_turned, near), views, views)

    def edited(self, family: str, copies: Sequence[View], references: Sequence[View]) -> Part:
        """Judge *copies*, of the first references, against all references but their own."""
        near = others_within(_descriptors(copies), _descriptors(references), self.gate)
        return self._part(f"edited by {family}", len(copies) * (len(references) - 1), near, copies, references)

    def grouped(self, group: HardGroup, views: Sequence[View]) -> Part:
        """Judge the pairs of a hard group; near-copies are no pairs of it."""
        sure = replace(self, alike=lambda *_: False) if group.surely_different else self
        pairs = [pair for pair in group.pairs if not sure.alike(*sorted(pair))]
        distances = [float(np.linalg.norm(views[a].descriptor - views[b].descriptor)) for a, b in pairs]
        near = (Pair(b, a, d) for (a, b), d in zip(pairs, distances, strict=True) if d < self.gate)
        return sure._part(group.name, len(pairs), near, views, views)  # noqa: SLF001 - its own class

    def _part(
        self, name: str, pairs: int, near: Iterable[Pair], new: Sequence[View], originals: Sequence[View]
    ) -> Part:
        """Judge the pairs that are *near*: places among *new* and *originals*."""
        found = sorted(near, key=lambda pair: pair.distance)
        alike = self.pool.map(lambda pair: self.alike(*sorted((pair.first, pair.second))), found)
        different = [pair for pair, same in zip(found, alike, strict=True) if not same]
        looks = self.pool.map(
            lambda pair: self.rule.look(pair.distance, new[pair.first], originals[pair.second]), different
        )
        judged = tuple(map(Judged, different, looks))
        return Part(name, pairs, judged, len(found) - len(different))


def _descriptors(views: Sequence[View]) -> npt.NDArray[np.float32]:
    """Return the descriptors of *views*, (N, D)."""
    return np.stack([view.descriptor for view in views])


def _turned(pair: Pair) -> Pair:
    """Return *pair* with its pictures exchanged."""
    return Pair(pair.second, pair.first, pair.distance)


def rate_of(found: int, pairs: int) -> dict[str, float]:
    """Return the rate of what was *found* among *pairs*, and its upper bound at 95 %, 0 to 1 (see expected_at_most)."""
    return {"rate": found / max(pairs, 1), "at_most": min(expected_at_most(found) / max(pairs, 1), 1.0)}


def expected_at_most(found: int) -> float:
    """
    Return the Poisson mean that shows no more than *found* with the chance DOUBT: any greater mean is less likely.

    The exact upper limit (Garwood, Biometrika 1936), by bisection: 3.00 where 0 are found, 4.74 for 1, 6.30 for 2. It
    bounds the mean of a binomial, too, and takes the pairs to be independent, which they are not quite.
    """
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, found + 1)))])  # of the factorials of 0 to found
    low, high = float(found), found + 4 * np.sqrt(found + 1.0)
    while high - low > 1e-9 * high:
        mean = (low + high) / 2
        chance = np.exp(np.arange(found + 1) * np.log(mean) - mean - logs).sum()
        low, high = (mean, high) if chance > DOUBT else (low, mean)
    return float(high)


def counted(part: Part, radius: float) -> dict[str, float]:
    """Return how many pairs lie within *radius*, how many of those are confirmed, and the rate per pair."""
    within = [near for near in part.near if near.pair.distance < radius]
    return _row(part.pairs, within)


def together(parts: Sequence[Part]) -> Part:
    """Return several *parts* as one."""
    near = tuple(near for part in parts for near in part.near)
    return Part("together", sum(part.pairs for part in parts), near, sum(part.near_copies for part in parts))


def looked_at(part: Part) -> dict[str, float]:
    """Return how many different pictures the look was shown, within the gate, and how many of these it confirmed."""
    confirmed = sum(near.confirmed for near in part.near)
    return {"looked_at": len(part.near), "confirmed": confirmed, **rate_of(confirmed, len(part.near))}


def by_side(parts: Sequence[Part], radius: float, held_out: Sequence[bool], edited: int) -> dict[str, dict[str, float]]:
    """
    Return what `counted` tells of all *parts* together, by side of the split.

    *parts* are the unedited pictures and the first *edited* ones, by family; *held_out* tells the side of each picture.
    """
    whole, few = (int(sum(held_out)), len(held_out)), (int(sum(held_out[:edited])), len(held_out[:edited]))
    pairs = np.array(_side_pairs(*whole)) + (len(parts) - 1) * np.array(_side_others(*few, *whole))
    near = [near for part in parts for near in part.near if near.pair.distance < radius]
    sides = [2 - held_out[each.pair.first] - held_out[each.pair.second] for each in near]
    return {
        name: _row(int(pairs[side]), [each for each, its in zip(near, sides, strict=True) if its == side])
        for side, name in enumerate(SIDES)
    }


def _side_pairs(held: int, pictures: int) -> tuple[int, int, int]:
    """Return how many pairs *pictures* make, of which *held* are held out, by SIDES."""
    learned = pictures - held
    return count_pairs(held), held * learned, count_pairs(learned)


def _side_others(held: int, copies: int, all_held: int, pictures: int) -> tuple[int, int, int]:
    """Return how many pairs *copies* make with all other *pictures*, by SIDES."""
    learned, all_learned = copies - held, pictures - all_held
    return held * (all_held - 1), held * all_learned + learned * all_held, learned * (all_learned - 1)


def _row(pairs: int, within: Sequence[Judged]) -> dict[str, float]:
    """Return the figures of *pairs*, of which those *within* the radius were judged."""
    confirmed = sum(near.confirmed for near in within)
    return {"pairs": pairs, "within_radius": len(within), "confirmed": confirmed, **rate_of(confirmed, pairs)}


def confirmed_pairs(parts: Sequence[Part], names: Sequence[str], radius: float) -> list[dict[str, Any]]:
    """
    Return what people should look at: two pictures, by name, that were confirmed, each once, nearest first.

    *in* tells the comparisons that found them, with their distances, nearest first; some may lie beyond the *radius*.
    """
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for part, near in _confirmed(parts):
        first, second = sorted((names[near.pair.first], names[near.pair.second]))
        found.setdefault((first, second), []).append((near.pair.distance, part.name))
    nearest: Mapping[tuple[str, str], float] = {both: min(where)[0] for both, where in found.items()}
    return [
        {
            "pictures": list(both),
            "distance": nearest[both],
            "within_radius": nearest[both] < radius,
            "in": [{"part": name, "distance": distance} for distance, name in sorted(found[both])],
        }
        for both in sorted(found, key=nearest.__getitem__)
    ]


def _confirmed(parts: Sequence[Part]) -> Iterator[tuple[Part, Judged]]:
    """Yield all confirmed pairs."""
    return ((part, near) for part in parts for near in part.near if near.confirmed)
