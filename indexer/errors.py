"""
Every error that Twinlens raises on purpose, and the exit code that it becomes.

    TwinlensError
    ├── ConfigError       2   a wrong option, setting or collection
    ├── EncoderError      2   the encoder's file is missing or damaged
    ├── SourceError       3   a source as a whole cannot be read
    ├── StoreError        3   Milvus cannot be reached or refuses
    ├── ClusterError      3   Ray cannot be reached or fails
    ├── LockHeld          4   another run writes to this collection
    └── ImageError        -   one image; the run goes on (exit code 5 at its end)

A message says what happened, to what, and what to do next.
Foreign exceptions are translated at the one module that may import their library.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line returns; an API, see README."""

    DONE = 0
    BUG = 1
    USAGE = 2
    OUTSIDE = 3
    LOCKED = 4
    REJECTED = 5
    COPY_FOUND = 10
    INTERRUPTED = 130


DID_ITS_WORK = (ExitCode.DONE, ExitCode.REJECTED)
"""The codes of a scheduled run that did its work."""


class TwinlensError(Exception):
    """Base of all errors that a user can act upon."""

    exit_code = ExitCode.BUG


class ConfigError(TwinlensError):
    """An option, a setting or a collection does not fit."""

    exit_code = ExitCode.USAGE


class EncoderError(TwinlensError):
    """The encoder cannot be loaded."""

    exit_code = ExitCode.USAGE


class SourceError(TwinlensError):
    """A source as a whole cannot be read."""

    exit_code = ExitCode.OUTSIDE


class StoreError(TwinlensError):
    """The vector database cannot be reached, or refuses."""

    exit_code = ExitCode.OUTSIDE


class ClusterError(TwinlensError):
    """The Ray cluster cannot be reached, or fails."""

    exit_code = ExitCode.OUTSIDE


class LockHeld(TwinlensError):  # noqa: N818 - it names the state, as the exit code's text does
    """Another run holds the collection; nothing was touched."""

    exit_code = ExitCode.LOCKED


class ImageError(TwinlensError):
    """
    One image cannot be used; it becomes a rejected outcome.

    Attributes:
        kind: a short stable word for counting, such as `truncated` or `not-an-image`.

    """

    exit_code = ExitCode.REJECTED

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
