"""The laws of the product, as properties of whole ingests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flow import LOOKING, LOOKING_ONCE, SETTINGS, DyingStore, Image, Killed, Oracle, check_groups, rows, run, told
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.records import Outcome, Settings
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import verdict_on

ONE_BY_ONE = Limits(workers=1, readers=1, batch=1)

points = st.integers(0, 6)
faces = st.sampled_from([0, 0, 1, 2])
readable = st.builds(Image, st.sampled_from("abcdefghij"), points, points, st.integers(0, 1), face=faces)
broken = st.builds(Image, st.sampled_from("abcdefghij"), points, points, broken=st.just(value=True))
streams = st.lists(st.one_of(readable, readable, readable, broken), max_size=25)
once_each = st.lists(readable, max_size=12, unique_by=lambda image: image.name)
rules = st.sampled_from([SETTINGS, LOOKING, LOOKING_ONCE])
all_limits = st.builds(Limits, workers=st.integers(1, 3), readers=st.integers(1, 3), batch=st.integers(1, 9))


@given(rules, streams, all_limits)
@settings(max_examples=600, deadline=None)
def test_outcomes_are_those_of_one_image_at_a_time(kept: Settings, stream: list[Image], limits: Limits) -> None:
    """Law 2: any batch size and thread count gives the oracle's verdicts, also when files change."""
    oracle = Oracle(kept)
    expected = [oracle.see(image) for image in stream]
    assert [told(v) for v in run(MemoryStore(kept), stream, limits)] == expected


@given(rules, streams, streams, all_limits)
@example(SETTINGS, [Image("a", 0, 0), Image("b", 1, 0)], [Image("a", 5, 5), Image("b", 1, 0)], Limits(batch=9))
@settings(max_examples=300, deadline=None)
def test_rows_do_not_depend_on_batches(kept: Settings, first: list[Image], second: list[Image], limits: Limits) -> None:
    """Law 2: the collection after two runs is the same, byte for byte, for any limits."""
    one, many = MemoryStore(kept), MemoryStore(kept)
    for stream in (first, second):
        assert run(one, stream, ONE_BY_ONE) == run(many, stream, limits)
    assert rows(one) == rows(many)


@given(rules, streams, all_limits)
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost(kept: Settings, stream: list[Image], limits: Limits) -> None:
    """Law 1: every image of the stream comes out once, in order, and a rejected one has its reason."""
    verdicts = run(MemoryStore(kept), stream, limits)
    assert [v.uri for v in verdicts] == [image.name for image in stream]
    assert all(v.reason and v.kind for v in verdicts if v.outcome is Outcome.REJECTED)


@given(rules, streams, streams, all_limits)
@settings(max_examples=300, deadline=None)
def test_copies_lie_within_the_radius_of_a_stored_original(
    kept: Settings, first: list[Image], second: list[Image], limits: Limits
) -> None:
    """Laws 3 and 5: a copy names a stored original, not itself, lies at the stated distance inside, is confirmed."""
    store = MemoryStore(kept)
    run(store, first, limits)
    run(store, second, limits)
    check_groups(store)


@given(rules, st.lists(once_each, min_size=1, max_size=2), all_limits)
@settings(max_examples=200, deadline=None)
def test_a_second_run_reads_and_changes_nothing(kept: Settings, streams: list[list[Image]], limits: Limits) -> None:
    """Law 4: the same ingest again calls everything unchanged, tells what its row says, and reads no file."""
    store = MemoryStore(kept)
    for stream in streams:
        run(store, stream, limits)
    before, reads = rows(store), []
    again = run(store, streams[-1], limits, reads)
    assert again == [verdict_on(before[image.name][0], unchanged=True) for image in streams[-1]]
    assert (rows(store), reads) == (before, [])


