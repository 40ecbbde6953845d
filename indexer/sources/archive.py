"""What tar and zip archives have in common: where they lie, and how their members become records."""

# ruff: noqa: PTH116 (paths stay text: a million of them, some not UTF-8)

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO, TypeVar

from indexer.errors import ImageError
from indexer.records import Failure, ImageRecord
from indexer.sources.local import NO_FILE, explained, open_file, translated
from indexer.sources.naming import MEMBER_MARK, MemberNames, as_utf8, offered, too_many_bytes, without_dots
from indexer.sources.options import Sieve, is_image

Offers = Generator[ImageRecord | Failure, None, None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Container:
    """
    An archive that lies somewhere.

    Attributes:
        uri: its own.
        mtime_ns: its modification time, which its members take over; nanoseconds or UNKNOWN.
        open: returns it as a new seekable stream; may raise anything.
        read_at: returns so many bytes (second) from an offset (first), from any thread; raises ImageError.

    Two are the same where name and time are.
    """

    uri: str
    mtime_ns: int
    open: Callable[[], BinaryIO] = field(compare=False)
    read_at: Callable[[int, int], bytes] = field(compare=False)


@dataclass(slots=True)
class Shelf:
    """
    Turns the members of one archive, shown to it in order, into records.

    Attributes:
        container: the archive.
        sieve: decides by name.
        max_bytes: larger members are rejected.
        below: what patterns see before a member's name.
        wanted: the one name (made unique, without `./`) that is asked for, whatever its ending; None for all.
        names: makes names unique.
    """

    container: Container
    sieve: Sieve
    max_bytes: int
    below: str = ""
    wanted: str | None = None
    names: MemberNames = field(default_factory=MemberNames)

    def place(self, name: str) -> str | None:
        """Return the URI of the next member, called *name*; None if it is not to be offered."""
        name = without_dots(name)
        if self.wanted is None:
            taken = not self.sieve.ignores(name, archives=False)
        else:
            taken = is_image(name) or name == self.wanted
        unique = self.names.unique(name) if taken else name
        uri = self.container.uri + MEMBER_MARK + unique
        if taken and (self.sieve.takes(self.below + name) if self.wanted is None else unique == self.wanted):
            return uri
        self.sieve.stats.sighted.seen.add(uri)
        return None

    def record(self, uri: str, size: int, read: Callable[[], bytes], held: int = 0) -> ImageRecord | Failure:
        """Return the record of the member at *uri*."""
        return offered(uri, size, self.container.mtime_ns, read, held)

    def too_many_bytes(self, uri: str, size: int) -> Failure:
        """Return the rejection of a member that is too large."""
        return too_many_bytes(uri, size, self.max_bytes)

    def cut(self, uri: str) -> Failure:
        """Return the rejection of a member that the archive does not hold whole."""
        return Failure(as_utf8(uri), "truncated", "Its archive ends within it; fetch the archive again.")

    def damaged(self, error: Exception) -> Failure:
        """Return the rejection of the archive itself; what came before it is good."""
        if isinstance(error, OSError) and error.errno:
            return Failure(as_utf8(self.container.uri), *explained(error))
        what = " ".join(str(error).split()) or type(error).__name__
        reason = f"The archive is damaged, and what it held from here on is missing ({what}); fetch it again."
        return Failure(as_utf8(self.container.uri), "damaged-archive", reason)


def local_container(path: str) -> Container:
    """Return the archive in the file at *path*, a real path; raises OSError, or ImageError where it is no file."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(*NO_FILE)
    as_it_was = (status.st_size, status.st_mtime_ns)
    return Container(path, status.st_mtime_ns, partial(open_file, path), partial(_read_at, path, as_it_was))


def guarded(steps: Iterator[T]) -> Iterator[T | Exception]:
    """Yield *steps*, which are an archive library's; what it raises on hostile bytes becomes the last one."""
    try:
        yield from steps
    except Exception as error:  # noqa: BLE001 - these libraries raise anything
        yield error


def only(offers: Offers, shelf: Shelf) -> Offers:
    """Yield the one member that *shelf* wants, and read the archive no further; or say that it is missing."""
    uri = f"{shelf.container.uri}{MEMBER_MARK}{shelf.wanted}"
    with closing(offers):
        found = next(offers, None)
    yield found or Failure(as_utf8(uri), "missing", "The archive holds no such member; check the name.")


def wanting(shelf: Shelf, member: str) -> Shelf:
    """Return a *shelf* that offers one *member* only."""
    return replace(shelf, wanted=without_dots(member), names=MemberNames())


def _read_at(path: str, as_it_was: tuple[int, int], offset: int, size: int) -> bytes:
    with translated(), open_file(path) as file:
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != as_it_was:
            raise ImageError("vanished", "Its archive was changed while it was being read; run again.")
        file.seek(offset)
        return file.read(size)
