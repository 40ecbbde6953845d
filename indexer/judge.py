"""
The only writer: judges images one after another and stores what they became.

Its promise (laws 2 to 5): the collection is the same for any batch size, whatever was in flight when an image was
looked up, and however often the run was killed and started again. How each part is kept:

- Look-ups are made ahead of the judgement. What was written since then (`_Fresh`) overrules them.
- Searches are made once per batch. Originals added or replaced since then (`flight.Originals`) complete them.
  Whether they are looked at twice is `verdict.place_among`'s matter: of the same originals and thumbnails, the
  same one is chosen.
- A put writes all originals before any copy. A kill in between is harmless unless a later original lies within the
  radius of an earlier copy that was not written: the copy would be judged again, now against that original too.
  So such an original waits until the copies before it are written; whether a second look would refute it is not
  asked. Originals are written in the order in which they were judged, so that none meets a later one.
- When an original's file has changed, its copies are judged again, nearest first, before its own new row is
  written: until then the next run sees it as changed and does the whole again.
- A row changes its partition by being deleted first: a kill in between makes it a new image, which it would be too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from indexer.candidate import Candidate, Picture
from indexer.flight import Originals, Shelf
from indexer.records import Entry, Hits, Verdict
from indexer.store.base import Store
from indexer.verdict import Place, Rule, entry_for, group_of, place_among, verdict_on


class Judge:
    """Judges batches in the order of the stream; `batches` counts those that are written."""

    def __init__(self, store: Store, rule: Rule) -> None:
        self._store = store
        self._rule = rule
        self._written: deque[tuple[int, list[Entry]]] = deque()
        self.batches = 0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Return the verdicts on *candidates*, each with a picture, after storing them."""
        while self._written and self._written[0][0] <= candidates[0].as_of:
            self._written.popleft()
        fresh = _Fresh(entry for _, entries in self._written for entry in entries)
        batch = _Batch(self._store, self._rule, fresh, candidates)
        verdicts = [batch.judge(number, candidate) for number, candidate in enumerate(candidates)]
        batch.flush()
        self.batches += 1
        self._written.append((self.batches, batch.written))
        return verdicts


