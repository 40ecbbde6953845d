"""A migration compares what it wrote: rows that were lost or changed on the way are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from indexer.errors import StoreError
from indexer.jobs.migrate import migrate
from indexer.records import Entry, Settings
from indexer.store.memory import MemoryStore

SETTINGS = Settings("network@1", dim=2, radius=0.01)
A = Entry("a", "a" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=np.zeros(2, np.float32))
B = dataclasses.replace(A, uri="b", original="a", distance=0.0078125, descriptor=np.array([0.0078125, 0], np.float32))


class Faulty(MemoryStore):
    """A store that changes what it is given."""

    def __init__(self, fault: Callable[[Entry], list[Entry]]) -> None:
        super().__init__(SETTINGS)
        self._fault = fault

    def put(self, entries: Sequence[Entry]) -> None:
        """See Store.put."""
        super().put([kept for entry in entries for kept in self._fault(entry)])


def filled(entries: Sequence[Entry]) -> MemoryStore:
    """Return a store that holds *entries*."""
    store = MemoryStore(SETTINGS)
    store.put(entries)
    return store


def watched(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Show nothing."""
    return entries


FAULTS: dict[str, Callable[[Entry], list[Entry]]] = {
    "rows were lost": lambda entry: [entry] if entry.is_original else [],
    "differs from the source in the row of a": lambda entry: [
        dataclasses.replace(entry, thumbnail=b"?") if entry.is_original else entry
    ],
    "differs from the source in the row of b": lambda entry: [
        entry if entry.is_original else dataclasses.replace(entry, descriptor=np.array([0.0078, 0], np.float32))
    ],
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_went_wrong_on_the_way_is_told(message: str) -> None:
    """A row that is not there, a thumbnail, one value of a descriptor: each is noticed."""
    with pytest.raises(StoreError, match=message):
        migrate(filled([A, B]), Faulty(FAULTS[message]), "there", watched)


def test_a_distance_that_is_not_true_is_told() -> None:
    """A row that was damaged before it was copied is equal in both, but not at the distance that it tells."""
    damaged = dataclasses.replace(B, distance=0.0078)
    with pytest.raises(StoreError, match=r"b is 0.0078125 from its original, its row says 0.0078"):
        migrate(filled([A, damaged]), filled([]), "there", watched)


def test_a_sample_is_compared_of_many() -> None:
    """Of more rows than the sample holds, all are copied and so many compared."""
    many = [dataclasses.replace(A, uri=f"{n}") for n in range(3000)]
    moved = migrate(filled(many), filled([]), "there", watched)
    assert dataclasses.astuple(moved) == (3000, 3000, 1000, 0)
