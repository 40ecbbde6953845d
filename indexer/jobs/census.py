"""
Counts the entries under each root, and decides of which roots it is not believed that entries are gone.

A root that was not there or not read to its end is absent, and so is one without any image all of a sudden, even if
each of its images is elsewhere, too: a backup that is not mounted looks like that. One that lacks much at once is
held back, but what was moved does not count for that. So is a folder below a root that is there, but empty, where the
collection holds present entries: an unmounted disk leaves that, too, and its entries do not count for their root. A
policy that allows for any share believes what is there.
"""

# ruff: noqa: PTH120 (paths stay text: a million of them, some not UTF-8)

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from indexer.records import Head
from indexer.sources.sighted import Root, Sighted


@dataclass(frozen=True, slots=True)
class HeldBack:
    """
    Something that is there, and lacks so much that its entries were left alone.

    Attributes:
        uri: the root, or the folder below it.
        reason: what it lacks, in words.

    """

    uri: str
    reason: str


@dataclass(slots=True)
class _Count:
    """Entries under one root: those that are *present* by now, of these *gone*, of those *moved*; of all *seen*."""

    present: int = 0
    gone: int = 0
    moved: int = 0
    seen: int = 0


class Census:
    """Counts entries by root, and tells which roots to leave alone if at most *share* may be gone at once."""

    def __init__(self, sighted: Sighted, share: float) -> None:
        self._sighted = sighted
        self._share = share
        self._counts: defaultdict[str, _Count] = defaultdict(_Count)
        self._emptied: Counter[str] = Counter()

    def count(self, head: Head, *, gone: bool) -> bool:
        """Count one entry; return whether it is *gone* as far as can be told by now."""
        seen = head.uri in self._sighted.seen
        present = seen or head.missing_since is None
        if gone and present and self._is_below_emptied(head.uri):
            gone = False
        for root in self._sighted.above(head.uri):
            count = self._counts[root.uri]
            count.seen += seen
            count.present += present
            count.gone += present and gone
        return gone

    def _is_below_emptied(self, uri: str) -> bool:
        if self._share >= 1:
            return False
        folder = self._sighted.above(uri)[0].emptied(os.path.dirname(uri))
        if folder is None:
            return False
        self._emptied[folder] += 1
        return True

    def count_moved(self, uri: str) -> None:
        """Count an entry again that was present and is gone, and whose bytes are there under another name."""
        for root in self._sighted.above(uri):
            self._counts[root.uri].moved += 1

    def absent(self) -> set[str]:
        """Return the roots that are not there, or seem so."""
        return {root.uri for root in self._sighted.roots.values() if not self._is_there(root)}

    def held_back(self, absent: Container[str]) -> Iterator[HeldBack]:
        """Yield the roots that are not *absent*, and of which too much is gone; and the folders that are empty."""
        for folder, gone in self._emptied.items():
            yield HeldBack(folder, f"it is there, but empty, and held {gone} before")
        for root in self._sighted.roots.values():
            count = self._counts[root.uri]
            gone, present = count.gone - count.moved, count.present - count.moved  # the same after a kill amid removals
            if gone > self._share * present and root.uri not in absent:
                yield HeldBack(root.uri, f"{gone} of {present} are gone at once, more than at_most_share")

    def _is_there(self, root: Root) -> bool:
        if not root.is_sound:
            return False
        if root.offers:
            return root.remains()
        count = self._counts[root.uri]
        return not count.gone or bool(count.seen) or (self._share >= 1 and root.is_there(root.uri) is True)