class _Fresh:
    """The newest rows that a look-up may have missed, by URI and by bytes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.by_uri: dict[str, Entry] = {}
        self._holders: dict[str, dict[str, None]] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        self.by_uri[entry.uri] = entry
        self._holders.setdefault(entry.sha256, {})[entry.uri] = None

    def newest(self, entry: Entry) -> Entry:
        return self.by_uri.get(entry.uri, entry)

    def with_bytes(self, digest: str) -> list[Entry]:
        holders = (self.by_uri[uri] for uri in self._holders.get(digest, ()))
        return [entry for entry in holders if entry.sha256 == digest]

    def copies_of(self, uri: str) -> list[Entry]:
        return [entry for entry in self.by_uri.values() if entry.original == uri]


class _Batch:
    """One batch: what was found when it began, and what has changed since."""

    def __init__(self, store: Store, rule: Rule, fresh: _Fresh, candidates: Sequence[Candidate]) -> None:
        self._store = store
        self._rule = rule
        self._fresh = fresh
        self._originals = Originals(store.settings.radius)
        self._hits = _search(store, candidates)
        changed = [c.uri for c in candidates if _may_orphan(c)]
        self._copies = store.copies_of(changed) if changed else {}
        self._looked_up = set(changed)
        self._pending: dict[str, Entry] = {}
        self._pending_copies = Shelf(store.settings.radius)
        self.written: list[Entry] = []

    def judge(self, number: int, candidate: Candidate) -> Verdict:
        known = self._fresh.by_uri.get(candidate.uri, candidate.known)
        if known and candidate.settled:
            return verdict_on(known, unchanged=True)
        if known and known.sha256 == candidate.sha256:
            return self._unchanged(known, candidate)
        if known and known.is_original:
            self._retire(known.uri)
        entry, truncated = self._new_entry(number, candidate)
        if known and known.is_original != entry.is_original:
            self.flush()
            self._store.remove([entry.uri], originals=known.is_original)
        self._add(entry)
        return verdict_on(entry, truncated=truncated)

    def flush(self) -> None:
        """Write what is judged so far."""
        if self._pending:
            rows = list(self._pending.values())
            self._store.put(rows)
            self.written += rows
            self._pending = {}
            self._pending_copies = Shelf(self._store.settings.radius)

    def _unchanged(self, known: Entry, candidate: Candidate) -> Verdict:
        """Note a touched file's new time, so that the next run need not read it."""
        assert candidate.picture is not None
        touched = replace(known, size=candidate.size, mtime_ns=candidate.record.mtime_ns)
        if touched != known:
            touched = replace(touched, thumbnail=candidate.picture.thumbnail)  # *known* was read without
            self._fresh.add(touched)
            self._pending[touched.uri] = touched
        return verdict_on(touched, unchanged=True)

    def _new_entry(self, number: int, candidate: Candidate) -> tuple[Entry, bool]:
        """Return what the image becomes, and whether some neighbours could not be listed."""
        assert candidate.picture is not None
        twin = self._twin(candidate)
        if twin:
            return entry_for(candidate, candidate.picture, group_of(twin), exact=True), False
        hits = self._hits.get(number) or self._store.near(candidate.picture.descriptor[None])[0]
        place = self._place(candidate.picture, hits, but=candidate.uri)
        return entry_for(candidate, candidate.picture, place, exact=False), hits.truncated

    def _place(self, picture: Picture, hits: Hits, *, but: str) -> Place:
        return place_among(self._originals.near(picture.descriptor, hits, but=but), picture.thumbnail, self._rule)

    def _twin(self, candidate: Candidate) -> Entry | None:
        twins = self._fresh.with_bytes(candidate.sha256)
        if candidate.twin and not twins:
            twins = self._checked(candidate.twin)
        others = [twin for twin in twins if candidate.uri not in (twin.uri, twin.original)]
        return min(others, key=lambda twin: (twin.distance or 0.0, twin.uri), default=None)

    def _checked(self, twin: Entry) -> list[Entry]:
        """Return *twin*, or, where its file has changed since it was looked up, another entry with those bytes."""
        newest = self._fresh.newest(twin)
        if newest.sha256 == twin.sha256:
            return [newest]
        self.flush()
        return list(self._store.with_bytes([twin.sha256]).values())

    def _add(self, entry: Entry) -> None:
        if not entry.is_original:
            self._pending_copies.add(entry.uri, entry.descriptor)
        else:
            if self._pending_copies.near(entry.descriptor):
                self.flush()
            self._originals.add(entry.uri, entry.descriptor, entry.thumbnail)
        self._fresh.add(entry)
        self._pending[entry.uri] = entry

    def _retire(self, uri: str) -> None:
        """Take an original whose file has changed out of the search, and find its copies another place."""
        self._originals.retire(uri)
        if uri not in self._looked_up:
            self._copies |= self._store.copies_of([uri])
        stored = {entry.uri: self._fresh.newest(entry) for entry in self._copies.get(uri, ())}
        group = stored | {entry.uri: entry for entry in self._fresh.copies_of(uri)}
        orphans = [entry for entry in group.values() if entry.original == uri]
        homes = self._leftovers(orphans)
        orphans = [orphan for orphan in orphans if orphan.uri not in homes]
        if orphans:
            orphans.sort(key=lambda entry: (entry.distance, entry.sha256, entry.uri))  # equal bytes side by side
            self._rehome(orphans, {entry.sha256: entry for entry in homes.values()})

    def _leftovers(self, orphans: Sequence[Entry]) -> dict[str, Entry]:
        """Return those *orphans* that a killed run has made originals already; delete the copy rows it left."""
        stored = [orphan.uri for orphan in orphans if orphan.uri not in self._fresh.by_uri]
        found = self._store.get(stored).values() if stored else ()
        leftovers = {entry.uri: entry for entry in found if entry.is_original}
        if leftovers:
            self._store.remove(list(leftovers), originals=False)
        for entry in leftovers.values():  # look-ups that were made ahead may have met the deleted row
            self._fresh.add(entry)
            self.written.append(entry)
        return leftovers

    def _digests(self, home: str) -> set[str]:
        """Return the sha256 of all that a killed run may have brought to the original *home*, its own among them."""
        group = [*self._store.get([home]).values(), *self._store.copies_of([home]).get(home, ())]
        newest = (self._fresh.newest(entry) for entry in group)
        return {entry.sha256 for entry in newest if home in (entry.uri, entry.original)}

    def _rehome(self, orphans: Sequence[Entry], homes: dict[str, Entry]) -> None:
        """
        Judge *orphans* again, nearest to their lost original first; the first may become the new original.

        *homes* holds, by sha256, those that have one already.
        """
        hits = self._store.near(np.stack([orphan.descriptor for orphan in orphans]))
        promoted: list[str] = []
        held = cache(self._digests)
        for orphan, found in zip(orphans, hits, strict=True):
            twin = homes.get(orphan.sha256)
            place = group_of(twin) if twin else self._place(Picture.of(orphan), found, but=orphan.uri)
            exact = twin is not None or (place.original is not None and orphan.sha256 in held(place.original))
            home = replace(
                orphan,
                original=place.original,
                distance=place.distance,
                exact=exact,
                look=place.look,
                lookalike=place.lookalike,
            )
            homes.setdefault(orphan.sha256, home)
            self._add(home)
            promoted += [home.uri] if home.is_original else []
        self.flush()
        self._store.remove(promoted, originals=False)


def _may_orphan(candidate: Candidate) -> bool:
    """Return whether an original's file has changed, so that its copies may need another."""
    known = candidate.known
    return known is not None and known.is_original and not candidate.settled and known.sha256 != candidate.sha256


def _search(store: Store, candidates: Sequence[Candidate]) -> dict[int, Hits]:
    """Return the stored neighbours of those *candidates* that have no twin, by their number."""
    queries = {n: c.picture.descriptor for n, c in enumerate(candidates) if c.picture and not c.twin}
    if not queries:
        return {}
    return dict(zip(queries, store.near(np.stack(list(queries.values()))), strict=True))
