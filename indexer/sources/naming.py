"""URIs: every image gets one that is valid, short enough, and its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from indexer.records import URI_MAX_BYTES, Failure, ImageRecord

MEMBER_MARK = "!/"
"""Stands between an archive's URI and the name of a member."""


def as_utf8(name: str) -> str:
    r"""Return *name* as valid UTF-8: bytes that are not appear as `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def number_of(name: str) -> int:
    """Return 64 bits of a hash of *name*, which stand for it where a million names are kept."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def offered(uri: str, size: int, mtime_ns: int, read: Callable[[], bytes], held: int = 0) -> ImageRecord | Failure:
    """Return the record of one image, or why its name cannot be kept."""
    try:
        length = len(uri.encode())
    except UnicodeEncodeError:
        return Failure(as_utf8(uri), "bad-name", "Its name is not valid UTF-8; rename it.")
    if length > URI_MAX_BYTES:
        reason = f"Its full name has {length} bytes, more than the {URI_MAX_BYTES} that can be stored; shorten it."
        return Failure(uri, "uri-too-long", reason)
    return ImageRecord(uri, size, mtime_ns, read, held)


def too_many_bytes(uri: str, size: int, limit: int) -> Failure:
    """Return the rejection of an image that is too large to be read into memory."""
    reason = f"It has {size:,} bytes, more than the limit of {limit:,}; shrink it, or take it out."
    return Failure(as_utf8(uri), "too-many-bytes", reason)


def without_dots(name: str) -> str:
    """Return a member's *name* without the `./` that tar puts before it."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


class MemberNames:
    """
    Makes the names within one archive unique, in its order.

    The n-th member of one name gets `#n` at its end. It keeps 64 bits of a hash per name rather than the names,
    some 80 MB for a million; should two names ever clash, one gets a `#2` that it would not need, in every run.
    """

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return *name* made unique."""
        if self._take(name):
            return name
        number = self._next.get(name, 2)
        while not self._take(f"{name}#{number}"):
            number += 1
        self._next[name] = number + 1
        return f"{name}#{number}"

    def _take(self, name: str) -> bool:
        number = number_of(name)
        if number in self._used:
            return False
        self._used.add(number)
        return True
