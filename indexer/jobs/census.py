"""
What a collection holds under each root, and of which roots it is not to be believed that entries are gone.

A root that was not there or not read to its end is absent, and so is one without any image all of a sudden, even if
each of its images is elsewhere, too: a backup that is not mounted looks like that. One that lacks much at once is
held back, but what was moved does not count for that. A policy that allows for any share believes what is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from indexer.records import Head
from indexer.sources.sighted import Root, Sighted


@dataclass(frozen=True, slots=True)
class HeldBack:
    """
    Something that is there, and lacks so much that its entries were left alone.

    Attributes:
        uri: the root.
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

    def count(self, head: Head, *, gone: bool) -> None:
        """Count one entry."""
        seen = head.uri in self._sighted.seen
        present = seen or head.missing_since is None
        for root in self._sighted.above(head.uri):
            count = self._counts[root.uri]
            count.seen += seen
            count.present += present
            count.gone += present and gone

    def count_moved(self, uri: str) -> None:
        """Count an entry again that was present and is gone, and whose bytes are there under another name."""
        for root in self._sighted.above(uri):
            self._counts[root.uri].moved += 1

    def absent(self) -> set[str]:
        """Return the roots that are not there, or seem so."""
        return {root.uri for root in self._sighted.roots.values() if not self._is_there(root)}

    def held_back(self, absent: Container[str]) -> Iterator[HeldBack]:
        """Yield the roots that are not *absent*, and of which too much is gone."""
        for root in self._sighted.roots.values():
            count = self._counts[root.uri]
            gone = count.gone - count.moved
            if gone > self._share * count.present and root.uri not in absent:
                yield HeldBack(root.uri, f"{gone} of {count.present} are gone at once, more than at_most_share")

    def _is_there(self, root: Root) -> bool:
        if not root.is_sound:
            return False
        if root.offers:
            return root.remains()
        count = self._counts[root.uri]
        return not count.gone or bool(count.seen) or (self._share >= 1 and root.is_there(root.uri) is True)
