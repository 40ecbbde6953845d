"""
How many copies the encoder finds at its radius, and how many false ones, on pictures that it was not made with.

Recall: the share of edited copies whose descriptor lies strictly within the radius of their picture's.
False positives: pairs of different pictures within the radius, per pair; both pictures as they are, and one of them
edited. Pairs that a plain check calls near-copies (see pairs) are counted apart.
Pictures, edits and their randomness are fixed by the pictures' names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.augment import FAMILIES
from model.calibrate import Pair, count_pairs, nearest_pairs, squared_distances, within
from model.data import Picture, describe_all, describe_edits
from model.encoder import Encoder
from model.pairs import Looks

MAIN = ("colour", "zoom_crop", "noise", "combined")
"""The families whose edited images are also compared with all other pictures."""

LISTED = 4096
"""How many of the nearest pairs are looked at."""


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """
    How to measure.

    Attributes:
        queries: pictures that are edited, at most; the first of the references.
        strengths: of the edits; 1 is the whole range of each.
        radius: Euclidean.
        workers: threads.
    """

    queries: int
    strengths: tuple[float, ...]
    radius: float
    workers: int


def evaluate(encoder: Encoder, pictures: Sequence[Picture], config: EvaluateConfig) -> dict[str, Any]:
    """Return all figures, ready for JSON."""

    def describe(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        descriptor: npt.NDArray[np.float32] = encoder.embed([pixels])[0]
        return descriptor

    references = describe_all(describe, pictures, workers=config.workers)
    figures: dict[str, Any] = {
        "fingerprint": encoder.spec.fingerprint,
        "radius": config.radius,
        "references": len(pictures),
        "queries": min(config.queries, len(pictures)),
        "unedited": _unedited(references, pictures, config.radius),
        "recall": {},
    }
    for strength in config.strengths:
        copies = describe_edits(
            describe, pictures[: config.queries], tuple(FAMILIES), strength=strength, workers=config.workers
        )
        figures["recall"][f"{strength:g}"] = _recall(references, copies, config.radius)
        if strength == 1:
            figures["edited"] = _edited(references, copies, pictures, config.radius)
    return figures


def _recall(references: npt.NDArray[np.float32], copies: npt.NDArray[np.float32], radius: float) -> dict[str, float]:
    """Return the share found of each family; *copies* is (Q, K, D) for the first Q references."""
    distances = np.linalg.norm(copies - references[: len(copies), None], axis=2)
    return dict(zip(FAMILIES, (distances < radius).mean(0).tolist(), strict=True))


def _unedited(references: npt.NDArray[np.float32], pictures: Sequence[Picture], radius: float) -> dict[str, Any]:
    """Count false positives among pictures as they are, near-copies apart, and say of which sources they are."""
    near = within(nearest_pairs(references, LISTED), radius)
    looks = Looks.of(pictures)
    alike = [looks.alike(pair.first, pair.second) for pair in near]
    different = [pair for pair, same in zip(near, alike, strict=True) if not same]
    near_copies = [pair for pair, same in zip(near, alike, strict=True) if same]
    return {
        "pairs": count_pairs(len(pictures)),
        "within_radius": len(near),
        "within_radius_is_all": len(near) < LISTED,
        "of_these_near_copies": sum(alike),
        "false_positives": len(different),
        "rate": len(different) / count_pairs(len(pictures)),
        "false_positive_sources": _sources(different, pictures),
        "near_copy_sources": _sources(near_copies, pictures),
    }


def _sources(pairs: Sequence[Pair], pictures: Sequence[Picture]) -> dict[str, int]:
    """Count *pairs* by where their pictures come from, most first."""
    names = (" / ".join(sorted({pictures[pair.first].source, pictures[pair.second].source})) for pair in pairs)
    return dict(Counter(names).most_common())


def _edited(
    references: npt.NDArray[np.float32],
    copies: npt.NDArray[np.float32],
    pictures: Sequence[Picture],
    radius: float,
) -> dict[str, dict[str, float]]:
    """Count, for edited queries of the main families, the other pictures within the radius."""
    looks, pairs = Looks.of(pictures), len(copies) * (len(references) - 1)
    figures = {}
    for family in MAIN:
        squares = squared_distances(copies[:, list(FAMILIES).index(family)], references)
        np.fill_diagonal(squares, np.inf)
        near = np.argwhere(squares < radius**2)
        false = sum(not looks.alike(int(query), int(other)) for query, other in near)
        figures[family] = {"pairs": pairs, "false_positives": false, "rate": false / pairs}
    return figures


def as_text(figures: dict[str, Any]) -> str:
    """Return *figures* as a small table for people."""
    unedited = figures["unedited"]
    lines = [
        f"{figures['fingerprint']}, radius {figures['radius']:g}",
        f"{unedited['pairs']:,} pairs of {figures['references']:,} held-out pictures:",
        f"    {unedited['within_radius']} within the radius, {unedited['of_these_near_copies']} of them near-copies",
        *(f"        {count} of {source}" for source, count in unedited["near_copy_sources"].items()),
        f"    {unedited['false_positives']} false positives, {unedited['rate']:.2g} per pair",
        *(f"        {count} of {source}" for source, count in unedited["false_positive_sources"].items()),
        *(
            f"edited by {family}: {found['false_positives']} false positives in {found['pairs']:,} pairs, "
            f"{found['rate']:.2g} per pair"
            for family, found in figures.get("edited", {}).items()
        ),
        f"recall of {figures['queries']:,} edited copies, by strength of the edit:",
        "family".ljust(18) + "".join(f"{strength:>8}" for strength in figures["recall"]),
        *(_row(family, figures["recall"].values()) for family in FAMILIES),
    ]
    return "\n".join(lines)


def _row(family: str, recalls: Iterable[dict[str, float]]) -> str:
    """Return one line of the table of recall."""
    return family.ljust(18) + "".join(f"{recall[family]:8.3f}" for recall in recalls)
