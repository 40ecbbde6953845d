"""
What the radius and the second look find together: the gate, the look and the whole, family by family.

Recall: of the edited copies, the share within the radius; of these, the share that the look confirms (or that lie
within the inner radius, where none is taken); and the whole. Copies are those that `evaluate` makes (see views).
False positives: pairs of different pictures within the radius, and those of them that the look confirms, too (see
strangers); beside their rate its upper bound at 95 %, exact for a Poisson count: of none found, three over the number
of pairs (the rule of three; Hanley and Lippman-Hand, JAMA 1983). Near-copies by a plain check are left out.

Held-out pictures are too few to show one in a hundred million. All pictures are enough, but most of them were trained
on, and the gate passes fewer of their pairs than of strangers': so the counts are told by side of the split, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from model.augment import FAMILIES, MAIN
from model.data import Picture, is_held_out
from model.encoder import Encoder
from model.evaluate import EvaluateConfig, evaluate
from model.hard_groups import HardGroup, hard_groups
from model.pairs import Looks
from model.pixels import Pixels
from model.receipts import DRAWN, RECEIPTS
from model.second_look import MIN_SCORE, thumbnail
from model.strangers import Judge, Part, Rule, View, by_side, confirmed_pairs, counted, looked_at, together
from model.systems import System
from model.tail import COUNTED
from model.views import CHUNK, Plan, Tell, images_of

STRENGTH = 1.0
"""Of the edits: the whole range of each."""

HEADS = ("gate", "look", "whole")
COLUMNS = ("pairs", "within_radius", "confirmed", "rate", "at_most")
LOOK_COLUMNS = ("looked_at", "confirmed", "rate", "at_most")

WIDE, NARROW = 34, 15


@dataclass(frozen=True, slots=True)
class WholeConfig:
    """
    How to measure.

    Attributes:
        queries: pictures that are edited by every family, at most; the first ones.
        counted: pictures that are edited by the main families and compared with all others, at most; the first ones.
        gate: Euclidean, at least the radius: pairs of different pictures within it are looked at; None is the radius.
        strict: whether nothing may show in one picture only.
        workers: threads.
    """

    queries: int
    counted: int = 0
    gate: float | None = None
    strict: bool = False
    workers: int = 2

    @property
    def plan(self) -> Plan:
        """Which copies are made."""
        most = max(self.counted, self.queries)
        return Plan(tuple(FAMILIES), (STRENGTH,), self.queries, tuple(MAIN), most, self.workers)


@dataclass(frozen=True, slots=True)
class Seen:
    """Views of all pictures, and of the copies of the first ones by family."""

    references: tuple[View, ...]
    copies: Mapping[str, tuple[View, ...]]


def view_of(encoder: Encoder, pixels: Pixels) -> View:
    """Return what the indexer keeps of an image."""
    return View(encoder.embed([pixels])[0], thumbnail(pixels))


def see(encoder: Encoder, pictures: Sequence[Picture], plan: Plan, pool: Executor, tell: Tell) -> Seen:
    """Return the views of *pictures* and of the copies that the *plan* asks for."""
    views: dict[str | None, list[View]] = {}
    for start in range(0, len(pictures), CHUNK):
        places = range(start, min(start + CHUNK, len(pictures)))
        for found in pool.map(partial(_views, encoder, pictures, plan), places):
            for family, view in found:
                views.setdefault(family, []).append(view)
        tell(f"\r{places.stop:,} of {len(pictures):,} pictures seen")
    tell("\n")
    copies = {family: tuple(made) for family, made in views.items() if family is not None}
    return Seen(tuple(views[None]), copies)


def _views(encoder: Encoder, pictures: Sequence[Picture], plan: Plan, place: int) -> list[tuple[str | None, View]]:
    """Return the views of the picture at *place*, and of its copies by family."""
    return [(key and key[1], view_of(encoder, image)) for key, image in images_of(pictures, plan, place)]


def measure(
    encoder: Encoder, pictures: Sequence[Picture], originals: Mapping[str, str], config: WholeConfig, tell: Tell
) -> dict[str, Any]:
    """Return all figures, ready for JSON; *originals* names the pictures' first files (see hard_groups)."""
    rule = Rule.of(encoder.spec, strict=config.strict)
    gate = max(config.gate or 0.0, rule.radius)
    with ThreadPoolExecutor(config.workers) as pool:
        seen = see(encoder, pictures, config.plan, pool, tell)
        judge = Judge(rule, gate, cache(Looks.of(pictures).alike), pool)
        parts, groups = _parts(judge, seen, tell), _groups(encoder, judge, pictures, originals, seen.references)
        recall = recall_of(rule, seen, config.queries, pool)
    names, sides = [picture.name for picture in pictures], [is_held_out(picture.name) for picture in pictures]
    edited = len(seen.copies[next(iter(MAIN))])
    return {
        "fingerprint": encoder.spec.fingerprint,
        "radius": rule.radius,
        "inner_radius": rule.inner,
        "gate": gate,
        "min_score": MIN_SCORE,
        "strict": rule.strict,
        "references": len(pictures),
        "held_out": sum(sides),
        "queries": min(config.queries, len(pictures)),
        "counted": edited,
        "recall": recall,
        "different": {part.name: counted(part, rule.radius) for part in [*parts, together(parts)]},
        "near_copies_within_gate": {part.name: part.near_copies for part in parts},
        "by_side": by_side(parts, rule.radius, sides, edited),
        "hard_groups": {part.name: counted(part, rule.radius) for part in groups},
        "look_alone": {part.name: looked_at(part) for part in [*parts, together(parts), *groups]},
        "confirmed": confirmed_pairs(parts, names, rule.radius),
    }


