"""
Writing behind the judgement, and finding copies another place when their original is lost.

An original is lost when its file has changed (`judge.py`) or is gone for good (`jobs/sweep.py`). Its copies are judged
again, one after another, before its own row is written anew or deleted: until then a run that comes after a kill sees
the loss as this one did, and does the rest. So what the rest becomes may not depend on what was done already:

- Copies whose file is missing come last, but for those that are marked so and were seen by this run: a kill may have
  taken the mark. Of equal bytes one that is there leads, and all come at its turn.
- Equal bytes are written side by side, those whose file is missing first, unless one becomes the original: as long as
  some are left, one that is there is among them, and their turn is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby

import numpy as np

from indexer.flight import InFlight, Originals
from indexer.records import Entry, Hits, Matrix, Picture
from indexer.store.base import Store
from indexer.verdict import Place, Rule, group_of, place_among


class Fresh:
    """The newest rows that a look-up may have missed, by URI and by bytes."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.by_uri: dict[str, Entry] = {}
        self._holders: dict[str, dict[str, None]] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Let *entry* be the newest of its URI."""
        self.by_uri[entry.uri] = entry
        self._holders.setdefault(entry.sha256, {})[entry.uri] = None

    def newest(self, entry: Entry) -> Entry:
        """Return the newest row at the URI of *entry*."""
        return self.by_uri.get(entry.uri, entry)

    def with_bytes(self, digest: str) -> list[Entry]:
        """Return those with these bytes."""
        holders = (self.by_uri[uri] for uri in self._holders.get(digest, ()))
        return [entry for entry in holders if entry.sha256 == digest]

    def copies_of(self, uri: str) -> list[Entry]:
        """Return those that name the original at *uri*."""
        return [entry for entry in self.by_uri.values() if entry.original == uri]


class Desk:
    """
    What is judged and not written yet, before what is stored.

    Attributes:
        store: where it will be written.
        rule: who is a copy.
        fresh: the newest rows.
        written: all that was written here, in order.
    """

    def __init__(
        self,
        store: Store,
        rule: Rule,
        fresh: Fresh | None = None,
        *,
        lost: Container[str] = (),
        returned: Container[str] = (),
    ) -> None:
        """Begin with what is *fresh*; originals that are *lost* are not found; entries that *returned* are there."""
        self.store = store
        self.rule = rule
        self.fresh = fresh or Fresh()
        self.written: list[Entry] = []
        self._originals = Originals(store.settings.radius, lost)
        self._returned = returned
        self._pending: dict[str, Entry] = {}
        self._pending_copies = InFlight(store.settings.radius)
        self._copies: dict[str, list[Entry]] = {}
        self._looked_up: set[str] = set()

    def look_up(self, uris: Sequence[str]) -> dict[str, list[Entry]]:
        """Return the stored copies of the originals at *uris*, and keep them for when these are lost."""
        found = self.store.copies_of(uris) if uris else {}
        self._copies |= found
        self._looked_up |= set(uris)
        return found

    def place(self, picture: Picture, hits: Hits, *, but: str) -> Place:
        """Return the place of *picture*, the image at *but*, given what a search found of it."""
        stored = self._originals.left(hits, but=but)
        if hits.truncated and len(stored) < self.rule.reach:  # many of the nearest count no more
            stored = self._originals.left(self.store.near(picture.descriptor[None])[0], but=but)
        added = self._originals.added(picture.descriptor, but=but)
        return place_among(stored + added, picture.thumbnail, self.rule)

    def near(self, queries: Matrix) -> list[Hits]:
        """Return what `place` needs to know of each of *queries* (N, D): the nearest stored originals."""
        return self.store.near(queries, self.rule.reach + 1)

    def add(self, entry: Entry) -> None:
        """Write *entry*, which was just judged, with the next flush; a flush comes now where order asks for it."""
        if not entry.is_original:
            self._pending_copies.add(entry.uri, entry.descriptor)
        else:
            if self._pending_copies.near(entry.descriptor):
                self.flush()
            self._originals.add(entry.uri, entry.descriptor, entry.thumbnail)
        self.touch(entry)

    def touch(self, entry: Entry) -> None:
        """Write *entry*, whose place is as before, with the next flush."""
        self.fresh.add(entry)
        self._pending[entry.uri] = entry

    def flush(self) -> None:
        """Write what is judged so far."""
        if self._pending:
            rows = list(self._pending.values())
            self.store.put(rows)
            self.written += rows
            self._pending = {}
            self._pending_copies = InFlight(self.store.settings.radius)

    def lose(self, uri: str) -> list[str]:
        """Take an original out of the search, find its copies another place; return who became an original so."""
        self._originals.retire(uri)
        if uri not in self._looked_up:
            self.look_up([uri])
        stored = {entry.uri: self.fresh.newest(entry) for entry in self._copies.pop(uri, ())}
        group = stored | {entry.uri: entry for entry in self.fresh.copies_of(uri)}
        orphans = [entry for entry in group.values() if entry.original == uri]
        homes = self._leftovers(orphans)
        orphans = [orphan for orphan in orphans if orphan.uri not in homes]
        return self._rehome(orphans, {entry.sha256: entry for entry in homes.values()}) if orphans else []

    def _leftovers(self, orphans: Sequence[Entry]) -> dict[str, Entry]:
        """Return those *orphans* that a killed run has made originals already; delete the copy rows it left."""
        stored = [orphan.uri for orphan in orphans if orphan.uri not in self.fresh.by_uri]
        found = self.store.get(stored).values() if stored else ()
        leftovers = {entry.uri: entry for entry in found if entry.is_original}
        if leftovers:
            self.store.remove(list(leftovers), originals=False)
        for entry in leftovers.values():  # look-ups that were made ahead may have met the deleted row
            self.fresh.add(entry)
            self.written.append(entry)
        return leftovers

    def _digests(self, home: str) -> set[str]:
        """Return the sha256 of all that a killed run may have brought to the original *home*, its own among them."""
        group = [*self.store.get([home]).values(), *self.store.copies_of([home]).get(home, ())]
        newest = (self.fresh.newest(entry) for entry in group)
        return {entry.sha256 for entry in newest if home in (entry.uri, entry.original)}

    def _missing_since(self, entry: Entry) -> int:
        """Return since when the file is missing; 0 where it is there, or was seen since it was marked."""
        return 0 if entry.uri in self._returned else entry.missing_since or 0

    def _rehome(self, orphans: Sequence[Entry], homes: dict[str, Entry]) -> list[str]:
        """
        Judge *orphans* again, nearest to their lost original first; the first may become the new original.

        *homes* holds, by sha256, those that have one already. Return who became an original.
        """
        units = list(_units(orphans, self._missing_since))
        hits = self.near(np.stack([unit[0].descriptor for unit in units]))
        promoted: list[str] = []
        held = cache(self._digests)
        for unit, found in zip(units, hits, strict=True):
            first, rest = unit[0], unit
            twin = homes.get(first.sha256)
            place = group_of(twin) if twin else self.place(Picture.of(first), found, but=first.uri)
            known = twin is not None or (place.original is not None and first.sha256 in held(place.original))
            if place.original is None:
                promoted.append(first.uri)
                self.add(_placed(first, place, exact=False))
                rest, place, known = unit[1:], Place(first.uri, 0.0), True
            for orphan in sorted(rest, key=lambda each: (not self._missing_since(each), each.uri)):
                self.add(_placed(orphan, place, exact=known))
                known = True
        self.flush()
        self.store.remove(promoted, originals=False)
        return promoted


def _units(orphans: Sequence[Entry], missing_since: Callable[[Entry], int]) -> Iterator[list[Entry]]:
    """Yield *orphans* by equal bytes in the order in which they are judged, in each one that is there first."""
    there = {orphan.sha256 for orphan in orphans if not missing_since(orphan)}
    ranked = sorted(orphans, key=lambda e: (e.sha256 not in there, e.distance, e.sha256, missing_since(e), e.uri))
    for _, unit in groupby(ranked, key=lambda entry: entry.sha256):
        yield list(unit)


def _placed(orphan: Entry, place: Place, *, exact: bool) -> Entry:
    return replace(
        orphan,
        original=place.original,
        distance=place.distance,
        exact=exact,
        look=place.look,
        lookalike=place.lookalike,
    )
