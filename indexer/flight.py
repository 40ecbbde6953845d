"""
Originals in flight: those that a batch found before any of them can be found in the store.

Together with a search made when the batch began, they answer as if every image had been stored at once.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import numpy.typing as npt

from indexer import metric
from indexer.records import Hits, Match, Vector


class Shelf:
    """Descriptors and thumbnails by URI; grows, and is searched by brute force."""

    def __init__(self, radius: float) -> None:
        self._radius = radius
        self._uris: list[str] = []
        self._thumbnails: list[bytes] = []
        self._rows: npt.NDArray[np.float64] = np.empty((0, 0))

    def add(self, uri: str, vector: Vector, thumbnail: bytes = b"") -> None:
        """Put *vector*, float32 (D,), on the shelf, in place of the one at *uri* if there is one."""
        self.drop(uri)
        count = len(self._uris)
        if count == len(self._rows):
            grown = np.empty((max(16, 2 * count), len(vector)))
            grown[:count] = self._rows if count else 0.0
            self._rows = grown
        self._rows[count] = vector
        self._uris.append(uri)
        self._thumbnails.append(thumbnail)

    def drop(self, uri: str) -> None:
        """Take away the one at *uri*, if there is one."""
        if uri in self._uris:
            at = self._uris.index(uri)
            self._rows[at], self._uris[at], self._thumbnails[at] = np.inf, "", b""

    def near(self, query: Vector) -> list[Match]:
        """Return those that lie strictly within the radius of *query*, float32 (D,)."""
        if not self._uris:
            return []
        found = metric.distances(query, self._rows[: len(self._uris)])
        inside = np.flatnonzero(metric.inside(found, self._radius))
        return [Match(self._uris[at], float(found[at]), self._thumbnails[at]) for at in inside]


class Originals:
    """The originals that were added, and the stored ones that were replaced or are *lost*, since a search was made."""

    def __init__(self, radius: float, lost: Container[str] = ()) -> None:
        self._shelf = Shelf(radius)
        self._lost = lost
        self._replaced: set[str] = set()

    def add(self, uri: str, vector: Vector, thumbnail: bytes) -> None:
        """Let the original at *uri* be found; what the search found there counts no more."""
        self._replaced.add(uri)
        self._shelf.add(uri, vector, thumbnail)

    def retire(self, uri: str) -> None:
        """Let the original at *uri* be found no more."""
        self._replaced.add(uri)
        self._shelf.drop(uri)

    def left(self, stored: Hits, *, but: str) -> list[Match]:
        """Return those of the *stored* originals that a search found which count still, except *but*."""
        counts = (match for match in stored.matches if match.uri not in self._replaced and match.uri != but)
        return [match for match in counts if match.uri not in self._lost]

    def added(self, query: Vector, *, but: str) -> list[Match]:
        """Return those that were added and lie within the radius of *query* (D,), except *but*."""
        return [match for match in self._shelf.near(query) if match.uri != but]
