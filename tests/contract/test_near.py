"""What Store promises, on every back end: the originals within the radius, all of them, judged in float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import metric
from indexer.records import THUMBNAIL_MAX_BYTES, Entry, Hits, Matrix, Settings, Vector
from indexer.store.base import Store
from indexer.store.memory import MemoryStore

RADIUS = 0.01
SETTINGS = Settings("network@1", dim=8, radius=RADIUS)
WIDE = Settings("network@1", dim=128, radius=RADIUS)


def entry(uri: str, descriptor: Vector, original: str | None = None) -> Entry:
    """Return an entry where *descriptor* points, with a thumbnail of its own."""
    distance = None if original is None else 0.001
    return Entry(uri, "a" * 64, 1, 1, 1, 1, "JPEG", original, distance, False, descriptor, b"\0\xff" + uri.encode())


def along(*values: float, dim: int = 8) -> Vector:
    """Return a vector that begins with *values*."""
    return np.pad(np.asarray(values, dtype=np.float32), (0, dim - len(values)))


def photographs(count: int, seed: int = 0) -> Matrix:
    """Return descriptors like those of unrelated photographs: of norm 0.03, far from each other."""
    drawn = np.random.default_rng(seed).normal(size=(count, 128))
    return (0.03 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def by_force(store: Store, others: list[Entry], queries: Matrix) -> list[Hits]:
    """Return what the reference answers to *queries* with *others* in it."""
    reference = MemoryStore(store.settings)
    reference.put(others)
    return reference.near(queries)


@pytest.fixture
def store(make_store: Callable[[Settings], Store]) -> Store:
    """Return an empty store of each kind, for eight dimensions."""
    return make_store(SETTINGS)


@pytest.fixture
def wide(make_store: Callable[[Settings], Store]) -> Store:
    """Return an empty store of each kind, for 128 dimensions."""
    return make_store(WIDE)


def test_the_radius_itself_is_outside(store: Store) -> None:
    """Of the two neighbouring float32 vectors on either side of the radius, only the inner is within."""
    outer = np.float32(RADIUS)
    outer = outer if float(outer) >= RADIUS else np.nextafter(outer, np.float32(1))
    inner = np.nextafter(outer, np.float32(0))
    store.put([entry("inner", along(inner)), entry("outer", along(outer))])
    (hits,) = store.near(along(0.0)[None])
    assert [(m.uri, m.distance) for m in hits.matches] == [("inner", float(inner))]
    assert float(inner) < RADIUS <= float(outer)


def test_the_radius_is_strict_where_it_is_exact(make_store: Callable[[Settings], Store]) -> None:
    """With a radius that binary numbers hold exactly, an original at exactly that distance is outside."""
    store = make_store(Settings("network@1", dim=8, radius=2.0**-7))
    store.put([entry("at", along(2.0**-7)), entry("below", along(0.0, np.nextafter(np.float32(2.0**-7), 0)))])
    assert [m.uri for m in store.near(along(0.0)[None])[0].matches] == ["below"]


def test_distances_are_the_same_bits_everywhere(wide: Store) -> None:
    """Distances equal the reference's to the last bit, whatever the batch."""
    descriptors = photographs(300)
    others = [entry(f"{n}", descriptor) for n, descriptor in enumerate(descriptors)]
    wide.put(others)
    queries = (descriptors + photographs(300, seed=1) * 0.33).astype(np.float32)
    expected = by_force(wide, others, queries)
    assert wide.near(queries) == expected
    assert [wide.near(query[None])[0] for query in queries[:10]] == expected[:10]
    assert sum(len(hits.matches) for hits in expected) >= 300


def test_nearest_first_and_ties_by_uri(store: Store) -> None:
    """Matches are ordered by distance, those at one distance by URI."""
    store.put([entry(uri, along(x)) for uri, x in [("c", 0.002), ("b", -0.002), ("d", 0.001), ("a", 0.002)]])
    assert [m.uri for m in store.near(along(0.0)[None])[0].matches] == ["d", "a", "b", "c"]


