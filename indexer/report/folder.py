"""
The folder of reports: one folder a run, the newest that did their work kept, and the newest that did not.

    reports/runs/2026-10-19T02-30-00Z/started.json    our mark; locked while the run goes on
                                      report.jsonl    the images, then the summary; `.partial` until then
                                      summary.json    written last: a run without it was killed
    reports/latest -> runs/2026-10-19T02-30-00Z       the last one that ended

Only folders with our name and our mark are ever deleted, and only if nothing else is in them; links are not followed.
A run that fails, night after night, deletes no report of one that did its work.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from indexer.errors import DID_ITS_WORK
from indexer.records import Outcome, Verdict
from indexer.report import atomic
from indexer.report.jsonl import ReportFile
from indexer.report.log import utc
from indexer.summary import RunSummary

_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")
_MARK, _SUMMARY, _REPORT, _RESERVE = "started.json", "summary.json", "report.jsonl", "reserve"
_OURS = frozenset({_SUMMARY, _SUMMARY + ".tmp", _REPORT, _REPORT + ".partial", _RESERVE})
_STAMP = len("2026-10-19T02-30-00Z")
_RESERVE_BYTES = 64 * 2**10
"""Kept free for the summary, so that a run that fills the disk can still say so."""


class RunFolder:
    """
    The folder of the run that goes on; use it as a context manager.

    Attributes:
        path: the folder.

    Raises:
        OSError: it cannot be made.

    """

    def __init__(self, reports: Path, started_ns: int, *, keep: int, unchanged: bool) -> None:
        self._reports = reports
        self._keep = keep
        self._unchanged = unchanged
        self.path = _made(reports / "runs", utc(started_ns).replace(":", "-"))
        with ExitStack() as undo:
            undo.callback(_delete, self.path)
            self._mark = _marked(self.path / _MARK, started_ns)
            _reserve(self.path / _RESERVE)
            self._report = ReportFile(self.path / _REPORT)
            undo.pop_all()

    def __enter__(self) -> RunFolder:  # noqa: PYI034 - Self is Python 3.11's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._report.__exit__(kind, error, trace)
        self._mark.close()

    def add(self, verdict: Verdict) -> None:
        """Append one verdict to the report, unless it is `unchanged` and those are not wanted; raises OSError."""
        if self._unchanged or verdict.outcome is not Outcome.UNCHANGED:
            self._report.add(verdict)

    def end_report(self, summary: RunSummary) -> None:
        """Give the report its last line and its name; raises OSError, and a report without its name stays."""
        self._report.finish(summary)

    def finish(self, row: dict[str, Any]) -> None:
        """Write the summary *row*, atomically, let `latest` lead here, and delete older runs; raises OSError."""
        (self.path / _RESERVE).unlink(missing_ok=True)
        atomic.write(self.path / _SUMMARY, json.dumps(row, ensure_ascii=False, indent=2) + "\n")
        _point(self._reports / "latest", Path("runs", self.path.name))
        with suppress(OSError):
            _prune(self._reports, self.path.name, self._keep, failed=row["exit_code"] not in DID_ITS_WORK)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that has a folder: its *name* is when it began; *summary* is None unless it ended."""

    name: str
    path: Path
    running: bool
    summary: dict[str, Any] | None

    @property
    def outcome(self) -> str:
        """Tell in a word or two how it ended."""
        if self.summary is None:
            return "running" if self.running else "killed"
        if self.summary.get("error"):
            return "failed"
        if self.summary.get("interrupted"):
            return f"cut short ({self.summary.get('reason')})"
        held = (self.summary.get("sweep") or {}).get("held_back", ())
        left_alone = "held back" if len(held) == len(self.summary.get("absent", ())) else "source absent"
        return left_alone if self.summary.get("absent") else "done"


def past_runs(reports: Path) -> list[PastRun]:
    """Return the runs that have a folder below *reports*, the oldest first."""
    return [PastRun(path.name, path, _is_running(path), _summary(path)) for path in _own(reports)]


def _made(runs: Path, name: str) -> Path:
    """Make a new folder called *name*, or *name* with a number where a run began in the same second."""
    runs.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = runs / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _marked(path: Path, started_ns: int) -> IO[str]:
    """Return our mark, open and locked until this process ends."""
    file = path.open("x", encoding="utf-8")
    try:
        with suppress(OSError):  # file systems without locks: the run shows as killed until it ends
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        json.dump({"started": utc(started_ns), "pid": os.getpid()}, file)
        file.flush()
    except BaseException as error:
        with suppress(OSError):
            file.close()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error  # a write does not say to which file
        raise
    return file


def _reserve(path: Path) -> None:
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(error.errno, error.strerror, str(path.parent)) from error


def _point(link: Path, target: Path) -> None:
    """Let *link* lead to *target*; what is no link there, or cannot be one, is left alone."""
    if link.is_symlink() or not link.exists():
        aside = link.with_name(".latest.tmp")
        with suppress(OSError):
            aside.unlink(missing_ok=True)
            aside.symlink_to(target)
            aside.replace(link)


def _own(reports: Path) -> Iterator[Path]:
    """Yield the folders of runs, the oldest first."""
    try:
        found = sorted((reports / "runs").iterdir(), key=_age)
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in found:
        mark = path / _MARK
        named = _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if named and mark.is_file() and not mark.is_symlink():
            yield path


def _age(path: Path) -> tuple[str, int, str]:
    """Return what puts runs in the order of their names: the time, then the number within one second."""
    return path.name[:_STAMP], len(path.name), path.name


def _prune(reports: Path, newest: str, keep: int, *, failed: bool) -> None:
    """
    Delete all but *keep* of the runs that did their work, unless the *newest* *failed*, and of those that did not.

    Names after the *newest* are of a night with a wrong clock; they do not count. What cannot be deleted waits.
    """
    by_success: dict[bool, list[Path]] = {True: [], False: []}
    for path in _own(reports):
        if path.name[:_STAMP] <= newest[:_STAMP]:
            by_success[(_summary(path) or {}).get("exit_code") in DID_ITS_WORK].append(path)
    for path in (*by_success[False][:-keep], *([] if failed else by_success[True][:-keep])):
        if not _is_running(path):
            _delete(path)


def _delete(path: Path) -> None:
    """Delete the folder of a run, its mark last; nothing at all if something is in it that is not ours."""
    with suppress(OSError):
        names = {child.name for child in path.iterdir()}
        if names <= _OURS | {_MARK}:
            for name in (*(names - {_MARK}), *(names & {_MARK})):
                (path / name).unlink()
            path.rmdir()


def _is_running(path: Path) -> bool:
    """Return whether the process that made the folder at *path* holds its mark."""
    with suppress(FileNotFoundError), (path / _MARK).open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def _summary(path: Path) -> dict[str, Any] | None:
    try:
        row = json.loads((path / _SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) else None
