"""How rates are read off few pairs: counted where there are enough, else by a line through the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from model.tail import Tail, TooFewPairsError


def _power_law(pairs: int, dimension: float, listed: int) -> Tail:
    """Return the tail of distances of which exactly the share d ** *dimension* lies below d."""
    return Tail.of([float((rank / pairs) ** (1 / dimension)) for rank in range(1, listed + 1)], pairs)


def test_enough_pairs_are_counted() -> None:
    """The distance at a rate is that of the first pair which the rate refuses."""
    reach = Tail.of([float(d) for d in range(1, 201)], 10**6).at(20e-6)
    assert (reach.distance, reach.counted) == (21.0, True)


def test_too_few_pairs_are_extrapolated() -> None:
    """Of a power law of dimension 8, known for a million pairs, the billionth is found nearly."""
    reach = _power_law(10**6, 8.0, 200).at(1e-9)
    assert not reach.counted
    assert reach.distance == pytest.approx(1e-9 ** (1 / 8), rel=0.1)
    assert reach.distance * (1 - 3 * reach.error) < 1e-9 ** (1 / 8) < reach.distance * (1 + 3 * reach.error)


def test_the_slope_is_the_dimension() -> None:
    """Hill's estimate over the nearest pairs finds the power, which points in a box of three dimensions have."""
    points = np.random.default_rng(0).random((700, 3))
    distances = np.linalg.norm(points[:, None] - points, axis=2)[np.triu_indices(700, 1)]
    assert Tail.of(np.sort(distances)[:400].tolist(), len(distances)).dimension == pytest.approx(3, abs=0.7)


def test_rate_and_distance_are_each_others_inverse() -> None:
    """Below the counted part, the rate at the distance of a rate is this rate."""
    tail = _power_law(10**5, 5.0, 100)
    rate, counted = tail.rate(tail.at(1e-7).distance)
    assert (rate, counted) == (pytest.approx(1e-7), False)


def test_rates_are_counted_where_pairs_lie_below() -> None:
    """Twelve of a thousand pairs below a distance are 0.012."""
    assert Tail.of([float(d) for d in range(1, 51)], 1000).rate(12.5) == (0.012, True)


@pytest.mark.parametrize("distances", [[], [0.1, 0.2], [0.3] * 50])
def test_nothing_is_made_up(distances: list[float]) -> None:
    """Too few or equal distances give an error that says what to do."""
    with pytest.raises(TooFewPairsError, match="bring more different pictures"):
        Tail.of(distances, 45)
