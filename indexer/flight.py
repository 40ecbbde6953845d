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


class InFlight:
    """Descriptors and thumbnails by URI; grows, and is searched by brute force."""

    def __init__(self, radius: float) -> None:
        self._radius = radius
        self._places: dict[str, int] = {}
        self._items: list[tuple[str, bytes]] = []
        self._rows: npt.NDArray[np.float64] = np.empty((0, 0))
        self._squares: npt.NDArray[np.float64] = np.empty(0)

    def add(self, uri: str, vector: Vector, thumbnail: bytes = b"") -> None:
        """Put *vector*, float32 (D,), among them, in place of the one at *uri* if there is one."""
        self.drop(uri)
        count = len(self._items)
        if count == len(self._rows):
            rows, squares = np.zeros((max(16, 2 * count), len(vector))), np.zeros(max(16, 2 * count))
            rows[:count], squares[:count] = self._rows if count else 0.0, self._squares
            self._rows, self._squares = rows, squares
        self._rows[count] = vector
        self._squares[count] = metric.square(self._rows[count])
        self._places[uri] = count
        self._items.append((uri, thumbnail))

    def drop(self, uri: str) -> None:
        """Take away the one at *uri*, if there is one."""
        at = self._places.pop(uri, None)
        if at is not None:
            self._rows[at], self._squares[at], self._items[at] = 0.0, np.inf, ("", b"")

    def near(self, query: Vector) -> list[Match]:
        """Return those that lie strictly within the radius of *query*, float32 (D,)."""
        count = len(self._items)
        if not count:
            return []
        likely = metric.maybe_inside(query, self._rows[:count], self._squares[:count], self._radius)
        found = metric.distances(query, self._rows[likely])
        matches = zip(likely, found, strict=True)
        return [
            Match(self._items[at][0], float(apart), self._items[at][1])
            for at, apart in matches
            if metric.inside(apart, self._radius)
        ]


class Originals:
    """The originals that were added, and the stored ones that were replaced or are *lost*, since a search was made."""

    def __init__(self, radius: float, lost: Container[str] = ()) -> None:
        self._added = InFlight(radius)
        self._lost = lost
        self._replaced: set[str] = set()

    def add(self, uri: str, vector: Vector, thumbnail: bytes) -> None:
        """Let the original at *uri* be found; what the search found there counts no more."""
        self._replaced.add(uri)
        self._added.add(uri, vector, thumbnail)

    def retire(self, uri: str) -> None:
        """Let the original at *uri* be found no more."""
        self._replaced.add(uri)
        self._added.drop(uri)

    def left(self, stored: Hits, *, but: str) -> list[Match]:
        """Return those of the *stored* originals that a search found which count still, except *but*."""
        counts = (match for match in stored.matches if match.uri not in self._replaced and match.uri != but)
        return [match for match in counts if match.uri not in self._lost]

    def added(self, query: Vector, *, but: str) -> list[Match]:
        """Return those that were added and lie within the radius of *query* (D,), except *but*."""
        return [match for match in self._added.near(query) if match.uri != but]