@given(rules, once_each, once_each, st.integers(0, 24), all_limits, all_limits)
@example(SETTINGS, [], [Image("a", 0, 0), Image("c", 2, 0), Image("b", 3, 0)], 1, Limits(batch=9), Limits())
@example(
    SETTINGS,
    [Image("j", 1, 2, 1), Image("d", 2, 2)],
    [Image("e", 0, 2), Image("h", 2, 2), Image("a", 3, 0), Image("j", 0, 0, 1)],
    3,
    Limits(batch=2),
    Limits(),
)
@example(
    SETTINGS,
    [Image("d", 0, 0), Image("a", 0, 0), Image("b", 0, 0)],
    [Image("d", 0, 1), Image("a", 0, 0, 1), Image("c", 0, 0)],
    6,
    ONE_BY_ONE,
    ONE_BY_ONE,
)
@example(
    SETTINGS,
    [Image("c", 0, 0), Image("e", 2, 2), Image("a", 0, 0), Image("b", 4, 3, 1), Image("d", 2, 2)],
    [Image("a", 4, 3, 1), Image("e", 0, 0)],
    3,
    ONE_BY_ONE,
    ONE_BY_ONE,
)
@settings(max_examples=1000, deadline=None)
def test_a_killed_run_heals(  # noqa: PLR0917 - one for each thing that is drawn
    kept: Settings, before: list[Image], stream: list[Image], writes: int, limits: Limits, later: Limits
) -> None:
    """Law 4: killed before any write and started again, an ingest ends as an unbroken one."""
    whole, dying = MemoryStore(kept), DyingStore(kept)
    run(whole, before, ONE_BY_ONE)
    run(dying, before, ONE_BY_ONE)
    dying.left = writes
    try:
        run(dying, stream, limits)
    except Killed:
        dying.left = -1
        run(dying, stream, later)
    run(whole, stream, ONE_BY_ONE)
    assert rows(dying) == rows(whole)


def test_a_bug_in_a_stage_is_not_swallowed() -> None:
    """Only ImageError becomes a rejected image; any other error ends the run."""
    store = MemoryStore(SETTINGS)
    broken = Image("a", 0, 0)
    object.__setattr__(broken, "x", "not a number")
    with pytest.raises(ValueError, match="invalid literal"):
        run(store, [broken], ONE_BY_ONE)


def test_a_chain_does_not_make_copies_of_copies() -> None:
    """Law 5: with A near B near C and A far from C, C is an original."""
    images = [Image("a", 0, 0), Image("b", 2, 0), Image("c", 4, 0)]
    verdicts = run(MemoryStore(SETTINGS), images, Limits())
    assert [v.original for v in verdicts] == [None, "a", None]
    assert np.isclose(verdicts[1].distance or 0, 0.008)


def test_the_first_that_is_confirmed_wins() -> None:
    """Of three originals within the radius, the nearest is refuted; the next one that agrees is it, not the best."""
    images = [
        Image("other", 1, 1, face=2),
        Image("near", 2, 0, face=1),
        Image("alike", 0, 2, face=0, version=1),
        Image("new", 0, 0, face=0),
    ]
    *_, verdict = run(MemoryStore(LOOKING), images, Limits())
    assert (verdict.original, verdict.score, verdict.lookalike) == ("alike", 1.0, None)


def test_an_image_that_is_refuted_names_the_nearest() -> None:
    """Refuted by all within the radius, an image is unique, and says which original it resembles most."""
    images = [Image("far", 2, 0, face=2), Image("near", 1, 1, face=4), Image("new", 0, 0)]
    *_, verdict = run(MemoryStore(LOOKING), images, Limits())
    assert (verdict.outcome, verdict.original, verdict.lookalike) == (Outcome.UNIQUE, None, "near")
    assert (verdict.lookalike_distance, verdict.lookalike_score) == (pytest.approx(0.004 * 2**0.5), 0.0)


def test_a_touched_file_keeps_its_thumbnail() -> None:
    """Only the time of a file changed: its row is written again, and whole."""
    store = MemoryStore(LOOKING)
    run(store, [Image("a", 0, 0, face=1)], Limits())
    store.put([replace(entry, mtime_ns=1) for entry in store.entries()])
    run(store, [Image("a", 0, 0, face=1)], Limits())
    (entry,) = store.entries()
    assert (entry.mtime_ns != 1, entry.thumbnail) == (True, b"1")


def test_an_image_within_the_inner_radius_needs_no_look() -> None:
    """A very near one is a copy whatever a look would say, and none is taken."""
    verdict = run(MemoryStore(LOOKING), [Image("a", 0, 0), Image("b", 1, 0, face=3)], Limits())[1]
    assert (verdict.original, verdict.score) == ("a", None)


def test_a_series_of_lookalikes_is_cut() -> None:
    """Of two refuted neighbours one is looked at, and the verdict says that there was another; of one, all are."""
    series = [Image("a", 0, 0, face=0), Image("b", 0, 2, face=2), Image("c", 0, 4, face=4), Image("d", 2, 3, face=8)]
    found = run(MemoryStore(LOOKING_ONCE), series, Limits())
    assert [(v.outcome, v.lookalike, v.truncated) for v in found[1:]] == [
        (Outcome.UNIQUE, "a", False),
        (Outcome.UNIQUE, "b", False),
        (Outcome.UNIQUE, "b", True),
    ]
