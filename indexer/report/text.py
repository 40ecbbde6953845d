"""Plain text for people: one line for each image worth a look, then a summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indexer.records import Outcome, Verdict
from indexer.summary import RunSummary

_ZOOM_WORTH_SAYING = 0.03
"""Smaller changes of scale are within what a second look measures."""


def verdict_line(verdict: Verdict) -> str:
    """Return one line about *verdict*."""
    return f"{verdict.outcome.value:<9} {printable(verdict.uri)}{_why(verdict)}"


def _why(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.REJECTED:
        return f"\n          {verdict.kind}: {printable(verdict.reason or '')}"
    if verdict.lookalike:
        return f"\n          {about_lookalike(verdict)}"
    if verdict.original is None or verdict.distance is None:
        return ""
    how = f"distance {verdict.distance:.4f}"
    if verdict.exact:
        how = f"same bytes as another copy, {how}" if verdict.distance else "same bytes"
    changes = _changes(verdict)
    how = ", ".join([how, *changes])
    return f"\n          of {printable(verdict.original)}  ({how})"


def about_look(verdict: Verdict) -> str:
    """Return what a second look told of a copy."""
    return ", ".join([f"score {verdict.score:.2f}", *_changes(verdict)])


def about_lookalike(verdict: Verdict) -> str:
    """Return which original an image resembles without being its copy; empty when it does not."""
    if verdict.lookalike is None:
        return ""
    numbers = f"distance {verdict.lookalike_distance:.4f}, score {verdict.lookalike_score:.2f}"
    return f"resembles {printable(verdict.lookalike)}  ({numbers}: not a copy)"


def _changes(verdict: Verdict) -> list[str]:
    """Return in a few words how a copy's picture lies in its original's, where that is worth saying."""
    if verdict.scale is None:
        return []
    zoomed = [f"{'zoomed' if verdict.scale > 1 else 'shrunk'} to {verdict.scale:.0%}".replace("%", " %")]
    return (zoomed if abs(verdict.scale - 1) >= _ZOOM_WORTH_SAYING else []) + ["mirrored"] * bool(verdict.mirrored)


def printable(text: str) -> str:
    """Return *text* with control characters escaped, so that a file's name cannot play with the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def summary_lines(summary: RunSummary, *, begun: bool = True) -> list[str]:
    """Return the last lines of a run; without *begun*, none that says to go on."""
    counts = (
        f"{summary.seen} images: {summary.unique} unique, {summary.copy} copies ({summary.exact} exact),"
        f" {summary.rejected} rejected, {summary.unchanged} unchanged"
    )
    rate = summary.seen / summary.seconds if summary.seconds else 0.0
    stages = ", ".join(f"{name} {spent:.1f} s" for name, spent in summary.seconds_by_stage.items())
    lines = [
        counts,
        f"{summary.seconds:.1f} s, {rate:.0f} images/s" + (f"; summed over threads: {stages}" if stages else ""),
    ]
    if summary.rejected:
        kinds = ", ".join(f"{count} {kind}" for kind, count in summary.rejected_by_kind.items())
        lines.append(f"rejected: {kinds}")
    if summary.lookalikes:
        lines.append(f"{summary.lookalikes} unique images resemble another; -v and --json name it")
    if summary.ignored:
        lines.append(f"{summary.ignored} files were passed over: not images by their names")
    if summary.truncated:
        lines.append(f"{summary.truncated} images resemble more others than are looked at; the nearest were refuted")
    if summary.interrupted and begun:
        lines.append("cut short: run the same command again to go on")
    return lines


def batch_lines(row: Mapping[str, Any]) -> list[str]:
    """Return what a scheduled run tells besides the ingest's last lines; *row* is its summary."""
    lines = [f"cut short by {row['reason']}"] if row["reason"] not in (None, "error") else []
    lines += [f"error: {printable(row['error'])}"] if row["error"] else []
    held = {printable(held["uri"]): held["reason"] for held in (row["sweep"] or {}).get("held_back", ())}
    lines += [
        f"{held.get(root, 'absent')}, its entries were left alone: {root}" for root in map(printable, row["absent"])
    ]
    if row["sweep"]:
        lines.append(
            ", ".join(f"{count} {name}" for name, count in row["sweep"].items() if name not in ("absent", "held_back"))
        )
    if row["collection"]:
        lines.append("collection: {originals} originals, {copies} copies of them".format(**row["collection"]))
    return [*lines, f"report: {printable(row['report'])}"] if row["report"] else lines
