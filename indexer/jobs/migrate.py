"""A collection goes to another place: copied, then compared; the one that it comes from is never changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer import metric
from indexer.errors import ConfigError, StoreError
from indexer.jobs.copying import copy_whole, identical
from indexer.jobs.index import Where
from indexer.records import Entry
from indexer.store.base import Store
from indexer.store.door import is_server, shown
from indexer.store.milvus import open_store

SAMPLE = 1000
"""Entries that are compared once more, bit by bit, when all are there."""

_TOLERANCE = 1e-9
"""Distances computed anew may differ by this part of themselves: processors sum up in other orders."""

Watch = Callable[[Iterator[Entry]], Iterator[Entry]]
"""Shows how far the copy is, while the entries pass."""


@dataclass(frozen=True, slots=True)
class Moved:
    """
    What a migration did.

    Attributes:
        images: entries that the collection holds, here and there.
        written: how many of them were not there before.
        compared: how many were read from both, and agree in every bit.
        distances: how many of those are copies whose distance to their original was computed anew.

    """

    images: int
    written: int
    compared: int
    distances: int


def open_target(source: Store, place: Where, target: Where) -> Store:
    """
    Open the collection *target*, made with the settings of *source* when it is absent.

    Raises:
        ConfigError: it is *place*, where the source lies, or a collection with other settings.
        LockHeld: another process uses the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.
    """
    if same_place(place, target) and place.collection == target.collection:
        raise ConfigError(f"{shown(target.uri)} is where the collection {place.collection} is; name another place")
    own = ("radius", "second_look", "max_changed")  # what a target has of its own is told below
    store = open_store(target.uri, target.collection, source.settings, own=own, access=target.access)
    if store.settings != source.settings:
        store.close()
        raise ConfigError(
            f"the collection {target.collection} at {shown(target.uri)} confirms copies by other numbers than"
            f" {place.collection}; name another --to-collection, or drop it there"
        )
    return store


def same_place(one: Where, other: Where) -> bool:
    """Return whether two URIs name the same Milvus."""
    places = [
        shown(where.uri).rstrip("/") if is_server(where.uri) else str(Path(where.uri).resolve())
        for where in (one, other)
    ]
    return places[0] == places[1]


def migrate(source: Store, target: Store, name: str, watch: Watch) -> Moved:
    """
    Copy *source* into *target*, called *name* in messages, and compare them; run again, it goes on.

    Raises:
        ConfigError: *target* holds something else; nothing was written.
        StoreError: a back end failed, or the two differ after all.
    """
    sample = _Sample()
    written = 0
    for entry, was_missing in copy_whole(lambda: watch(source.entries()), target, name):
        written += was_missing
        sample.see(entry)
    counts = source.count()
    if counts != target.count():
        raise StoreError(
            f"{name} holds {target.count()}, the source {counts}: it was written to meanwhile, or rows were lost;"
            " migrate again when no ingest runs"
        )
    return Moved(counts.total, written, len(sample.entries), verify(source, target, sample.entries, name))


def verify(source: Store, target: Store, sample: Sequence[Entry], name: str) -> int:
    """
    Read *sample* from both stores and compare; return how many distances were computed anew.

    Raises:
        StoreError: a row or a distance differs.
    """
    for entry, here, there in zip(sample, source.stored(sample), target.stored(sample), strict=True):
        if here is None or not identical(here, there):
            raise StoreError(f"{name} differs from the source in the row of {entry.uri[:200]}; drop it, migrate again")
    copies = [entry for entry in target.stored(sample) if entry is not None and entry.original is not None]
    originals = target.get([copy.original for copy in copies if copy.original is not None])
    checked = [copy for copy in copies if copy.original in originals]
    for copy in checked:
        assert copy.original is not None
        found = float(metric.distances(copy.descriptor, originals[copy.original].descriptor[None])[0])
        if not np.isclose(found, copy.distance or 0.0, rtol=_TOLERANCE, atol=0.0):
            raise StoreError(
                f"{name}: {copy.uri[:200]} is {found!r} from its original, its row says {copy.distance!r}:"
                " its row or its original's is damaged; ingest that image again"
            )
    return len(checked)


class _Sample:
    """SAMPLE of all entries that are seen, each as likely as any other."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._seen = 0
        self._dice = random.Random(0)  # noqa: S311 - no secret

    def see(self, entry: Entry) -> None:
        self._seen += 1
        if len(self.entries) < SAMPLE:
            self.entries.append(entry)
        elif (place := self._dice.randrange(self._seen)) < SAMPLE:
            self.entries[place] = entry
