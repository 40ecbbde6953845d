"""
The writer of an ingest: judges images one after another and stores what they became.

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
  written: until then the next run sees it as changed and does the whole again (`rehome.py`).
- A row changes its partition by being deleted first: a kill in between makes it a new image, which it would be too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.candidate import Candidate
from indexer.records import Entry, Hits, Outcome, Verdict
from indexer.rehome import Desk, Fresh
from indexer.store.base import Store
from indexer.verdict import Rule, entry_for, group_of, verdict_on


class Judge:
    """Judges batches in the order of the stream; `batches` counts those that are written."""

    def __init__(self, store: Store, rule: Rule) -> None:
        self._store = store
        self._rule = rule
        self._written: deque[tuple[int, list[Entry]]] = deque()
        self._newest = Fresh()
        self._returned: set[str] = set()
        self.batches = 0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Return the verdicts on *candidates*, each with a picture, after storing them."""
        while self._written and self._written[0][0] <= candidates[0].as_of:
            self._written.popleft()
        fresh = Fresh(entry for _, entries in self._written for entry in entries)
        desk = Desk(self._store, self._rule, fresh, returned=self._returned)
        batch = _Batch(desk, fresh, candidates, self._returned)
        verdicts = [batch.judge(number, candidate) for number, candidate in enumerate(candidates)]
        batch.desk.flush()
        self.batches += 1
        self._written.append((self.batches, batch.desk.written))
        self._newest = fresh
        return verdicts

    def is_new_copy(self, verdict: Verdict) -> bool:
        """Tell whether *verdict*, one of the last batch, found a copy, and its original was not lost since."""
        return verdict.outcome is Outcome.COPY and self._newest.by_uri[verdict.uri].original == verdict.original


class _Batch:
    """One batch: what was found when it began, and what has changed since."""

    def __init__(self, desk: Desk, fresh: Fresh, candidates: Sequence[Candidate], returned: set[str]) -> None:
        self._store = desk.store
        self._fresh = fresh
        self._returned = returned
        self.desk = desk
        self._hits = _search(self.desk, candidates)
        self.desk.look_up([c.uri for c in candidates if _may_orphan(c)])

    def judge(self, number: int, candidate: Candidate) -> Verdict:
        known = self._fresh.by_uri.get(candidate.uri, candidate.known)
        if known and known.missing_since:  # it is there; the sweep takes the mark off, and counts it
            self._returned.add(known.uri)
        if known and candidate.settled:
            return verdict_on(known, unchanged=True)
        if known and known.sha256 == candidate.sha256:
            return self._unchanged(known, candidate)
        if known and known.is_original:
            self.desk.lose(known.uri)
        entry, truncated = self._new_entry(number, candidate)
        if known and known.missing_since:
            entry = replace(entry, missing_since=known.missing_since)
        if known and known.is_original != entry.is_original:
            self.desk.flush()
            self._store.remove([entry.uri], originals=known.is_original)
        self.desk.add(entry)
        return verdict_on(entry, truncated=truncated)

    def _unchanged(self, known: Entry, candidate: Candidate) -> Verdict:
        """Note a touched file's new time, so that the next run need not read it."""
        assert candidate.picture is not None
        touched = replace(known, size=candidate.size, mtime_ns=candidate.record.mtime_ns)
        if touched != known:
            touched = replace(touched, thumbnail=candidate.picture.thumbnail)  # *known* was read without
            self.desk.touch(touched)
        return verdict_on(touched, unchanged=True)

    def _new_entry(self, number: int, candidate: Candidate) -> tuple[Entry, bool]:
        """Return what the image becomes, and whether some of its neighbours were not looked at."""
        assert candidate.picture is not None
        twin = self._twin(candidate)
        if twin:
            return entry_for(candidate, candidate.picture, group_of(twin), exact=True), False
        hits = self._hits.get(number) or self.desk.near(candidate.picture.descriptor[None])[0]
        place = self.desk.place(candidate.picture, hits, but=candidate.uri)
        return entry_for(candidate, candidate.picture, place, exact=False), place.cut

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
        self.desk.flush()
        return list(self._store.with_bytes([twin.sha256]).values())


def _may_orphan(candidate: Candidate) -> bool:
    """Return whether an original's file has changed, so that its copies may need another."""
    known = candidate.known
    return known is not None and known.is_original and not candidate.settled and known.sha256 != candidate.sha256


def _search(desk: Desk, candidates: Sequence[Candidate]) -> dict[int, Hits]:
    """Return the stored neighbours of those *candidates* that have no twin, by their number."""
    queries = {n: c.picture.descriptor for n, c in enumerate(candidates) if c.picture and not c.twin}
    if not queries:
        return {}
    return dict(zip(queries, desk.near(np.stack(list(queries.values()))), strict=True))
