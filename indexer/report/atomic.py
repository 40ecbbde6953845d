"""Writes a file so that a reader, and a machine that loses power, meets the old one or the new one, whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace *path* by a file that holds *text*, as write_parts does."""
    write_parts(path, [text])


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """
    Replace *path* by a file that holds *parts*, one after another, in UTF-8.

    Raises:
        OSError: it could not be written; what was there is still there.

    """
    aside = path.with_name(path.name + ".tmp")
    try:
        with aside.open("w", encoding="utf-8", errors="backslashreplace") as file:
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
