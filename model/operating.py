"""
The operating point of one encoder on given pictures: which radius keeps to a rate of false positives, and its price.

The rate is kept twice, over pairs of pictures as they are and over edited copies against all other pictures; the
stricter of the two distances counts. Where too few pairs lie below it to count them, it is read off the fitted tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from model.augment import FAMILIES, MAIN
from model.calibrate import BLOCK, nearest_pairs, squared_distances
from model.data import Picture
from model.mistakes import UNEDITED, Mistakes
from model.pairs import Looks
from model.receipts import DRAWN, RECEIPTS
from model.systems import System
from model.tail import COUNTED, Reach, Tail
from model.views import Plan, Tell, Vectors, describe, describe_views

STRENGTH = 1.0
"""Of the edits: the whole range of each."""

CURVE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0)
"""Radii of the curve, as shares of the operating point."""

INNER_SHARE = 0.5
"""
The inner radius as a share of the distance of the two nearest different pictures, drawn receipts and invoices among
them: a copy that near needs no second look.
"""

BINS = 120


@dataclass(frozen=True, slots=True)
class CalibrateConfig:
    """
    How to calibrate.

    Attributes:
        target: false positives per pair that are allowed at the radius.
        queries: pictures that are edited, at most.
        archive: entries of the archive for which precision is told.
        workers: threads.
    """

    target: float = 1e-6
    queries: int = 600
    archive: int = 100_000
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    What was measured, in the unit of the encoder as it is.

    Attributes:
        config: how.
        pictures: how many were compared.
        inner: the inner radius, Euclidean.
        near_copies: pairs of pictures as they are, nearer than the operating point, that a plain check calls copies.
        tails: of the pairs `unedited` and `edited`.
        copies: Euclidean distances of the copies from their pictures, by family, (Q,).
        different: histogram of the distances of all pairs as they are: edges and counts.
    """

    config: CalibrateConfig
    pictures: int
    inner: float
    near_copies: int
    tails: Mapping[str, Tail]
    copies: Mapping[str, npt.NDArray[np.float32]]
    different: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]

    @property
    def reaches(self) -> dict[str, Reach]:
        """The distance that keeps to the target, by kind of pair."""
        return {name: tail.at(self.config.target) for name, tail in self.tails.items()}

    @property
    def radius(self) -> float:
        """The operating point: the stricter of these distances."""
        return operating_point(self.tails, self.config.target)

    @property
    def counted(self) -> bool:
        """Whether all of these distances were read off a list, and none off a fitted line."""
        return all(reach.counted for reach in self.reaches.values())


def operating_point(tails: Mapping[str, Tail], target: float) -> float:
    """Return the smallest distance at which one of *tails* reaches *target*."""
    return min(tail.at(target).distance for tail in tails.values())


def pictures_to_count(config: CalibrateConfig) -> int:
    """Return how many different pictures make enough pairs, as they are and edited, to count the target."""
    pairs = COUNTED / config.target
    unedited, edited = (1 + math.sqrt(1 + 8 * pairs)) / 2, 1 + pairs / (len(MAIN) * config.queries)
    return math.ceil(max(unedited, edited))


def calibrate(system: System, pictures: Sequence[Picture], config: CalibrateConfig, tell: Tell) -> Calibration:
    """Measure *system* on *pictures*; raises TooFewPairsError."""
    families = tuple(FAMILIES)
    plan = Plan(families, (STRENGTH,), config.queries, tuple(MAIN), config.queries, config.workers)
    views = describe_views([system], pictures, plan, tell)[system.name]
    edited = {family: views.copies[STRENGTH, family] for family in MAIN}
    mistakes = Mistakes.of(views.references, edited, cache(Looks.of(pictures).alike))
    tails = {UNEDITED: mistakes.tail([UNEDITED]), "edited": mistakes.tail(MAIN)}
    radius = operating_point(tails, config.target)
    return Calibration(
        config,
        len(pictures),
        INNER_SHARE * min(_nearest_drawn(system, config), *(tail.distances[0] for tail in tails.values())),
        sum(near.alike and near.part == UNEDITED for near in mistakes.within(radius)),
        tails,
        {family: _to_own(views.copies[STRENGTH, family], views.references) for family in families},
        distances_of_all(views.references),
    )


def _nearest_drawn(system: System, config: CalibrateConfig) -> float:
    """Return the distance of the two nearest of the drawn pages of one group."""
    with ThreadPoolExecutor(config.workers) as pool:
        groups = [[page.pixels for page in draw(RECEIPTS)] for draw in DRAWN.values()]
        return min(nearest_pairs(describe(system, pages, pool), 1)[0].distance for pages in groups)


def _to_own(copies: Vectors, references: Vectors) -> npt.NDArray[np.float32]:
    """Return the distance of each copy, (Q, D), from its picture, among the first Q."""
    distances: npt.NDArray[np.float32] = np.linalg.norm(copies - references[: len(copies)], axis=1)
    return distances


