"""Writes a file so that a reader, and a machine that loses power, meets the old one or the new one, whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write(path: Path, text: str) -> None:
    """
    Replace *path*, in a folder of our own, by a file that holds *text*, in UTF-8; beside it, `NAME.tmp` is written.

    Raises:
        OSError: it could not be written; what was there is still there.

    """
    _replace(path, [text], path.with_name(path.name + ".tmp"), "w")


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Do the same with *parts*, one after another, in anybody's folder: nothing else there is touched."""
    _replace(path, parts, path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp"), "x")


def _replace(path: Path, parts: Iterable[str], aside: Path, mode: str) -> None:
    with aside.open(mode, encoding="utf-8", errors="backslashreplace") as file:
        try:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with suppress(OSError):
                aside.unlink()
            raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last; file systems that cannot are let be."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
