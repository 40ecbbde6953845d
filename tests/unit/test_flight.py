"""Originals in flight: what is found among them is what measuring each distance finds."""

from __future__ import annotations

import numpy as np
import pytest

from indexer import metric
from indexer.flight import InFlight

RADIUS = 0.01


@pytest.mark.parametrize("length", [0.011, 1.0, 1e4, 1e18])
def test_what_is_in_flight_is_found_if_it_lies_within(length: float) -> None:
    """Of descriptors of any length, some just inside and some just outside the radius, those inside are found."""
    rng = np.random.default_rng(0)
    query = rng.standard_normal(128)
    query = (length * query / np.linalg.norm(query)).astype(np.float32)
    ways = rng.standard_normal((400, 128))
    ways *= (RADIUS * rng.uniform(0.999, 1.001, 400) / np.linalg.norm(ways, axis=1))[:, None]
    rows = (query + ways).astype(np.float32)
    flying = InFlight(RADIUS)
    for number, row in enumerate(rows):
        flying.add(f"{number}", row, bytes([number % 256]))
    apart = metric.distances(query, rows)
    inside = np.flatnonzero(apart < RADIUS)
    assert length > 1 or 100 < len(inside) < 300
    found = flying.near(query)
    assert [(match.uri, match.distance, match.thumbnail) for match in found] == [
        (f"{at}", apart[at], bytes([at % 256])) for at in inside
    ]


def test_of_each_name_the_last_is_in_flight() -> None:
    """What was put there again lies where it lies now, what was taken away is found no more, at no distance."""
    here, there = np.zeros(3, np.float32), np.full(3, 0.5, np.float32)
    flying = InFlight(RADIUS)
    for uri in ("a", "b"):
        flying.add(uri, here)
    flying.add("a", there)
    flying.drop("b")
    flying.drop("never")
    assert [match.uri for match in flying.near(there)] == ["a"]
    assert flying.near(here) == []
