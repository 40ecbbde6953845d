"""The reference store: dictionaries and brute force, obviously right; for tests and small one-off jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from indexer import metric
from indexer.records import Counts, Entry, Head, Hits, Match, Matrix, Settings, Vector
from indexer.store.check import check_entries, check_queries


class MemoryStore:
    """A collection in memory; see Store for the contract."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._originals: dict[str, Entry] = {}
        self._copies: dict[str, Entry] = {}

    def claim(self) -> None:
        """See Store.claim; no other process sees this memory."""

    def get(self, uris: Sequence[str]) -> dict[str, Entry]:
        """See Store.get."""
        both = self._copies | self._originals
        return {uri: replace(both[uri], thumbnail=b"") for uri in uris if uri in both}

    def with_bytes(self, digests: Sequence[str]) -> dict[str, Entry]:
        """See Store.with_bytes."""
        return {entry.sha256: entry for entry in self.entries() if entry.sha256 in digests}

    def near(self, queries: Matrix, most: int | None = None) -> list[Hits]:
        """See Store.near."""
        check_queries(queries, self.settings.dim)
        found = (self._near_one(query).matches for query in queries)
        return [Hits(matches[:most], truncated=most is not None and len(matches) > most) for matches in found]

    def _near_one(self, query: Vector) -> Hits:
        if not self._originals:
            return Hits(())
        entries = list(self._originals.values())
        distances = metric.distances(query, np.stack([entry.descriptor for entry in entries]))
        matches = (Match(e.uri, float(d), e.thumbnail) for e, d in zip(entries, distances, strict=True))
        close = [match for match in matches if metric.inside(match.distance, self.settings.radius)]
        return Hits(tuple(sorted(close, key=lambda match: (match.distance, match.uri))))

    def copies_of(self, uris: Sequence[str], *, pictures: bool = True) -> dict[str, list[Entry]]:
        """See Store.copies_of."""
        found: dict[str, list[Entry]] = {}
        for entry in self._copies.values():
            if entry.original is not None and entry.original in uris:
                found.setdefault(entry.original, []).append(entry if pictures else replace(entry, thumbnail=b""))
        return found

    def put(self, entries: Sequence[Entry]) -> None:
        """See Store.put."""
        check_entries(entries, self.settings)
        self._originals |= {entry.uri: entry for entry in entries if entry.is_original}
        self._copies |= {entry.uri: entry for entry in entries if not entry.is_original}

    def remove(self, uris: Sequence[str], *, originals: bool) -> None:
        """See Store.remove."""
        rows = self._originals if originals else self._copies
        for uri in uris:
            rows.pop(uri, None)

    def stored(self, entries: Sequence[Entry]) -> list[Entry | None]:
        """See Store.stored."""
        return [(self._originals if entry.is_original else self._copies).get(entry.uri) for entry in entries]

    def entries(self) -> Iterator[Entry]:
        """See Store.entries."""
        yield from self._originals.values()
        yield from self._copies.values()

    def heads(self) -> Iterator[Head]:
        """See Store.heads."""
        entries = sorted(self.entries(), key=lambda entry: (entry.is_original, entry.id))
        return (Head(e.uri, e.sha256, e.original, e.missing_since) for e in entries)

    def mark(self, uris: Sequence[str], missing_since: int | None) -> None:
        """See Store.mark."""
        rows = [part[uri] for part in (self._originals, self._copies) for uri in uris if uri in part]
        self.put([replace(row, missing_since=missing_since) for row in rows])

    def count(self) -> Counts:
        """See Store.count."""
        return Counts(len(self._originals), len(self._copies))

    def missing(self) -> int:
        """See Store.missing."""
        return sum(entry.missing_since is not None for entry in self.entries())

    def close(self) -> None:
        """See Store.close."""
