"""The figures of `evaluate` as tables for people; a figure from a fit and not from a count bears a ~."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NARROW, WIDE = 12, 44


def as_text(figures: Mapping[str, Any]) -> str:
    """Return all tables."""
    head = (
        f"{figures['references']:,} references; {figures['queries']:,} of them edited by every family, "
        f"{figures['counted']:,} by the main ones and compared with all others; "
        f"strength {', '.join(f'{strength:g}' for strength in figures['strengths'])}"
    )
    lines = [head, *_costs(figures["systems"])]
    for rate in figures["systems"][0]["at_equal_rates"]:
        for among in ("all", "photographs"):
            lines += _comparison(figures, rate, among)
    for system in figures["systems"]:
        lines += _alone(system)
    return "\n".join(lines)


def _costs(systems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of milliseconds."""
    yield ""
    yield "milliseconds an image, batch of 32".ljust(WIDE) + "prepare".rjust(NARROW) + "describe".rjust(NARROW)
    for system in systems:
        spent = system["milliseconds"]
        yield system["name"].ljust(WIDE) + f"{spent['prepare']:{NARROW}.2f}{spent['describe']:{NARROW}.2f}"


def _comparison(figures: Mapping[str, Any], rate: str, among: str) -> Iterator[str]:
    """Yield the table of recall at an equal rate of false positives, kept over pairs of *among*."""
    rows = [(system, system["at_equal_rates"][rate].get(among)) for system in figures["systems"]]
    if not any(found and found["recall"] for _, found in rows):
        return
    means = [mean for mean in ("main", "wild") if any(found and mean in found["mean_recall"] for _, found in rows)]
    columns = (*figures["main"], *(f"mean, {mean}" for mean in means))
    yield ""
    title = f"recall at {rate} per pair, {among}"
    yield title.ljust(WIDE) + "".join(column.rjust(NARROW) for column in (*columns, "distance"))
    for system, found in rows:
        if found and found["recall"]:
            values = [found["recall"][family] for family in figures["main"]]
            values += [found["mean_recall"][mean] for mean in means]
            cells = "".join(f"{value:{NARROW}.3f}" for value in values)
            yield system["name"].ljust(WIDE) + cells + reach(system, found).rjust(NARROW)


def reach(system: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return a distance in the system's unit, marked where it comes from the fit."""
    return ("" if found["counted"] else "~") + unit(system, found["distance"])


def unit(system: Mapping[str, Any], distance: float) -> str:
    """Return a Euclidean *distance* as the system's people tell it."""
    return f"{distance**2:.1f} bits" if system["distance"] == "Hamming" else f"{distance:.4g}"


def _alone(system: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of one system."""
    whose = "its radius" if system["radius_is_its_own"] else "its distance at 1e-06 per pair"
    yield ""
    yield f"{system['name']} at {unit(system, system['radius'])}, {whose}  {system.get('fingerprint', '')}".rstrip()
    yield "  recall, by strength".ljust(WIDE) + "".join(strength.rjust(NARROW) for strength in system["recall"])
    for family in next(iter(system["recall"].values())):
        cells = "".join(f"{recall[family]:{NARROW}.3f}" for recall in system["recall"].values())
        yield f"    {family}".ljust(WIDE) + cells
    if system["listed_to"] < system["radius"]:
        yield "  more pairs lie within the radius than were listed: the counts below are too low"
    yield from _counts("false positives", system["false_positives"])
    wrong = {both: found for both, found in system["by_kind"].items() if found["false_positives"]}
    yield from _counts("by kind, where there are any", wrong)
    yield from _counts("within hard groups", system["hard_groups"])


def _counts(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of counts and rates."""
    heads = ("pairs", "wrong", "rate", "near-copies")
    yield f"  {title}".ljust(WIDE) + "".join(head.rjust(12) for head in heads)
    for name, found in rows.items():
        cells = f"{found['pairs']:12,}{found['false_positives']:12,}{found['rate']:12.2g}"
        yield f"    {name}".ljust(WIDE) + cells + f"{found.get('near_copies', 0):12,}"
