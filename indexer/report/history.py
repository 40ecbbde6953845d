"""Past runs as a table."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.report.folder import PastRun

_COLUMNS = ("run", "seconds", "seen", "unique", "copies", "rejected", "vanished", "exit", "outcome")


def runs_table(runs: Sequence[PastRun]) -> list[str]:
    """Return past *runs* as the lines of a table with a head."""
    rows = [_COLUMNS, *(_run_row(run) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_aligned(row, widths) for row in rows]


def _run_row(run: PastRun) -> tuple[str, ...]:
    told = run.summary or {}
    vanished = (told.get("sweep") or {}).get("vanished")
    numbers = [told.get(name) for name in ("seconds", "seen", "unique", "copy", "rejected")]
    cells = [*numbers, vanished, told.get("exit_code")]
    return (run.name, *("-" if cell is None else f"{cell}" for cell in cells), run.outcome)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line: the first and the last cell begin at the left, numbers end at the right."""
    cells = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join([*cells[:-1], row[-1]])
