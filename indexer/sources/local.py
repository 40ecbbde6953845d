"""Files of the local disk: their records, and their bytes; what the operating system raises ends here."""

# ruff: noqa: PTH114, PTH116, PTH121, PTH120 (paths stay text: a million of them, some not UTF-8)

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from indexer.errors import ImageError
from indexer.records import Failure, ImageRecord
from indexer.sources.naming import as_utf8, offered, too_many_bytes

NO_FILE = ("not-a-file", "It is a pipe, socket or device, not a file; take it out.")
"""Kind and reason for what is there, but cannot be read as a file is."""

_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)


def is_there(path: str) -> bool | None:
    """Tell whether anything is at *path*; None where the system does not tell (no permission, a failing disk)."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return None
    return True


def is_untouched(path: str, size: int, mtime_ns: int) -> bool:
    """
    Tell whether the file at *path* can be seen to have this size in bytes and this modification time.

    Not one that a link leads to by now, which may be the very copy that is told of: *path* was a real one.
    """
    try:
        if os.path.realpath(path) != path:
            return False
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (size, mtime_ns)


def is_one_file(path: str, other: str) -> bool:
    """Tell whether both lead to one file, as hard links do, a folder mounted twice, or names on a disk without case."""
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def holds_something(folder: str) -> bool:
    """Tell whether *folder* is there, and not empty."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def emptied(root: str, folder: str) -> str | None:
    """Return the nearest of *folder* and those above it that is there, if it is empty and lies below *root*."""
    while len(folder) > len(root) and is_there(folder) is False:
        folder = os.path.dirname(folder)
    return folder if len(folder) > len(root) and _is_empty(folder) else None


def _is_empty(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def file_record(path: str, max_bytes: int) -> ImageRecord | Failure:
    """Return the record of the file at *path*, which is to be a real path."""
    try:
        status = os.stat(path)
    except OSError as error:
        return _failure(path, error)
    if not stat.S_ISREG(status.st_mode):
        return Failure(as_utf8(path), *NO_FILE)
    if status.st_size > max_bytes:
        return too_many_bytes(path, status.st_size, max_bytes)
    return offered(path, status.st_size, status.st_mtime_ns, partial(read_file, path, max_bytes))


def read_file(path: str, max_bytes: int) -> bytes:
    """Return what the file holds now; raises ImageError."""
    with translated(), open_file(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ImageError("too-many-bytes", f"It grew beyond the limit of {max_bytes:,} bytes; shrink it.")
    return data


def open_file(path: str) -> BinaryIO:
    """Open the regular file at *path*, and never wait for a pipe's other end; raises OSError."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NONBLOCK))  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "it is no longer a file")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the operating system raises about one file into ImageError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ImageError(*explained(error)) from error


def explained(error: OSError | ValueError) -> tuple[str, str]:
    """Return the kind and the reason that *error* gives for not reading a file."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "vanished", "It was there a moment ago and is not now; run again if it comes back."
    if number == errno.ELOOP:
        return "broken-link", "It is a link that leads back to itself; mend it or take it out."
    what = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return "unreadable", f"It cannot be read ({what}); check its permissions and its disk."


def _failure(path: str, error: OSError) -> Failure:
    if os.path.islink(path) and error.errno != errno.ELOOP:
        reason = "It is a link to a file that does not exist; mend it or take it out."
        return Failure(as_utf8(path), "broken-link", reason)
    return Failure(as_utf8(path), *explained(error))
