"""
What becomes of entries whose files are gone: they are marked as missing, and removed after a grace period.

Law 9: a missing disk is not a deletion. An entry counts as gone only when the run that came before read each root
that it lies under to its end and did not see it, and a direct look says so, too. Roots that look emptied rather than
tidied are named, and their entries left alone.

The collection is listed up to six times, and nothing is kept of it but a few times 8 bytes a name:

1. Who is gone, and how many are, by root?
2. Whose bytes did the run find under another name? Those were moved, and need no grace.
3. Where a root lacks much: how many of these were moved? Roots are doubted now, before anything is written.
4. Marks are set and taken off; copies are removed.
5. Originals are removed, after their copies have found another place.
6. Of a URI that is an original and a copy (a kill came in between, and the lost original returned), the copy goes.

Every step may be cut short by a kill: the next sweep finds an entry as gone as this one did, until its own row, the
last to go, is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from indexer.jobs.census import Census, HeldBack
from indexer.records import Entry, Head
from indexer.rehome import Desk
from indexer.sources.sighted import Names, Sighted, key_of, keys_above
from indexer.store.base import Store
from indexer.verdict import Rule

_PAGE = 4096
"""Rows that are marked or removed at once; on Milvus Lite each call costs time for every row that there is."""

_GROUPS = 256
"""Groups that lose their original and are read at once, with their pictures."""


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """
    When an entry may be marked and removed.

    Attributes:
        grace_s: seconds that an entry stays marked as missing before it is removed.
        at_most_share: if more than this share of a root's present entries is gone at once, moved ones left out, the
            root is held back: nothing of it is marked or removed. Nor is anything of a root without any image all of a
            sudden, or of a folder that is there, but empty (an unmounted disk leaves that), unless the share is 1.

    """

    grace_s: float = 7 * 86_400.0
    at_most_share: float = 0.5


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """
    What a sweep did.

    Attributes:
        vanished: newly marked as missing; without grace, removed at once and counted there, too.
        returned: marks taken off: the file is there again.
        removed: deleted, their grace being over.
        moved: deleted at once, because the run found the same bytes under another name, in the same group.
        promoted: copies that became originals thereby.
        missing: entries that stay marked.
        absent: roots that were not there, empty all of a sudden, or not read to the end: their entries were left
            alone.
        held_back: what was there, and lacked so much that its entries were left alone, too.

    """

    vanished: int
    returned: int
    removed: int
    moved: int
    promoted: int
    missing: int
    absent: tuple[str, ...]
    held_back: tuple[HeldBack, ...] = ()


class _Page:
    """Collects URIs, and does something with them when there are many."""

    def __init__(self, act: Callable[[list[str]], None], size: int = _PAGE) -> None:
        self._act = act
        self._size = size
        self._uris: list[str] = []

    def add(self, uri: str) -> None:
        self._uris.append(uri)
        if len(self._uris) == self._size:
            self.end()

    def end(self) -> None:
        if self._uris:
            self._act(self._uris)
            self._uris = []


class Sweep:
    """One sweep; call it once. A run that is not *complete* is no proof that anything is gone."""

    def __init__(  # noqa: PLR0913 - options by name
        self, store: Store, rule: Rule, sighted: Sighted, policy: SweepPolicy, *, now_ns: int, complete: bool
    ) -> None:
        self._store = store
        self._rule = rule
        self._sighted = sighted
        self._policy = policy
        self._now_ns = now_ns
        self._complete = complete
        self._absent: set[str] = set()
        self._held_back: tuple[HeldBack, ...] = ()
        self._doubted: set[str] = set()
        self._gone, self._lost = Names(), Names()
        self._wanted, self._held = Names(), Names()
        self._doubled = Names()
        self._marked = False
        self._vanished = self._returned = self._removed = self._moved = self._promoted = self._missing = 0

    def __call__(self) -> SweepSummary:
        """Do the work."""
        self._survey()
        if self._gone or self._marked:
            self._settle()
        if self._lost:
            self._remove_originals()
        if self._doubled:
            self._remove_doubles()
        return SweepSummary(
            vanished=self._vanished,
            returned=self._returned,
            removed=self._removed,
            moved=self._moved,
            promoted=self._promoted,
            missing=self._missing,
            absent=tuple(sorted(self._absent)),
            held_back=self._held_back,
        )

    # -- who is gone

    def _is_gone(self, uri: str) -> bool | None:
        """Tell whether the entry at *uri* is proved to be gone; None where neither that nor the opposite is."""
        if uri in self._sighted.seen:
            return False
        roots = self._sighted.above(uri)
        if not self._complete or not roots or any(not root.is_sound for root in roots):
            return None
        if not self._doubted.isdisjoint(keys_above(uri)):
            return None
        return self._sighted.is_gone(uri, roots[0])

    def _survey(self) -> None:
        """Find who is gone, whose bytes are there under another name, and what of that is not to be believed."""
        census = Census(self._sighted, self._policy.at_most_share)
        originals, copies = Names(), Names()
        for head in self._store.heads():
            gone = census.count(head, gone=self._is_gone(head.uri) is True)
            (copies if head.original else originals).add(head.uri)
            self._marked |= head.missing_since is not None
            if gone:
                self._gone.add(head.uri)
                self._wanted.add(head.sha256)
        self._doubled = originals.common(copies)
        if self._gone:
            self._find_twins()
        self._doubt(census)

    def _doubt(self, census: Census) -> None:
        """Note what is to be left alone, before anything is written."""
        if not self._complete:
            self._absent = {root.uri for root in self._sighted.roots.values()} | set(self._sighted.named())
            return
        self._absent = census.absent()
        if self._held and any(census.held_back(self._absent)):
            for head in self._store.heads():
                if head.missing_since is None and head.uri in self._gone and head.sha256 in self._held:
                    census.count_moved(head.uri)
        self._held_back = tuple(census.held_back(self._absent))
        self._doubted = {key_of(uri) for uri in (*self._absent, *(held.uri for held in self._held_back))}

    def _find_twins(self) -> None:
        """Note which bytes are there under another name, on the word of the run alone."""
        for head in self._store.heads():
            if head.sha256 in self._wanted and head.uri in self._sighted.readable:
                self._held.add(head.sha256)

    # -- what becomes of them

    def _settle(self) -> None:
        """Set marks and take them off, remove copies, and note which originals are to be removed."""
        marked = _Page(lambda uris: self._store.mark(uris, self._now_ns))
        returned = _Page(lambda uris: self._store.mark(uris, None))
        removed = _Page(lambda uris: self._store.remove(uris, originals=False))
        for head in self._store.heads():
            gone = self._is_gone(head.uri) if head.missing_since or head.uri in self._gone else None
            if gone and head.uri in self._gone:
                self._settle_one(head, marked, removed)
            elif gone is False and head.missing_since:
                self._returned += 1
                returned.add(head.uri)
            elif head.missing_since:
                self._missing += 1
        for page in (marked, returned, removed):
            page.end()

    def _settle_one(self, head: Head, marked: _Page, removed: _Page) -> None:
        is_new = head.missing_since is None
        moved = head.sha256 in self._held
        self._moved += moved
        self._vanished += is_new and not moved
        if not moved and self._now_ns - (head.missing_since or self._now_ns) < self._policy.grace_s * 1e9:
            self._missing += 1
            if is_new:
                marked.add(head.uri)
            return
        self._removed += not moved
        if head.original is None:
            self._lost.add(head.uri)
        else:
            removed.add(head.uri)

    def _remove_originals(self) -> None:
        lost = _Page(self._remove_page, _GROUPS)
        for head in self._store.heads():
            if head.original is None and head.uri in self._lost:
                lost.add(head.uri)
        lost.end()

    def _remove_doubles(self) -> None:
        doubled = _Page(self._remove_copies_of_originals)
        for head in self._store.heads():
            if head.original is not None and head.uri in self._doubled:
                doubled.add(head.uri)
        doubled.end()

    def _remove_copies_of_originals(self, uris: Sequence[str]) -> None:
        found = self._store.get(uris)
        self._store.remove([uri for uri, entry in found.items() if entry.is_original], originals=False)

    def _remove_page(self, uris: Sequence[str]) -> None:
        desk = Desk(self._store, self._rule, lost=self._lost)
        copies = desk.look_up(uris)
        led = self._store.get(list(copies))
        for uri in uris:
            if uri in led and self._hand_over(led[uri], copies[uri]):
                self._promoted += 1
            else:
                self._promoted += len(desk.lose(uri))
        self._store.remove(uris, originals=True)

    def _hand_over(self, original: Entry, copies: Sequence[Entry]) -> bool:
        """
        Let a copy with the same bytes that the run found take the place of *original*, if there is one; all else stays.

        The heir's row as a copy goes last: while it is there, a sweep after a kill finds the same heir. Originals
        that a killed sweep made of copies stay what they are by now, whatever their rows as copies say.
        """
        if all(copy.sha256 != original.sha256 for copy in copies):
            return False
        newest = self._store.get([copy.uri for copy in copies])
        leaders = {uri for uri, entry in newest.items() if entry.is_original}
        twins = [e for e in newest.values() if e.sha256 == original.sha256 and e.uri in self._sighted.readable]
        if not twins:
            return False
        heir = min(twins, key=lambda twin: (twin.uri not in leaders, twin.uri)).uri
        rows = [_follower(copy, heir, original) for copy in copies if copy.uri not in leaders]
        self._store.put(rows)
        self._store.remove(sorted(leaders | {heir}), originals=False)
        return True


def _follower(copy: Entry, heir: str, original: Entry) -> Entry:
    """Return *copy*, of *original*, as a copy of the *heir*; or as the original, if it is the heir itself."""
    if copy.uri != heir:
        return replace(copy, original=heir)
    return replace(copy, original=None, distance=None, exact=False, look=None, lookalike=original.lookalike)