def _parts(judge: Judge, seen: Seen, tell: Tell) -> list[Part]:
    """Return the pairs of different pictures, as they are and edited."""
    parts = [judge.unedited(seen.references)]
    for family in MAIN:
        tell(f"{parts[-1].name}: {len(parts[-1].near):,} of {parts[-1].pairs:,} pairs looked at\n")
        parts.append(judge.edited(family, seen.copies[family], seen.references))
    return parts


def _groups(
    encoder: Encoder,
    judge: Judge,
    pictures: Sequence[Picture],
    originals: Mapping[str, str],
    references: Sequence[View],
) -> list[Part]:
    """Return the pairs of the hard groups."""
    parts = [judge.grouped(group, references) for group in hard_groups(pictures, originals)]
    for name, draw in DRAWN.items():
        group = HardGroup(name, tuple(combinations(range(RECEIPTS), 2)), surely_different=True)
        parts.append(judge.grouped(group, [view_of(encoder, picture.pixels) for picture in draw(RECEIPTS)]))
    return parts


def recall_of(rule: Rule, seen: Seen, queries: int, pool: Executor) -> dict[str, dict[str, float]]:
    """Return what is found of the copies of the first *queries* pictures, by family."""
    return {family: _recall(rule, copies[:queries], seen.references, pool) for family, copies in seen.copies.items()}


def recall_at(
    encoder: Encoder, pictures: Sequence[Picture], rule: Rule, config: WholeConfig, tell: Tell
) -> dict[str, dict[str, float]]:
    """Return what is found of the copies of *pictures*, by family, at a radius that need not be the encoder's own."""
    with ThreadPoolExecutor(config.workers) as pool:
        seen = see(encoder, pictures[: config.queries], config.plan, pool, tell)
        return recall_of(rule, seen, config.queries, pool)


def _recall(rule: Rule, copies: Sequence[View], originals: Sequence[View], pool: Executor) -> dict[str, float]:
    """Return the shares of *copies* that the gate, the look and both find."""
    pairs = [(_distance(*pair), *pair) for pair in zip(copies, originals, strict=False)]
    near = [pair for pair in pairs if pair[0] < rule.radius]
    confirmed = sum(pool.map(lambda pair: rule.look(*pair), near))
    return {
        "gate": len(near) / len(pairs),
        "look": confirmed / len(near) if near else 0.0,
        "whole": confirmed / len(pairs),
    }


def _distance(first: View, second: View) -> float:
    """Return the Euclidean distance of two descriptors."""
    return float(np.linalg.norm(first.descriptor - second.descriptor))


