"""Any history of writes, removals, flushes and reopenings leaves what the reference holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.records import Entry, Look, Lookalike, Settings
from indexer.store import engine, lite
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.store.milvus import open_existing, open_store

SETTINGS = Settings("network@1", dim=2, radius=0.01)
NAMES = "abcdefgh"
DIGESTS = [digit * 64 for digit in "0123"]
COUNTER = itertools.count()


def entry(name: str, place: int, digest: str, original: str | None) -> Entry:
    """Return an entry on a line of points, neighbours of which are within the radius, as a second look left it."""
    vector = np.array([place * 0.006, 0], dtype=np.float32)
    distance = None if original is None else 0.005
    look = Look(0.75, 1 + place / 8, (place / 8, 0.0), mirrored=place > 2) if original and place else None
    lookalike = Lookalike("x", 0.005, place / 8) if place and not original else None
    thumbnail = digest.encode() * (1 + place)
    told = (look, lookalike, place or None)
    return Entry(name, digest, 1, 1, 1, 1, "JPEG", original, distance, False, vector, thumbnail, *told)


entries = st.builds(
    entry, st.sampled_from(NAMES), st.integers(0, 4), st.sampled_from(DIGESTS), st.sampled_from([None, None, *NAMES])
)
puts = st.tuples(st.just("put"), st.lists(entries, max_size=5))
removals = st.tuples(st.sampled_from(["originals", "copies"]), st.lists(st.sampled_from(NAMES), max_size=3))
marks = st.tuples(st.sampled_from(["mark", "unmark"]), st.lists(st.sampled_from(NAMES), max_size=3))
histories = st.lists(st.one_of(puts, removals, marks), max_size=12)
kept = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def write(store: Store, history: Sequence[tuple[str, list[object]]]) -> None:
    """Do to *store* what *history* says."""
    for what, those in history:
        if what == "put":
            store.put(those)  # type: ignore[arg-type]
        elif what in ("mark", "unmark"):
            store.mark(those, 5 if what == "mark" else None)  # type: ignore[arg-type]
        else:
            store.remove(those, originals=what == "originals")  # type: ignore[arg-type]


def answers(store: Store) -> object:
    """Return what *store* answers to every question that does not leave it a choice."""
    line = np.stack([entry("", place, "", None).descriptor for place in range(5)])
    copies = store.copies_of(NAMES)
    return (
        store.count(),
        store.get(NAMES),
        store.near(line),
        sorted(store.with_bytes(DIGESTS)),
        {uri: sorted(copies[uri], key=lambda e: e.uri) for uri in sorted(copies)},
        sorted(store.entries(), key=lambda e: (e.uri, e.is_original)),
        sorted((e.uri, e.is_original, e.thumbnail) for e in store.entries()),
        sorted(store.heads(), key=repr),
    )


def expected(*histories: Sequence[tuple[str, list[object]]]) -> object:
    """Return what the reference answers after *histories*."""
    reference = MemoryStore(SETTINGS)
    for history in histories:
        write(reference, history)
    return answers(reference)


@kept
@given(history=histories)
def test_any_history(make_store: Callable[[Settings], Store], history: list[tuple[str, list[object]]]) -> None:
    """Whatever was written and removed, all questions have the reference's answers."""
    store = make_store(SETTINGS)
    write(store, history)
    assert answers(store) == expected(history)


@pytest.fixture(scope="module")
def lite_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a Milvus Lite file that all examples share."""
    return str(tmp_path_factory.mktemp("lite") / "archive.db")


@pytest.mark.parametrize("flush_rows", [1, 3])
@kept
@given(first=histories, second=histories)
def test_any_history_with_flushes_and_reopening(
    lite_folder: str,
    flush_rows: int,
    monkeypatch: pytest.MonkeyPatch,
    first: list[tuple[str, list[object]]],
    second: list[tuple[str, list[object]]],
) -> None:
    """On Lite it does not matter what was flushed, compacted and reopened in between."""
    monkeypatch.setattr(lite, "FLUSH_ROWS", flush_rows)
    monkeypatch.setattr(lite, "SCANS_FIRST", flush_rows)
    monkeypatch.setattr(engine, "SEGMENT_ROWS", flush_rows)
    monkeypatch.setattr(engine, "UNCOUNTED", 1)
    name = f"history_{next(COUNTER)}"
    store = open_store(lite_folder, name, SETTINGS)
    write(store, first)
    before = answers(store)
    store.close()
    store = open_existing(lite_folder, name)
    write(store, second)
    after = answers(store)
    store.close()
    assert (before, after) == (expected(first), expected(first, second))
