"""
How the benchmarks measure: whole processes as the system accounts for them, and tables that Markdown shows.

Nothing heavy may be imported here: a process that is started counts the memory of the one that starts it as its own.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]


class ProcessFailedError(Exception):
    """A process that was to be measured failed; the message is the last line that it printed."""


@dataclass(frozen=True, slots=True)
class Spent:
    """
    What one process took.

    Attributes:
        wall_s: seconds from its start to its end.
        cpu_s: seconds of processor time, its threads and children included.
        peak_mb: the most memory, in MiB, that it or one of its children held at once.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def timed(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, fine: Iterable[int] = (0,)
) -> tuple[Spent, list[str]]:
    """
    Run *command* to its end; return what it took, and the lines on its standard output.

    Raises:
        ProcessFailedError: it cannot be started, or ends with an exit code that is not among *fine*.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = perf_counter()
        try:
            process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
        except OSError as error:
            raise ProcessFailedError(str(error)) from error
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        lines = out.read().splitlines()
        if process.returncode not in fine:
            said = [line for line in [*lines, *err.read().splitlines()] if line.strip()]
            raise ProcessFailedError(said[-1].strip() if said else f"it ended with code {process.returncode}")
    mebibytes = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Spent(wall_s, usage.ru_utime + usage.ru_stime, mebibytes), lines


def twinlens(*arguments: str | Path) -> list[str | Path]:
    """Return the command that runs this checkout's `twinlens`."""
    return [sys.executable, "-m", "indexer", *arguments]


def median(runs: Sequence[Spent]) -> Spent:
    """Return the median of each figure of *runs*."""
    figures = zip(*((run.wall_s, run.cpu_s, run.peak_mb) for run in runs), strict=True)
    return Spent(*map(statistics.median, figures))


def row(*cells: object) -> str:
    """Return a line of a Markdown table, numbers with three digits."""
    return "| " + " | ".join(map(_shown, cells)) + " |"


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return "" if cell is None else str(cell)
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{float(f'{cell:.3g}'):g}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    lines = [row(*head), row("---", *["---:"] * (len(head) - 1)), *(row(*cells) for cells in rows)]
    return "\n".join(lines)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of the machine's kind, and of those *packages* that are installed."""
    found = {"Python": platform.python_version(), "cores": str(os.cpu_count()), "machine": platform.machine()}
    return found | {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