def beside(
    systems: Sequence[System],
    pictures: Sequence[Picture],
    figures: Mapping[str, Any],
    config: WholeConfig,
    tell: Tell,
) -> dict[str, Any]:
    """
    Return the recall of other *systems*, by name and family, of the same copies, at no lower a rate than the whole's.

    The rate is that of the pairs that the whole confirmed, *figures* of `measure`; at least as many as can be counted.
    """
    found = figures["different"]["together"]
    rate = max(found["confirmed"], COUNTED) * (1 + 1e-9) / found["pairs"]
    how = EvaluateConfig(config.queries, config.counted, (STRENGTH,), rates=(rate,), receipts=0, workers=config.workers)
    measured = evaluate(systems, pictures, {}, how, tell)["systems"]
    return {"rate": rate, "recall": {system["name"]: _only(system["at_equal_rates"])["recall"] for system in measured}}


def _only(rates: Mapping[str, Any]) -> Any:  # noqa: ANN401 - figures
    """Return the figures at the one rate there is, among all pictures."""
    (found,) = rates.values()
    return found.get("all", {"recall": {}})


def as_text(figures: Mapping[str, Any]) -> str:
    """Return *figures* as tables for people."""
    lines = [
        f"{figures['fingerprint']}, radius {figures['radius']:g}, inner radius {figures['inner_radius']:g}",
        f"score at least {figures['min_score']:g}{', strict' if figures['strict'] else ''}",
        *_recall_lines(figures),
        *_counts(f"different pictures, of {figures['references']:,}", COLUMNS, figures["different"]),
        *_counts("hard groups", COLUMNS, figures["hard_groups"]),
    ]
    learned = figures["references"] - figures["held_out"]
    if learned:
        lines.append(
            f"\n{learned:,} of the pictures are on training's side: of pairs that were learned, fewer pass the gate"
        )
        lines += _counts("by side of the split, together", COLUMNS, figures["by_side"])
    if figures["gate"] > figures["radius"]:
        lines += _counts(f"the look alone, within {figures['gate']:g}", LOOK_COLUMNS, figures["look_alone"])
    return "\n".join([*lines, *_confirmed_lines(figures)])


def _recall_lines(figures: Mapping[str, Any]) -> list[str]:
    """Return the table of recall, other systems beside it."""
    others = figures.get("beside", {"recall": {}})["recall"]
    title = f"recall of {figures['queries']:,} edited copies"
    lines = ["", title.ljust(WIDE) + "".join(f"{head:>{NARROW}}" for head in (*HEADS, *others))]
    for family, found in figures["recall"].items():
        values = [found[head] for head in HEADS] + [recall.get(family, np.nan) for recall in others.values()]
        lines.append(family.ljust(WIDE) + "".join(f"{value:{NARROW}.3f}" for value in values))
    if others:
        lines.append(f"the others at {figures['beside']['rate']:.1e} false positives per pair, by their distance alone")
    return lines


def _counts(title: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a table: counts, then rate and bound."""
    lines = ["", title.ljust(WIDE) + "".join(f"{column:>{NARROW}}" for column in columns)]
    for name, found in rows.items():
        numbers = "".join(f"{int(found[column]):{NARROW},}" for column in columns[:-2])
        lines.append(name.ljust(WIDE) + numbers + "".join(f"{found[column]:{NARROW}.1e}" for column in columns[-2:]))
    return lines


def _confirmed_lines(figures: Mapping[str, Any]) -> list[str]:
    """Return a line for each two pictures within the radius that were confirmed."""
    found = [pair for pair in figures["confirmed"] if pair["within_radius"]]
    head = ["", "confirmed within the radius: look whether they are near-copies"] if found else []
    return head + [_confirmed_line(pair, figures["radius"]) for pair in found]


def _confirmed_line(pair: Mapping[str, Any], radius: float) -> str:
    """Return distance, names, and the parts that the *pair* was confirmed in, with how often."""
    parts = Counter(found["part"] for found in pair["in"] if found["distance"] < radius)
    times = ", ".join(f"{part} {count}" for part, count in parts.items())
    return f"{pair['distance']:.5f}  {'  '.join(pair['pictures'])}  ({times})"