def distances_of_all(vectors: Vectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return a histogram, edges and counts, of the distances of all pairs of *vectors*, (N, D)."""
    edges = np.linspace(0.0, 2 * float(np.linalg.norm(vectors, axis=1).max()), BINS + 1)
    counts = np.zeros(BINS, np.int64)
    for start in range(0, len(vectors), BLOCK):
        squares = squared_distances(vectors[start : start + BLOCK], vectors)
        later = ~np.tri(squares.shape[0], squares.shape[1], start, dtype=np.bool_)
        counts += np.histogram(np.sqrt(squares[later]), edges)[0]
    return edges, counts


def curve(found: Calibration) -> list[dict[str, Any]]:
    """
    Return recall by family, false positives per pair and precision at radii about the operating point.

    Precision is that of an upload with one copy in the archive: of what it is told, the share that is this copy.
    """
    return [_at(found, share * found.radius) for share in CURVE]


def _at(found: Calibration, radius: float) -> dict[str, Any]:
    """Return one row of the curve."""
    recall = {family: float((distances < radius).mean()) for family, distances in found.copies.items()}
    rates = {name: tail.rate(radius) for name, tail in found.tails.items()}
    mean, worst = float(np.mean([recall[family] for family in MAIN])), max(rate for rate, _ in rates.values())
    told = mean + worst * found.config.archive
    return {
        "radius": radius,
        "recall": recall,
        "false_positives_per_pair": {name: rate for name, (rate, _) in rates.items()},
        "counted": {name: counted for name, (_, counted) in rates.items()},
        "precision": mean / told if told else 1.0,
    }


def as_json(found: Calibration) -> dict[str, Any]:
    """Return what was measured, ready for JSON."""
    return {
        "config": asdict(found.config),
        "pictures": found.pictures,
        "near_copies": found.near_copies,
        "pairs": {name: tail.pairs for name, tail in found.tails.items()},
        "reaches": {name: asdict(reach) for name, reach in found.reaches.items()},
        "tail": {name: {"fitted": tail.fitted, "dimension": tail.dimension} for name, tail in found.tails.items()},
        "radius": found.radius,
        "inner_radius": found.inner,
        "curve": curve(found),
    }


def as_text(found: Calibration) -> str:
    """Return it as a table for people; rates from the fit and not from a count bear a ~."""
    target = found.config.target
    lines = [
        f"{found.pictures:,} pictures; {found.near_copies} pairs below the operating point are near-copies, set aside"
    ]
    for name, reach in found.reaches.items():
        tail = found.tails[name]
        how = (
            f"counted, {target * tail.pairs:.0f} pairs"
            if reach.counted
            else f"extrapolated: only {target * tail.pairs:.2g} pairs are expected below it; "
            f"fitted to the nearest {tail.fitted}, dimension {tail.dimension:.1f}"
        )
        lines.append(
            f"{name}: {target:g} of {tail.pairs:,} pairs lie below {reach.distance:.4g} ± {reach.error:.0%} ({how})"
        )
    heads = (*MAIN, "mean", *found.tails, "precision")
    lines.append("radius".ljust(10) + "".join(head.rjust(11) for head in heads))
    lines += [_row(row) for row in curve(found)]
    lines.append(
        f"precision: of an upload with one copy among {found.config.archive:,} entries; "
        "false positives per pair with a ~ are extrapolated"
    )
    return "\n".join(lines)


def advice(found: Calibration, own_radius: float) -> str:
    """Say which radius to take instead of the encoder's own; a fitted one is not to be taken from a command line."""
    return (
        f"{_radius_to_take(found, own_radius)}\n"
        "these rates are of the radius alone: the second look, on by default, refutes nearly all of such pairs, "
        "and a radius below the encoder's own costs copies that it would confirm"
    )


def _radius_to_take(found: Calibration, own_radius: float) -> str:
    """Return the first sentence of the advice."""
    if found.counted:
        return (
            f"for a new collection: twinlens ingest --radius {found.radius:.4g} (the encoder's own is {own_radius:g}); "
            "the weights file stays as it is"
        )
    needed = pictures_to_count(found.config)
    remedy = (
        f"{needed:,} different pictures are needed to count (with --queries {found.config.queries}), "
        "or a higher --target-fpr"
        if needed > found.pictures
        else "more pairs would lie within it than are listed: take a lower --target-fpr"
    )
    return (
        f"keep the encoder's own radius, {own_radius:g}, or measure more: {found.radius:.4g} is only extrapolated "
        f"from {found.pictures:,} pictures; {remedy}"
    )


def _row(row: Mapping[str, Any]) -> str:
    """Return one line of the curve."""
    recalls = [row["recall"][family] for family in MAIN]
    rates = [
        ("" if row["counted"][name] else "~") + f"{rate:.1e}" for name, rate in row["false_positives_per_pair"].items()
    ]
    return (
        f"{row['radius']:<10.4g}"
        + "".join(f"{recall:11.3f}" for recall in (*recalls, np.mean(recalls)))
        + "".join(rate.rjust(11) for rate in rates)
        + f"{row['precision']:11.3f}"
    )