def test_matches_carry_their_thumbnails(make_store: Callable[[Settings], Store]) -> None:
    """What a second look needs of an original comes with the match, every byte of the longest, and the newest."""
    store = make_store(dataclasses.replace(SETTINGS, second_look=True))
    longest = np.random.default_rng(0).bytes(THUMBNAIL_MAX_BYTES)
    for thumbnail in (b"old", longest):
        store.put([dataclasses.replace(entry("a", along(0.001)), thumbnail=thumbnail), entry("b", along(0.5))])
        assert [m.thumbnail for m in store.near(along(0.0)[None])[0].matches] == [thumbnail]


def test_identical_vectors_by_the_hundred(store: Store) -> None:
    """All of 700 originals at one point are found, though a search asks for a few at first."""
    store.put([entry(f"{n:03}", along(0.5)) for n in range(700)] + [entry("far", along(0.6))])
    hits = store.near(np.stack([along(0.5), along(0.6), along(0.7)]))
    assert [len(h.matches) for h in hits] == [700, 1, 0]
    assert [m.uri for m in hits[0].matches] == [f"{n:03}" for n in range(700)]
    assert not any(h.truncated for h in hits)


@pytest.mark.parametrize("most", [1, 2, 5, 40, 41])
def test_only_the_nearest_are_told(store: Store, most: int) -> None:
    """Asked for *most*, the store tells just these of forty, ties by URI, and whether there are more."""
    originals = [entry(f"{n:02}", along((1 + n // 20) * 1e-4)) for n in range(40)]
    store.put([entry("far", along(0.5)), *reversed(originals)])  # a search may tell any of the ties that it cuts
    (hits,) = store.near(along(0.0)[None], most)
    assert [match.uri for match in hits.matches] == [each.uri for each in originals[:most]]
    assert hits.truncated == (most < 40)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 32, 33])
def test_asking_for_more_stops_where_it_is_complete(store: Store, count: int) -> None:
    """Whatever the number of originals inside is to the sizes of the searches, all are found."""
    store.put([entry(f"{n}", along(n * 1e-4)) for n in range(count)])
    assert len(store.near(along(0.0)[None])[0].matches) == count


def test_copies_are_not_searched(store: Store) -> None:
    """A copy at the very point is no match."""
    store.put([entry("a", along(0.005)), entry("b", along(0.0), "a")])
    assert [m.uri for m in store.near(along(0.0)[None])[0].matches] == ["a"]


def test_a_rewritten_original_is_found_where_it_is(store: Store) -> None:
    """After each rewriting, an original is found at its new place only."""
    for n in range(10):
        store.put([entry("a", along(float(n)))])
        hits = store.near(np.stack([along(float(m)) for m in range(10)]))
        assert [len(h.matches) for h in hits] == [int(m == n) for m in range(10)]


def test_a_thousand_photographs_and_their_copies(wide: Store) -> None:
    """Of 3,000 written in batches, with searches between, each edit just inside the radius finds its own."""
    descriptors = photographs(3000)
    for start in range(0, 3000, 600):
        wide.put([entry(f"{n}", descriptors[n]) for n in range(start, start + 600)])
        assert len(wide.near(descriptors[start : start + 2])) == 2
    edits = (descriptors[:500] + photographs(500, seed=2) * (0.0099 / 0.03)).astype(np.float32)
    assert [[m.uri for m in hits.matches] for hits in wide.near(edits)] == [[f"{n}"] for n in range(500)]


coordinates = st.integers(-4, 4).map(lambda n: n * 0.0025)
vectors = st.tuples(coordinates, coordinates).map(lambda xy: along(*xy))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(originals=st.lists(vectors, max_size=30), queries=st.lists(vectors, min_size=1, max_size=5))
def test_near_equals_brute_force(
    make_store: Callable[[Settings], Store], originals: list[Vector], queries: list[Vector]
) -> None:
    """For any points on a grid, with many ties and many at the radius, the answer is the reference's."""
    store = make_store(SETTINGS)
    others = [entry(f"{n}", vector) for n, vector in enumerate(originals)]
    store.put(others)
    found = store.near(np.stack(queries))
    assert found == by_force(store, others, np.stack(queries))
    assert all(metric.inside(m.distance, RADIUS) for hits in found for m in hits.matches)
