"""
How many copies each system finds, and how many false ones, on pictures that the encoder was not made with.

Recall: the share of edited copies whose vector lies strictly within a distance of their picture's.
False positives: pairs of different pictures within it, per pair; both pictures as they are, and one of them edited.
The distance is a system's own radius, and, to compare systems at equal rates, the one that keeps to a rate.
Pictures, edits and their randomness are fixed by the pictures' names, and shared by all systems of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from model.augment import FAMILIES, MAIN, WILD
from model.data import Picture
from model.hard_groups import HardGroup, hard_groups
from model.kinds import PHOTOGRAPHIC, kind_of
from model.mistakes import Mistakes, by_kind, by_part, within_group
from model.pairs import Alike, Looks
from model.receipts import DRAWN, RECEIPTS
from model.systems import EncoderSystem, System, milliseconds
from model.tail import Reach
from model.views import Plan, Tell, Vectors, Views, describe, describe_views

RATES = (1e-6, 1e-7)
"""False positives per pair at which the systems are compared, by default."""

AMONG: Mapping[str, frozenset[str] | None] = {"all": None, "photographs": PHOTOGRAPHIC}
"""Which pairs a rate is kept over: of all pictures, or of photographs alone."""


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """
    How to measure.

    Attributes:
        queries: pictures that get a copy of every family, at most; the first of the references.
        counted: pictures whose copies of the main families are compared with all other references, at most.
        strengths: of the edits; 1 is the whole range of each. Systems are compared at the greatest.
        radius: Euclidean, in place of the encoders' own.
        rates: false positives per pair at which the systems are compared.
        receipts: drawn receipts, and invoices, that are compared with each other.
        workers: threads.
    """

    queries: int = 600
    counted: int = 1000
    strengths: tuple[float, ...] = (1.0,)
    radius: float | None = None
    rates: tuple[float, ...] = RATES
    receipts: int = RECEIPTS
    workers: int = 2


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all systems share: the pictures' kinds, the plain checks, and the hard groups."""

    kinds: tuple[str, ...]
    alike: Alike
    groups: tuple[HardGroup, ...]
    drawn: Mapping[str, Sequence[Picture]]


def evaluate(
    systems: Sequence[System],
    pictures: Sequence[Picture],
    originals: Mapping[str, str],
    config: EvaluateConfig,
    tell: Tell,
) -> dict[str, Any]:
    """Return all figures, ready for JSON; *originals* names the pictures' first files (see hard_groups)."""
    counted = max(config.counted, config.queries)
    plan = Plan(tuple(FAMILIES), config.strengths, config.queries, tuple(MAIN), counted, config.workers)
    groups = tuple(hard_groups(pictures, originals))
    kinds = tuple(kind_of(picture) for picture in pictures)
    drawn = {name: draw(config.receipts) for name, draw in DRAWN.items()}
    scene = _Scene(kinds, cache(Looks.of(pictures).alike), groups, drawn)
    views = describe_views(systems, pictures, plan, tell)
    return {
        "references": len(pictures),
        "queries": min(config.queries, len(pictures)),
        "counted": min(counted, len(pictures)),
        "strengths": list(config.strengths),
        "main": list(MAIN),
        "wild": list(WILD),
        "systems": [
            {**_about(system, pictures), **_measured(system, views[system.name], scene, config)} for system in systems
        ],
    }


def _about(system: System, pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return what a system is called, and what it costs."""
    about: dict[str, Any] = {"name": system.name, "distance": system.distance}
    if isinstance(system, EncoderSystem):
        about["fingerprint"] = system.spec.fingerprint
    return about | {"milliseconds": milliseconds(system, pictures)}


def _measured(system: System, views: Views, scene: _Scene, config: EvaluateConfig) -> dict[str, Any]:
    """Return the figures of one system."""
    strongest = max(config.strengths)
    copies = {family: views.copies[strongest, family] for family in MAIN}
    mistakes = Mistakes.of(views.references, copies, scene.alike)
    reaches = {
        f"{rate:g}": {name: mistakes.reach(rate, scene.kinds, among) for name, among in AMONG.items()}
        for rate in config.rates
    }
    first = reaches[f"{config.rates[0]:g}"]["all"]
    own = system.radius if config.radius is None or system.radius is None else config.radius
    radius = own or (first.distance if first else 0.0)
    return {
        "radius": radius,
        "radius_is_its_own": own is not None,
        "recall": {f"{strength:g}": _recall(views, strength, radius, config) for strength in config.strengths},
        "at_equal_rates": {
            rate: {name: _at(views, reach, AMONG[name], scene, config) for name, reach in found.items() if reach}
            for rate, found in reaches.items()
        },
        "false_positives": by_part(mistakes, radius),
        "listed_to": mistakes.near[-1].pair.distance if mistakes.near else 0.0,
        "by_kind": by_kind(mistakes, radius, scene.kinds),
        "hard_groups": _groups(system, views, scene, radius, config),
    }


def _recall(
    views: Views, strength: float, radius: float, config: EvaluateConfig, rows: Sequence[int] | None = None
) -> dict[str, float]:
    """Return the share of copies found within *radius* by family, of the queries or of those at *rows*."""
    queries = np.arange(min(config.queries, len(views.references))) if rows is None else np.array(rows, np.int64)
    return {
        family: _found(views.copies[strength, family][queries], views.references[queries], radius)
        for family in FAMILIES
    }


def _found(copies: Vectors, references: Vectors, radius: float) -> float:
    """Return the share of *copies*, (Q, D), strictly within *radius* of their picture, (Q, D)."""
    return float((np.linalg.norm(copies - references, axis=1) < radius).mean())


def _at(
    views: Views, reach: Reach, among: frozenset[str] | None, scene: _Scene, config: EvaluateConfig
) -> dict[str, Any]:
    """Return the distance that keeps to a rate, and the recall there."""
    kinds = scene.kinds[: config.queries]
    rows = [row for row, kind in enumerate(kinds) if among is None or kind in among]
    recall = _recall(views, max(config.strengths), reach.distance, config, rows) if rows else {}
    means = {
        name: float(np.mean([recall[family] for family in families]))
        for name, families in (("main", MAIN), ("wild", WILD))
        if recall
    }
    return asdict(reach) | {"queries": len(rows), "recall": recall, "mean_recall": means}


def _groups(
    system: System, views: Views, scene: _Scene, radius: float, config: EvaluateConfig
) -> dict[str, dict[str, Any]]:
    """Return the false positives within each hard group."""
    found = {group.name: within_group(group, views.references, scene.alike, radius) for group in scene.groups}
    with ThreadPoolExecutor(config.workers) as pool:
        for name, pages in scene.drawn.items():
            group = HardGroup(name, tuple(combinations(range(len(pages)), 2)), surely_different=True)
            if group.pairs:
                drawn = describe(system, [page.pixels for page in pages], pool)
                found[name] = within_group(group, drawn, scene.alike, radius)
    return found
