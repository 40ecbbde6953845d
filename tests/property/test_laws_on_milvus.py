"""The same laws on real back ends: a few histories each, since each costs seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flow import SETTINGS, Image, Oracle, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.records import Settings
from indexer.store.base import Store
from indexer.stream import Limits

points = st.integers(0, 6)
images = st.builds(Image, st.sampled_from("abcdefghij"), points, points, st.integers(0, 1))


@pytest.mark.slow
@given(st.lists(images, min_size=15, max_size=25), st.integers(1, 9))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_outcomes_and_rows_are_those_of_the_oracle(
    make_store: Callable[[Settings], Store], stream: list[Image], batch: int
) -> None:
    """Laws 2 and 5 on each back end: verdicts and rows are the oracle's, also when files change."""
    oracle, store = Oracle(), make_store(SETTINGS)
    expected = [oracle.see(image) for image in stream]
    verdicts = run(store, stream, Limits(batch=batch))
    assert [(v.outcome.value, v.original, v.distance) for v in verdicts] == expected
    rows = {entry.uri: (entry.original, entry.distance) for entry in store.entries()}
    assert rows == {name: row[1:] for name, row in oracle.state.items()}
    assert store.count().total == len(rows)
