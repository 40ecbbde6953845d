"""
Originals in flight: those that a batch found before any of them can be found in the store.

Together with a search made when the batch began, they answer as if every image had been stored at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer import metric
from indexer.records import Entry, Hits, Match, Vector


class Originals:
    """The originals that were added, and the stored ones that were replaced, since a search was made."""

    def __init__(self, radius: float) -> None:
        self._radius = radius
        self._added: dict[str, Entry] = {}
        self._retired: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Let *entry* be found; what the search found under its URI counts no more."""
        self._retired.add(entry.uri)
        self._added[entry.uri] = entry

    def retire(self, uri: str) -> None:
        """Let the original at *uri* be found no more."""
        self._retired.add(uri)
        self._added.pop(uri, None)

    def near(self, query: Vector, stored: Hits, *, but: str) -> list[Match]:
        """Return all originals within the radius of *query* (D,), given what was *stored*, except *but*."""
        matches = [match for match in stored.matches if match.uri not in self._retired]
        matches += within(query, list(self._added.values()), self._radius)
        return [match for match in matches if match.uri != but]


def within(query: Vector, entries: Sequence[Entry], radius: float) -> list[Match]:
    """Return those *entries* whose descriptor lies strictly within *radius* of *query* (D,)."""
    if not entries:
        return []
    found = metric.distances(query, np.stack([entry.descriptor for entry in entries]))
    matches = (Match(entry.uri, float(d)) for entry, d in zip(entries, found, strict=True))
    return [match for match in matches if metric.inside(match.distance, radius)]
