"""The stream keeps order, bounds what is in flight, and turns only ImageError into a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Barrier

import pytest
from flow import SETTINGS, Image, PointStages
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import pipeline
from indexer.candidate import Candidate
from indexer.errors import ImageError
from indexer.records import Outcome, Verdict
from indexer.stages import Stopwatch
from indexer.store.memory import MemoryStore
from indexer.stream import Limits, each, in_batches


@dataclass(frozen=True)
class Thing:
    """An item of *held* bytes."""

    uri: str
    held: int = 0
    settled: bool = False
    far: bool = False


def number(thing: Thing) -> Thing:
    """Fail on names that end in x."""
    if thing.uri.endswith("x"):
        raise ImageError("odd", "it ends in x; rename it")
    return thing


names = st.lists(st.one_of(st.integers().map(str), st.integers().map(lambda n: f"{n}x")))


@given(names, st.integers(1, 4), st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_each_keeps_the_order_and_names_failures(uris: list[str], workers: int, batch: int) -> None:
    """Every item comes out once, in order, on any number of threads."""
    results = list(each(number, map(Thing, uris), Limits(batch=batch), workers=workers))
    assert [item.uri for item in results] == uris
    assert [isinstance(item, Verdict) for item in results] == [uri.endswith("x") for uri in uris]


@given(names, st.integers(1, 9))
def test_batches_skip_decided_items_and_keep_their_places(uris: list[str], batch: int) -> None:
    """A batch stage sees only open items, at most the limit, and all come out in order."""
    decided = (Verdict(uri, Outcome.REJECTED) if uri.endswith("x") else Thing(uri) for uri in uris)
    sizes = []

    def stage(things: list[Thing]) -> list[Thing]:
        sizes.append(len(things))
        return things

    assert [item.uri for item in in_batches(stage, decided, Limits(batch=batch))] == uris
    assert all(0 < size <= batch for size in sizes)


def pulled(log: list[int], held: int = 0) -> Iterator[Thing]:
    """Yield things without end, noting each."""
    while True:
        log.append(len(log))
        yield Thing(str(len(log)), held)


def test_each_reads_only_so_far_ahead() -> None:
    """One result costs at most `batch + 1` items of the source."""
    log: list[int] = []
    next(each(number, pulled(log), Limits(batch=5), workers=2))
    assert len(log) == 6


def test_each_holds_only_so_many_bytes() -> None:
    """Large items shorten the look-ahead."""
    log: list[int] = []
    next(each(number, pulled(log, held=40), Limits(batch=50, held_bytes=100), workers=2))
    assert len(log) == 3


def test_batches_hold_only_so_many_bytes() -> None:
    """Large items cut a batch short."""
    log: list[int] = []
    next(in_batches(lambda things: things, pulled(log, held=40), Limits(batch=50, held_bytes=100)))
    assert len(log) == 3


def test_a_bug_ends_the_run() -> None:
    """A TypeError in a stage is raised, not counted as a rejected image."""

    def stage(thing: Thing) -> Thing:
        raise TypeError(thing.uri)

    with pytest.raises(TypeError, match="1"):
        list(each(stage, [Thing("1")], Limits(), workers=2))


def test_settled_items_skip_the_threads() -> None:
    """What is settled keeps its place and is not handed to the stage."""
    things = [Thing("1"), Thing("2x", settled=True), Thing("3")]
    assert list(each(number, things, Limits(), workers=2)) == things


def test_closing_the_stream_stops_its_threads() -> None:
    """A reader that stops early leaves no work behind."""
    done: list[str] = []

    def stage(thing: Thing) -> Thing:
        done.append(thing.uri)
        return thing

    stream = each(stage, pulled([]), Limits(batch=3), workers=1)
    next(stream)
    stream.close()
    assert len(done) <= 4


def test_what_is_far_is_waited_for_together() -> None:
    """Three far items that wait for each other pass, though one thread would do for what is near; all in order."""
    together = Barrier(3)

    def stage(thing: Thing) -> Thing:
        if thing.far:
            together.wait(timeout=20)
        return thing

    things = [Thing(f"{n}", far=n % 2 == 1) for n in range(6)]
    assert list(each(stage, things, Limits(), workers=1, far_workers=3)) == things


def test_images_named_by_urls_are_read_together() -> None:
    """Six images of an object store, whose reads wait for each other, pass beside one reader of files."""
    together = Barrier(6)
    near = Image("/b/0", 0, 0).record(None, timed=False)

    def read() -> bytes:
        together.wait(timeout=20)
        return near.read()

    stages = PointStages(MemoryStore(SETTINGS), encoder=None, clock=Stopwatch(), max_pixels=1)  # type: ignore[arg-type]
    records = [replace(near, uri=f"s3://b/{n}", read=read) for n in range(6)]
    offers = pipeline.encode(records, stages, Limits(readers=1, far_readers=6))
    assert [offer.uri for offer in offers if isinstance(offer, Candidate)] == [record.uri for record in records]
    assert [near.far, replace(records[0], held=9).far] == [False, False]
