"""The same laws on real back ends: a few histories each, since each costs seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flow import LOOKING, SETTINGS, Disk, Edit, Image, Oracle, night, rows, run, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.jobs.sweep import SweepPolicy
from indexer.records import Settings
from indexer.store.base import Store
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import Place

points = st.integers(0, 6)
images = st.builds(
    Image, st.sampled_from("abcdefghij"), points, points, st.integers(0, 1), face=st.sampled_from([0, 0, 1, 2])
)


@pytest.mark.slow
@given(st.sampled_from([LOOKING, LOOKING, SETTINGS]), st.lists(images, min_size=15, max_size=25), st.integers(1, 9))
@settings(max_examples=9, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_outcomes_and_rows_are_those_of_the_oracle(
    make_store: Callable[[Settings], Store], kept: Settings, stream: list[Image], batch: int
) -> None:
    """Laws 2 and 5 on each back end: verdicts and rows are the oracle's, also when files change."""
    oracle, store = Oracle(kept), make_store(kept)
    expected = [oracle.see(image) for image in stream]
    assert [told(verdict) for verdict in run(store, stream, Limits(batch=batch))] == expected
    rows = {e.uri: (Place(e.original, e.distance, e.look, e.lookalike), e.thumbnail) for e in store.entries()}
    faces = {name: b"%d" % image.face if kept.second_look else b"" for name, (image, _) in oracle.state.items()}
    assert rows == {name: (place, faces[name]) for name, (_, place) in oracle.state.items()}
    assert store.count().total == len(rows)


names = st.sampled_from([f"disk/{letter}" for letter in "abcdefgh"])
close = st.integers(0, 2)
crowds = st.lists(st.builds(Image, names, close, close, face=st.sampled_from([0, 0, 1, 2])), min_size=6, max_size=12)
losses = st.lists(st.one_of(names, st.tuples(names, names)), min_size=2, max_size=5)


@pytest.mark.slow
@given(st.sampled_from([LOOKING, SETTINGS]), crowds, losses, losses)
@settings(max_examples=9, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_sweeps_leave_what_the_reference_holds(
    make_store: Callable[[Settings], Store], kept: Settings, crowd: list[Edit], first: list[Edit], second: list[Edit]
) -> None:
    """Marks, removals, moves and new originals are the same on each back end, row for row."""
    disk, store, reference = Disk(), make_store(kept), MemoryStore(kept)
    for number, edits in enumerate([crowd, first, second, []], 1):
        disk.do(edits)
        told = [night(s, disk, Limits(), SweepPolicy(1.5, 1.0), number * 10**9) for s in (store, reference)]
        assert told[0] == told[1]
        assert {e.uri: (e, e.descriptor.tobytes(), e.thumbnail) for e in store.entries()} == rows(reference)
