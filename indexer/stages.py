"""What happens to one image, or one batch, between its source and its judgement."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter

import numpy as np

from indexer.candidate import Candidate
from indexer.confirm import thumbnail
from indexer.decode import decode
from indexer.encode import Encoder
from indexer.records import Entry, Hits, ImageRecord, Picture, Verdict
from indexer.sources import is_as_indexed, is_kept
from indexer.store.base import Store
from indexer.verdict import RADIUS_ALONE, Place, Rule, entry_for, group_of, is_untouched, place_among, verdict_on

LARGE = 25_000_000
"""Pixels from which one image at a time is decoded, whatever the number of threads: each may take 7 bytes a pixel."""


class Stopwatch:
    """Seconds spent in each stage, summed over threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to *stage*."""
        start = perf_counter()
        try:
            yield
        finally:
            spent = perf_counter() - start
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


@dataclass(frozen=True, slots=True)
class Stages:
    """
    The stages before the judgement, each a function for `stream`.

    Attributes:
        store: where earlier entries are looked up.
        encoder: pixels to descriptors.
        clock: measures each stage.
        max_pixels: images with more are rejected.
        rule: who is a copy; without a second look in it, no thumbnails are made.
        written: returns how many batches are written by now (see Judge).
        on_disk: whether verdicts tell of the files of originals; not where entries come from another machine.
        large: held while a large image is in memory.

    """

    store: Store
    encoder: Encoder
    clock: Stopwatch
    max_pixels: int
    rule: Rule = RADIUS_ALONE
    written: Callable[[], int] = int
    on_disk: bool = True
    large: AbstractContextManager[object] = field(default_factory=Lock)

    def look_up(self, records: Sequence[ImageRecord]) -> list[Candidate]:
        """Find each image's own earlier entry; one that is untouched since then will not be read."""
        with self.clock("look up"):
            found = self.store.get([record.uri for record in records])
        as_of = self.written()
        return [_candidate(record, as_of, found.get(record.uri)) for record in records]

    def read(self, candidate: Candidate) -> Candidate:
        """Read the bytes and hash them; of an image that was described elsewhere, both are known."""
        described = candidate.record.described
        if described:
            return replace(candidate, size=candidate.record.size, sha256=described.sha256)
        with self.clock("read"):
            data = candidate.record.read()
            digest = hashlib.sha256(data).hexdigest()
        return replace(candidate, record=_let_go(candidate.record), data=data, size=len(data), sha256=digest)

    def find_twins(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Find entries with the same bytes, an image's own among them; those images need not be decoded."""
        with self.clock("look up"):
            wanted = {c.sha256 for c in candidates if not c.settled and not self._own_twin(c)}
            twins = self.store.with_bytes(sorted(wanted)) if wanted else {}
        return [c if c.settled else replace(c, twin=self._own_twin(c) or twins.get(c.sha256)) for c in candidates]

    def _own_twin(self, candidate: Candidate) -> Entry | None:
        """Return an image's own entry if it has the same bytes, and all that its row needs (`get` leaves out some)."""
        known = candidate.known
        complete = known is not None and (known.thumbnail or self.rule.confirm is None)
        return known if known and complete and known.sha256 == candidate.sha256 else None

    def describe(self, candidate: Candidate) -> Candidate:
        """Decode and encode; an image whose bytes are known takes its picture from there, or brings its own."""
        if candidate.twin:
            return replace(candidate, data=None, picture=Picture.of(candidate.twin))
        if candidate.record.described:
            brought = candidate.record.described.picture
            return replace(candidate, picture=brought if self.rule.confirm else replace(brought, thumbnail=b""))
        if candidate.data is None:
            raise AssertionError("describe comes after read")
        return replace(candidate, data=None, picture=self._picture(candidate.data))

    def _picture(self, data: bytes) -> Picture:
        with ExitStack() as until_done:

            def admit(pixels: int) -> None:
                if pixels > LARGE:
                    until_done.enter_context(self.large)

            with self.clock("decode"):
                least_px = self.encoder.spec.least_px
                image = decode(data, max_pixels=self.max_pixels, least_px=least_px, admit=admit)
            with self.clock("encode"):
                descriptor = self.encoder.embed([image.pixels])[0]
            with self.clock("thumbnail"):
                small = thumbnail(image.pixels) if self.rule.confirm else b""
        return Picture(image.width, image.height, image.format, descriptor, small)

    def answer(self, candidates: Sequence[Candidate]) -> list[Verdict]:
        """Judge each image on its own against the collection; nothing is written."""
        vectors = [c.picture.descriptor for c in candidates if c.picture and not c.twin]
        with self.clock("search"):
            hits = iter(self.store.near(np.stack(vectors), self.rule.reach + 1) if vectors else ())
            found = [_answer(c, next(hits) if c.picture and not c.twin else Hits(()), self.rule) for c in candidates]
        return self.told_of_originals(found)

    def told_of_originals(
        self, verdicts: Sequence[Verdict], chosen: Callable[[Verdict], bool] = lambda _: True
    ) -> list[Verdict]:
        """Return *verdicts*; those *chosen* of them that name an original tell what became of its file."""
        named = sorted({verdict.original for verdict in verdicts if verdict.original and chosen(verdict)})
        if not named or not self.on_disk:
            return list(verdicts)
        with self.clock("look up"):
            originals = self.store.get(named)
            there = {uri: is_as_indexed(uri, entry.size, entry.mtime_ns) for uri, entry in originals.items()}
        return [_told(v, originals.get(v.original or ""), there) if chosen(v) else v for v in verdicts]


def _candidate(record: ImageRecord, as_of: int, known: Entry | None) -> Candidate:
    settled = known is not None and is_untouched(known, record)
    return Candidate(_let_go(record) if settled and not record.described else record, as_of, known, settled)


def _told(verdict: Verdict, original: Entry | None, there: Mapping[str, bool | None]) -> Verdict:
    if original is None:
        return verdict
    kept = is_kept(there[original.uri], original.uri, [verdict.uri] if verdict.exact else ())
    return replace(verdict, original_missing_since=original.missing_since, original_is_there=kept)


def _let_go(record: ImageRecord) -> ImageRecord:
    """Return *record* without the bytes, or the open archive, that it may keep."""
    return replace(record, read=_read_already, held=0)


def _read_already() -> bytes:
    raise AssertionError("a record is read once, and none of what has not changed")


def _twins_place(candidate: Candidate) -> Place | None:
    if candidate.twin is None:
        return None
    place = group_of(candidate.twin)
    return place if place.original != candidate.uri else Place(candidate.twin.uri, 0.0)


def _answer(candidate: Candidate, hits: Hits, rule: Rule) -> Verdict:
    if candidate.known and (candidate.settled or candidate.known.sha256 == candidate.sha256):
        return verdict_on(candidate.known, unchanged=True)
    assert candidate.picture is not None
    others = (match for match in hits.matches if match.uri != candidate.uri)
    place = _twins_place(candidate) or place_among(others, candidate.picture.thumbnail, rule)
    entry = entry_for(candidate, candidate.picture, place, exact=candidate.twin is not None)
    return verdict_on(entry, truncated=place.cut)
