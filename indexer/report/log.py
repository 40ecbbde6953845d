"""The log of an unattended run, on standard error: plain lines for people, or JSON Lines for programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TextIO

from indexer.report.text import printable


def utc(time_ns: int) -> str:
    """Return *time_ns*, nanoseconds since the epoch, as ISO 8601 to the second, in UTC."""
    return datetime.fromtimestamp(time_ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Log:
    """
    Writes one line for each event.

    Attributes:
        stream: where to.
        as_json: whether lines are JSON objects.
        clock: tells the time in nanoseconds since the epoch.

    """

    stream: TextIO
    as_json: bool
    clock: Callable[[], int]

    def __call__(self, event: str, message: str, level: str = "info", **fields: object) -> None:
        """Write that *event* happened; a log that nobody can take (a full disk, a closed pipe) stops no run."""
        with suppress(OSError):
            self.stream.write(self._line(event, message, level, fields) + "\n")
            self.stream.flush()

    def _line(self, event: str, message: str, level: str, fields: dict[str, object]) -> str:
        time = utc(self.clock())
        if self.as_json:
            row = {"time": time, "level": level, "event": event, "message": message} | fields
            return json.dumps(row, default=str)
        return f"{time} {'' if level == 'info' else level + ': '}{printable(message)}"


class _Forwarding(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log("notice", record.getMessage(), record.levelname.lower())


@contextmanager
def forwarded(log: Log) -> Iterator[None]:
    """Let what this package tells by `logging` during the block be lines of *log*, not bare ones on standard error."""
    logger, handler = logging.getLogger("indexer"), _Forwarding(log)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
