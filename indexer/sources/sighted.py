"""
What a pass over sources leaves behind for a sweep: which images it saw, and which roots it read to their end.

A root is what a user named: a folder, an archive, a URL. Images are kept as 8 bytes each.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from indexer.records import Failure, ImageRecord
from indexer.sources.local import is_one_file, is_there, is_untouched
from indexer.sources.naming import MEMBER_MARK, as_utf8, number_of

Offers = Generator[ImageRecord | Failure, None, None]

IsThere = Callable[[str], bool | None]
"""Tells whether something is at a URI; None where that cannot be told."""


class Names:
    """A set of texts as 64 bits of a hash each: it may hold one that was never added, never lacks one that was."""

    def __init__(self) -> None:
        self._sorted = array("Q")
        self._new = array("Q")

    def common(self, other: Names) -> Names:
        """Return what is in both."""
        made = Names()
        self._merge()
        other._merge()
        both = np.intersect1d(np.asarray(self._sorted), np.asarray(other._sorted), assume_unique=True)
        made._sorted = array("Q", both.tobytes())
        return made

    def add(self, text: str) -> None:
        """Add *text*; dear when done in turn with asking."""
        self._new.append(number_of(text))

    def __contains__(self, text: object) -> bool:
        self._merge()
        number = number_of(str(text))
        at = bisect_left(self._sorted, number)
        return at < len(self._sorted) and self._sorted[at] == number

    def _merge(self) -> None:
        if self._new:
            merged = np.unique(np.concatenate([np.asarray(self._sorted), np.asarray(self._new)]))
            self._sorted, self._new = array("Q", merged.tobytes()), array("Q")

    def __bool__(self) -> bool:
        return bool(self._sorted or self._new)


def _cannot_tell(_: str) -> None:
    return None


@dataclass(slots=True)
class Root:
    """
    One root.

    Attributes:
        uri: names it; all below it belongs to it.
        is_there: asks about a URI below it.
        remains: tells whether the root itself is there at this moment, and is not an empty folder.
        emptied: of a folder, returns the nearest above it that is there, if it is empty and below the root: what a disk
            leaves that is not mounted; None where it is not, or where there are no empty folders.
        offers: how many images it offered, rejected ones included.
        failed: whether it could not be read, or not to its end.
        ended: whether all that it offers was taken.
    """

    uri: str
    is_there: IsThere = _cannot_tell
    remains: Callable[[], bool] = bool
    emptied: Callable[[str], str | None] = _cannot_tell
    offers: int = 0
    failed: bool = False
    ended: bool = False

    def follow(self, offers: Offers) -> Offers:
        """Yield *offers*, which are the root's, and remember how that went."""
        for offer in offers:
            self.offers += 1
            self.failed |= isinstance(offer, Failure) and offer.uri == as_utf8(self.uri)
            yield offer
        self.ended = True

    @property
    def is_sound(self) -> bool:
        """Whether it was there and was read to its end."""
        return self.ended and not self.failed


@dataclass(slots=True)
class Sighted:
    """
    What was seen.

    Attributes:
        seen: URIs of images that came out of a pass, rejected ones too, and of archives' members passed over.
        readable: those of them whose bytes the pass vouches for: not rejected, and not passed over.
        whole: URIs of archives that were read to their end, none of which are damaged.
        doubtful: URIs of archives that may hold more than what was read.
        roots: by URI without a slash at its end; what was named and is not there is one of them.
        named: returns the URIs of what was to be read, where that was known beforehand.
    """

    seen: Names = field(default_factory=Names)
    readable: Names = field(default_factory=Names)
    whole: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    roots: dict[str, Root] = field(default_factory=dict)
    named: Callable[[], list[str]] = list

    def note(self, uri: str, *, readable: bool) -> None:
        """Note that the image at *uri* came out, and whether it was *readable*: not rejected."""
        self.seen.add(uri)
        if readable:
            self.readable.add(uri)

    def root(
        self,
        uri: str,
        is_there: IsThere,
        remains: Callable[[], bool],
        emptied: Callable[[str], str | None] = _cannot_tell,
    ) -> Root:
        """Return the root at *uri*, new unless it was named before."""
        return self.roots.setdefault(key_of(uri), Root(uri, is_there, remains, emptied))

    def missed(self, uri: str) -> None:
        """Note that what was named is not there: file, folder, archive or URL."""
        self.roots.setdefault(key_of(uri), Root(uri)).failed = True

    def follow_archive(self, uri: str, offers: Offers) -> Offers:
        """Yield *offers*, which are those of the archive at *uri*, and note whether it was read whole."""
        damaged = False
        for offer in offers:
            damaged |= isinstance(offer, Failure) and offer.uri == as_utf8(uri)
            yield offer
        if not damaged and uri not in self.doubtful:
            self.whole.add(uri)

    def above(self, uri: str) -> list[Root]:
        """Return the roots that *uri* lies under, the innermost first."""
        return [root for key in keys_above(uri) if (root := self.roots.get(key))]

    def is_gone(self, uri: str, root: Root) -> bool | None:
        """Tell whether the file or member at *uri*, under *root*, exists no more; None where that cannot be told."""
        there = root.is_there(uri)
        if there is not False:
            return None if there is None else False
        for archive in _archives_above(uri):
            if archive in self.whole:
                return uri not in self.seen
            if root.is_there(archive) is not False:
                return None
        return True


def is_there_now(uri: str) -> bool | None:
    """Tell by a direct look at the local disk whether the image at *uri* is there; None where that does not tell."""
    if not uri.startswith(os.sep):
        return None
    there = is_there(uri)
    archives = _archives_above(uri) if there is False else ()
    return there if all(is_there(archive) is False for archive in archives) else None


def is_as_indexed(uri: str, size: int, mtime_ns: int) -> bool | None:
    """
    Tell by a direct look whether the file at *uri* is there as it was when its *size* and *mtime_ns* were noted.

    Returns:
        False where it is gone; None where a look does not tell that it is the same: it has another size or time, or
        cannot be reached so (see `is_there_now`).

    """
    there = is_there_now(uri)
    return (is_untouched(uri, size, mtime_ns) or None) if there else there


def is_kept(there: bool | None, original: str, copies: Iterable[str]) -> bool | None:
    """Return whether an *original* is *there* beside its *copies*; None where one of these is the very same file."""
    return None if there and any(is_one_file(copy, original) for copy in copies) else there


def key_of(uri: str) -> str:
    """Return how `keys_above` names what is at *uri*."""
    return uri.replace(os.sep, "/").rstrip("/")


def keys_above(uri: str) -> Iterator[str]:
    """Yield the keys of the folders, archives and addresses that *uri* lies under."""
    path = uri.replace(os.sep, "/")
    at = path.rfind("/")
    while at >= 0:
        yield path[:at].rstrip("/")
        if path[:at].endswith(MEMBER_MARK[0]):
            yield path[: at - 1]
        at = path.rfind("/", 0, at)


def _archives_above(uri: str) -> Iterator[str]:
    """Yield what may be the URI of the archive that the member *uri* lies in; any name can hold the mark."""
    at = uri.find(MEMBER_MARK)
    while at >= 0:
        yield uri[:at]
        at = uri.find(MEMBER_MARK, at + 1)
