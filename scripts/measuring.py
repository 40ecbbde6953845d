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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Sheet:
    """A table that is printed line by line; `rows` keeps it by column."""

    head: Sequence[str] = ()
    rows: list[dict[str, object]] = field(default_factory=list)

    def begin(self, *head: str) -> None:
        """Print the names of the columns."""
        self.head = head
        print(row(*head) + "\n" + row(*["---:"] * len(head)))

    def add(self, *cells: object) -> None:
        """Print a line."""
        self.rows.append(dict(zip(self.head, cells, strict=True)))
        print(row(*cells), flush=True)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of the machine's kind, and of those *packages* that are installed."""
    found = {"Python": platform.python_version(), "cores": str(os.cpu_count()), "machine": platform.machine()}
    return found | {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def resident_mb(pid: int | str = "self") -> float | None:
    """Return the MiB that a process and its descendants hold now; None where the system does not tell."""
    try:
        held = _pages(pid)
        children = Path(f"/proc/{pid}/task").glob("*/children")
        pids = [child for threads in children for child in threads.read_text("ascii").split()]
    except OSError:
        return None
    return held * os.sysconf("SC_PAGE_SIZE") / 2**20 + sum(resident_mb(child) or 0.0 for child in pids)


def _pages(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where collections are kept.

    Attributes:
        uri: a Milvus Lite path, or a server's address.
        pid: the process id of a server that was started for the while.
        folder: all that this server wrote.
    """

    uri: str
    pid: int | None = None
    folder: Path | None = None

    def held_mb(self) -> float | None:
        """Return the MiB that the server holds in memory, Linux's cached files not counted; None where not known."""
        return resident_mb(self.pid) if self.pid else None

    def disk_mb(self) -> float | None:
        """Return the MiB that the data take on disk, a log that will be cut included; None where not known."""
        root = self.folder or Path(self.uri)
        return _size(root) / 2**20 if root.is_dir() else None


def _size(root: Path) -> int:
    """Return the bytes of all files below *root*; one that goes away meanwhile has none."""
    sizes = 0
    for folder, _, files in os.walk(root):
        for name in files:
            with suppress(OSError):
                sizes += Path(folder, name).stat().st_size
    return sizes


@contextmanager
def at_address(uri: str) -> Iterator[Place]:
    """Yield where *uri* is: `server` is a Milvus server that runs for the while."""
    if uri != "server":
        yield Place(uri)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command: list[str | Path] = [sys.executable, ROOT / "tests" / "milvus_server.py", folder, "pace=usual"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                sys.exit("the Milvus server did not start; it needs the package milvus (extra test)")
            yield Place(address, process.pid, Path(folder))
            process.stdin.close()
