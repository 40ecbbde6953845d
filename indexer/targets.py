"""Which files that are there already may be replaced by what a command writes: earlier ones of its own kind alone."""

from __future__ import annotations

from pathlib import Path

from indexer.errors import ConfigError


def check_replaceable(path: Path, *, begins: bytes, kind: str) -> None:
    """
    Check that nothing is at *path*, or an empty file, or one whose first bytes are *begins*: an earlier *kind*.

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
            start = file.read(len(begins))
    except OSError as error:
        raise ConfigError(f"cannot read what {path} is ({error.strerror}); name another file") from error
    if start not in (b"", begins):
        raise ConfigError(f"{path} is there and is no {kind}; name another file, or delete that one first")
