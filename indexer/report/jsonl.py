"""JSON Lines: a line `"type": "image"` for each verdict, and one `"type": "summary"` as the last."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from indexer.errors import ConfigError
from indexer.records import Verdict
from indexer.summary import RunSummary
from indexer.targets import check_replaceable, is_special

_BEGINS = (b'{"type": "image"', b'{"type": "summary"')
"""What a report begins with."""


def line(kind: str, row: dict[str, Any]) -> str:
    """Return one line, without its end, in UTF-8's whole range."""
    return json.dumps({"type": kind} | row, ensure_ascii=False)


class ReportFile:
    """
    A report on disk: grows as `NAME.partial`, gets its name when the summary is in.

    Raises:
        ConfigError: the file cannot be made, or another one is there that is no report.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        special = is_special(Path(path))  # asked of the name as it is: what /dev/stdout leads to may have none
        self._path = Path(path) if special else Path(path).resolve()
        self._partial = self._path if special else self._path.with_name(self._path.name + ".partial")
        for target in () if special else (self._path, self._partial):
            check_replaceable(target, begins=_BEGINS, kind="report")
        try:
            self._file: IO[str] = self._partial.open("w", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"cannot write the report {self._path}: {error.strerror}; name another file") from error

    def __enter__(self) -> ReportFile:  # noqa: PYI034 - Self is Python 3.11's
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, verdict: Verdict) -> None:
        """Append one verdict."""
        self._file.write(line("image", verdict.as_row()) + "\n")

    def finish(self, summary: RunSummary) -> None:
        """Append the summary and give the file its name."""
        self._file.write(line("summary", summary.as_row()) + "\n")
        if self._partial != self._path:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if self._partial != self._path:
            self._partial.replace(self._path)
