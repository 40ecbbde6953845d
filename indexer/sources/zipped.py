"""Zip archives: the directory at the end is read first, members when they are wanted."""

from __future__ import annotations

import weakref
import zipfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock

from indexer.errors import ImageError
from indexer.records import Failure
from indexer.sources.archive import Container, Offers, Shelf, guarded
from indexer.sources.local import translated
from indexer.sources.naming import as_utf8

MOST_OPEN = 128
"""Archives that are open at once; each takes a file handle, of which a process may often have 1,024."""

_ENCRYPTED = 0x1


def members(shelf: Shelf) -> Offers:
    """
    Yield the images of the zip archive on *shelf*, in the order of its directory, which is held in memory.

    All records share one archive, which is closed when the last of them is gone, or when too many are open.
    """
    for step in guarded(_opened(shelf)):
        if isinstance(step, Exception):
            yield shelf.damaged(step)
            return
        for info in step.infos:
            uri = None if info.is_dir() else shelf.place(info.filename)
            if uri is None:
                continue
            if info.file_size > shelf.max_bytes:
                yield shelf.too_many_bytes(uri, info.file_size)
            elif info.flag_bits & _ENCRYPTED:
                reason = "It is encrypted within its archive; unpack it with its password."
                yield Failure(as_utf8(uri), "encrypted", reason)
            else:
                yield shelf.record(uri, info.file_size, partial(step.read, info, shelf.max_bytes))


def _opened(shelf: Shelf) -> Iterator[_Archive]:
    yield _Archive(shelf.container)


class _Archive:
    """A zip archive that may be read from several threads, and sent to another process; opened anew if need be."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._lock = Lock()
        self._file: zipfile.ZipFile | None = None
        self.infos: list[zipfile.ZipInfo] = []
        self.infos = self._zip().infolist()

    def __reduce__(self) -> tuple[type[_Elsewhere], tuple[Container]]:
        return _Elsewhere, (self._container,)

    def read(self, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
        """Return one member's bytes; raises ImageError."""
        try:
            data = self._read(info, max_bytes + 1)
        except ImageError:
            raise
        except NotImplementedError as error:
            reason = f"Its archive packs it in a way that is not read ({error}); pack it anew."
            raise ImageError("unsupported-archive", reason) from error
        except Exception as error:
            reason = f"It is damaged within its archive ({error}); fetch the archive again."
            raise ImageError("corrupt", reason) from error
        if len(data) > max_bytes:
            raise ImageError("too-many-bytes", f"It unpacks to more than the limit of {max_bytes:,} bytes.")
        return data

    def _read(self, info: zipfile.ZipInfo, size: int) -> bytes:
        """Unpack outside the lock: opening and closing members counts references, reading locks by itself."""
        file = self._zip()
        with self._lock:
            stream = file.open(info)
        try:
            return stream.read(size)
        finally:
            with self._lock:
                stream.close()

    def _zip(self) -> zipfile.ZipFile:
        """Return the open archive; who was open longest is closed for it, where too many are."""
        with self._lock:
            if self._file is not None:
                return self._file
            file = self._file = self._again() if self.infos else _open(self._container)
        with _LOCK:
            _OPEN.append(weakref.ref(self))
            longest = [_OPEN.popleft()() for _ in range(len(_OPEN) - MOST_OPEN)]
        for archive in longest:
            if archive is not None:
                archive.close()
        return file

    def _again(self) -> zipfile.ZipFile:
        with translated():
            file = _open(self._container)
        if list(map(_place, file.infolist())) != list(map(_place, self.infos)):
            raise ImageError("vanished", "Its archive was changed while it was being read; run again.")
        return file

    def close(self) -> None:
        """Let go of the file, once nobody reads from it any more; the next one to read opens it anew."""
        with self._lock:
            self._file = None


_OPEN: deque[weakref.ref[_Archive]] = deque()
"""Those that were opened last; some may be gone since."""

_LOCK = Lock()


def _open(container: Container) -> zipfile.ZipFile:
    stream = container.open()
    try:
        file = zipfile.ZipFile(stream)
    except BaseException:
        stream.close()
        raise
    weakref.finalize(file, stream.close)
    return file


def _place(info: zipfile.ZipInfo) -> tuple[int, int]:
    return info.header_offset, info.CRC


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What an archive is to a process that its records were sent to: opened when the first of them is read."""

    container: Container

    def read(self, info: zipfile.ZipInfo, max_bytes: int) -> bytes:
        """Return one member's bytes; raises ImageError."""
        try:
            archive = _open_again(self.container)
        except Exception as error:
            reason = f"Its archive cannot be read where it is encoded ({error}); mount it there at the same place."
            raise ImageError("unreadable", reason) from error
        return archive.read(info, max_bytes)


@lru_cache(maxsize=4)
def _open_again(container: Container) -> _Archive:
    return _Archive(container)
