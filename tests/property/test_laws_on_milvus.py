"""The same laws on real back ends: a few histories each, since each costs seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flow import LOOKING, SETTINGS, Image, Oracle, run, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.records import Settings
from indexer.store.base import Store
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
