"""The same laws on real back ends: a few histories each, since each costs seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from flow import LOOKING, LOOKING_ONCE, SETTINGS, Disk, Edit, Image, Killed, Oracle, night, run, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.jobs.sweep import SweepPolicy
from indexer.records import Entry, Settings
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import Place, verdict_on

points = st.integers(0, 6)
faces = st.sampled_from([0, 0, 1, 2])
images = st.builds(Image, st.sampled_from("abcdefghij"), points, points, st.integers(0, 1), face=faces)
broken = st.builds(Image, st.sampled_from("abcdefghij"), points, points, broken=st.just(value=True))
streams = st.lists(st.one_of(images, images, images, broken), min_size=15, max_size=25)
crowded = st.builds(Image, st.sampled_from("abcdefgh"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 1))
folders = st.lists(crowded, min_size=5, max_size=8, unique_by=lambda image: image.name)
batches = st.integers(1, 9)
a_few = settings(max_examples=9, deadline=None, suppress_health_check=list(HealthCheck), database=None)


class Dying:
    """Any store that dies before its n-th write; of one put, each row is a write, the originals first."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store = store
        self._left = writes

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def _write(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1

    def put(self, entries: Sequence[Entry]) -> None:
        """See Store.put; the rows before the death are written together, since each write is dear."""
        ordered = sorted(entries, key=lambda entry: not entry.is_original)
        living = ordered[: self._left]
        self._left -= len(living)
        self._store.put(living)
        if len(living) < len(ordered):
            raise Killed

    def remove(self, uris: Sequence[str], *, originals: bool) -> None:
        """See Store.remove."""
        if uris:
            self._write()
            self._store.remove(uris, originals=originals)


def rows(store: Store) -> dict[str, tuple[Entry, bytes, bytes]]:
    """Return everything that *store* holds, comparable; a URI twice is an error."""
    entries = list(store.entries())
    assert len({entry.uri for entry in entries}) == len(entries)
    return {e.uri: (e, e.descriptor.tobytes(), e.thumbnail) for e in entries}


@pytest.mark.slow
@given(st.sampled_from([LOOKING, LOOKING_ONCE, SETTINGS]), streams, batches)
@a_few
def test_outcomes_and_rows_are_those_of_the_oracle(
    make_store: Callable[[Settings], Store], kept: Settings, stream: list[Image], batch: int
) -> None:
    """Laws 1, 2, 3 and 5 on each back end: verdicts and rows are the oracle's, also when files change or break."""
    oracle, store = Oracle(kept), make_store(kept)
    expected = [oracle.see(image) for image in stream]
    assert [told(verdict) for verdict in run(store, stream, Limits(batch=batch))] == expected
    rows = {e.uri: (Place(e.original, e.distance, e.look, e.lookalike), e.thumbnail) for e in store.entries()}
    faces = {name: b"%d" % image.face if kept.second_look else b"" for name, (image, _) in oracle.state.items()}
    assert rows == {name: (replace(place, cut=False), faces[name]) for name, (_, place) in oracle.state.items()}
    assert store.count().total == len(rows)


@pytest.mark.slow
@given(st.sampled_from([LOOKING, SETTINGS]), folders, folders, batches)
@a_few
def test_a_second_run_reads_and_changes_nothing(
    make_store: Callable[[Settings], Store], kept: Settings, first: list[Image], second: list[Image], batch: int
) -> None:
    """Law 4 on each back end: the same ingest again tells what the rows say, reads no file and writes nothing."""
    store = make_store(kept)
    for stream in (first, second):
        run(store, stream, Limits(batch=batch))
    before, reads = rows(store), []
    again = run(Dying(store, 0), second, Limits(batch=batch), reads)  # type: ignore[arg-type]
    assert again == [verdict_on(before[image.name][0], unchanged=True) for image in second]
    assert (rows(store), reads) == (before, [])


@pytest.mark.slow
@given(st.sampled_from([LOOKING, SETTINGS]), folders, folders, st.integers(0, 12), batches)
@a_few
def test_a_killed_run_heals(  # noqa: PLR0917 - one for each thing that is drawn
    make_store: Callable[[Settings], Store],
    kept: Settings,
    before: list[Image],
    stream: list[Image],
    writes: int,
    batch: int,
) -> None:
    """Law 4 on each back end: killed before any write and started again, an ingest ends as an unbroken one."""
    whole = MemoryStore(kept)
    for part in (before, stream):
        run(whole, part, Limits())
    store = make_store(kept)
    run(store, before, Limits(batch=batch))
    with suppress(Killed):
        run(Dying(store, writes), stream, Limits(batch=batch))  # type: ignore[arg-type]
    run(store, stream, Limits(batch=batch))
    assert rows(store) == rows(whole)


names = st.sampled_from([f"disk/{letter}" for letter in "abcdefgh"])
close = st.integers(0, 2)
crowds = st.lists(st.builds(Image, names, close, close, face=faces), min_size=6, max_size=12)
losses = st.lists(st.one_of(names, st.tuples(names, names)), min_size=2, max_size=5)


@pytest.mark.slow
@given(st.sampled_from([LOOKING, SETTINGS]), crowds, losses, losses)
@a_few
def test_sweeps_leave_what_the_reference_holds(
    make_store: Callable[[Settings], Store], kept: Settings, crowd: list[Edit], first: list[Edit], second: list[Edit]
) -> None:
    """Marks, removals, moves and new originals are the same on each back end, row for row."""
    disk, store, reference = Disk(), make_store(kept), MemoryStore(kept)
    for number, edits in enumerate([crowd, first, second, []], 1):
        disk.do(edits)
        told = [night(s, disk, Limits(), SweepPolicy(1.5, 1.0), number * 10**9) for s in (store, reference)]
        assert told[0] == told[1]
        assert rows(store) == rows(reference)
