"""Plain text for people: one line for each image worth a look, then a summary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from indexer.records import Outcome, Verdict
from indexer.summary import RunSummary

_ZOOM_WORTH_SAYING = 0.03
"""Smaller changes of scale are within what a second look measures."""

_WORTH_A_NUMBER = 0.0005
"""Smaller shares of a picture would be told as 0.0 %."""

_WHILE_S = 1.0
"""Of shorter runs, the stages tell nothing."""


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
    return f"\n          of {printable(verdict.original)}{about_original(verdict)}  ({_how(verdict)})"


def _how(verdict: Verdict) -> str:
    """Return how near a copy is to its original, and how its picture lies in it."""
    how = f"distance {verdict.distance:.4f}"
    if verdict.exact:
        how = f"same bytes as another copy, {how}" if verdict.distance else "same bytes"
    return ", ".join([how, *_changes(verdict)])


def told_in_a_line(verdict: Verdict) -> str:
    """Return what a log tells of a copy, or of an image that was rejected; its names are as they are."""
    if verdict.outcome is Outcome.REJECTED:
        return f"rejected {verdict.uri}: {verdict.kind}: {verdict.reason}"
    return f"copy {verdict.uri} of {verdict.original}{about_original(verdict)}: {_how(verdict)}"


def about_look(verdict: Verdict) -> str:
    """Return what a second look told of a copy."""
    return ", ".join([f"score {verdict.score:.2f}", *_changes(verdict)])


def about_lookalike(verdict: Verdict) -> str:
    """Return which original an image resembles without being its copy; empty when it does not."""
    if verdict.lookalike is None:
        return ""
    numbers = [f"distance {verdict.lookalike_distance:.4f}", f"score {verdict.lookalike_score:.2f}"]
    told = ", ".join([*numbers, *_differs(verdict.lookalike_changed)])
    return f"resembles {printable(verdict.lookalike)}  ({told}: not a copy)"


def about_original(verdict: Verdict) -> str:
    """Return what follows the name of a copy's original: whether its file is gone; else empty."""
    if verdict.original_is_there:
        return ""
    since = about_gone(verdict.original_missing_since)
    return since or (", which is gone" if verdict.original_is_there is False else "")


def about_gone(missing_since: int | None) -> str:
    """Return what follows the name of a file that is gone *missing_since*, nanoseconds since the epoch; else empty."""
    if missing_since is None:
        return ""
    return f", gone since {datetime.fromtimestamp(missing_since // 10**9, timezone.utc):%Y-%m-%d}"


def _changes(verdict: Verdict) -> list[str]:
    """Return what about_changes does of a copy that was looked at."""
    return [] if verdict.scale is None else about_changes(verdict.scale, bool(verdict.mirrored), verdict.changed)


def about_changes(scale: float, mirrored: bool, changed: float | None) -> list[str]:
    """Return in a few words how a copy's picture lies in its original's, where that is worth saying; see Look."""
    zoomed = [f"{'zoomed' if scale > 1 else 'shrunk'} to {scale:.0%}".replace("%", " %")]
    zoomed = zoomed if abs(scale - 1) >= _ZOOM_WORTH_SAYING else []
    return [*zoomed, *["mirrored"] * mirrored, *_differs(changed)]


def _differs(changed: float | None) -> list[str]:
    """Return how much of two pictures shows something in one only, where anything does."""
    if not changed:
        return []
    return [f"{changed:.1%} differs".replace("%", " %") if changed >= _WORTH_A_NUMBER else "a spot differs"]


def printable(text: str) -> str:
    """Return *text* with control characters escaped, so that a file's name cannot play with the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def said(count: int, one: str, many: str) -> str:
    """Return *count* with what there is of it: `1 image`, `2 images`."""
    return f"{count} {one if count == 1 else many}"


def summary_lines(summary: RunSummary, *, begun: bool = True, named_by: str = "-v and --json name") -> list[str]:
    """
    Return the last lines of a run.

    Args:
        summary: its sums.
        begun: whether it did, so that there is something to go on with.
        named_by: what names the lookalikes, with its verb.

    """
    lines = [_sums(summary), _pace(summary)]
    if summary.rejected:
        kinds = ", ".join(f"{count} {kind}" for kind, count in summary.rejected_by_kind.items())
        lines.append(f"rejected: {kinds}")
    if summary.lookalikes:
        lines.append(
            f"{said(summary.lookalikes, 'unique image resembles', 'unique images resemble')} another; {named_by} it"
        )
    lines += _passed_over(summary)
    if summary.truncated:
        resemble = said(summary.truncated, "image resembles", "images resemble")
        lines.append(f"{resemble} more others than are looked at; the nearest were refuted")
    if summary.interrupted and begun:
        lines.append("cut short: run the same command again to go on")
    return lines


def _sums(summary: RunSummary) -> str:
    if not summary.seen and not summary.interrupted:
        return "no images found"
    gone = f", {said(summary.of_gone, 'of a file that is gone', 'of files that are gone')}" if summary.of_gone else ""
    return (
        f"{said(summary.seen, 'image', 'images')}: {summary.unique} unique, {said(summary.copy, 'copy', 'copies')}"
        f" ({summary.exact} exact{gone}), {summary.rejected} rejected, {summary.unchanged} unchanged"
    )


def _pace(summary: RunSummary) -> str:
    """Return how long a run took; where that was a while, how fast it was, and what took the time."""
    seconds = f"{summary.seconds:.1f} s"
    if summary.seconds < _WHILE_S:
        return seconds
    stages = ", ".join(f"{name} {spent:.1f} s" for name, spent in summary.seconds_by_stage.items())
    return f"{seconds}, {summary.seen / summary.seconds:.0f} images/s" + (
        f"; summed over threads: {stages}" if stages else ""
    )


def _passed_over(summary: RunSummary) -> list[str]:
    """Return what the sources hold besides."""
    lines = []
    if summary.excluded:
        lines.append(
            f"{said(summary.excluded, 'file or folder was', 'files or folders were')} left out by the patterns"
        )
    if summary.ignored:
        one, many = "file was passed over: no image by its name", "files were passed over: no images by their names"
        lines.append(said(summary.ignored, one, many))
    return lines


def about_counts(originals: int, copies: int) -> str:
    """Return how many entries a collection holds, by role."""
    return f"{said(originals, 'original', 'originals')}, {said(copies, 'copy', 'copies')} of them"


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
        lines.append(f"collection: {about_counts(**row['collection'])}")
    return [*lines, f"report: {printable(row['report'])}"] if row["report"] else lines
