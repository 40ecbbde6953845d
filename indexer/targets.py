"""Which files that are there already may be replaced by what a command writes: earlier ones of its own kind alone."""

from __future__ import annotations

from pathlib import Path

from indexer.errors import ConfigError

_LONGEST = 256
"""Bytes that are read of a file, more than any *begins* has."""


def is_special(path: Path) -> bool:
    """Tell whether a pipe, terminal or device is at *path*: it is written to, and never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_replaceable(path: Path, *, begins: bytes | tuple[bytes, ...], kind: str) -> None:
    """
    Check that nothing is at *path*, or an empty file, or one that *begins* so: an earlier *kind*.

    So that a name given by mistake, a photograph's say, costs nothing.

    Raises:
        ConfigError: something else is there, or it cannot be read.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise ConfigError(f"{path} is no file that could be replaced; name another")
    try:
        with path.open("rb") as file:
            start = file.read(_LONGEST)
    except OSError as error:
        raise ConfigError(f"cannot read what {path} is ({error.strerror}); name another file") from error
    if start and not start.startswith(begins):
        raise ConfigError(f"{path} is there and is no {kind}; name another file, or delete that one first")
