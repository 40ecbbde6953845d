"""What a candidate counts against the memory that a run may take."""

from __future__ import annotations

import gc
import io
import weakref
from dataclasses import replace

import pytest
from flow import SETTINGS, Image, run
from PIL import Image as Pillow

from indexer import stages
from indexer.candidate import Candidate
from indexer.records import UNKNOWN, ImageRecord
from indexer.stages import Stages, Stopwatch
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from model import load_encoder


def test_a_file_counts_before_it_is_read() -> None:
    """A large file takes its place in memory when its reading is ordered, not when it is there."""
    assert Candidate(ImageRecord("a", 5_000_000, 1, bytes)).held == 5_000_000


def test_bytes_that_a_stream_keeps_count() -> None:
    """A member of a stream counts with what it keeps, also where its size is not known."""
    assert Candidate(ImageRecord("a", UNKNOWN, 1, bytes, held=7)).held == 7


def test_bytes_count_until_they_are_dropped() -> None:
    """After reading, the bytes count; after decoding, nothing does."""
    record = ImageRecord("a", 3, 1, bytes)
    assert Candidate(record, data=b"abcd", sha256="00").held == 4
    assert Candidate(record, sha256="00").held == 0


class _Room:
    """Counts how often it is entered, and is left as often."""

    entered = left = 0

    def __enter__(self) -> None:
        self.entered += 1

    def __exit__(self, *error: object) -> None:
        self.left += 1


@pytest.mark.parametrize(("side", "times"), [(20, 0), (30, 1)])
def test_large_images_take_turns(side: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is larger than may be decoded beside others waits for its turn, and leaves it once it is described."""
    monkeypatch.setattr(stages, "LARGE", 500)
    file, room = io.BytesIO(), _Room()
    Pillow.new("RGB", (side, side), "red").save(file, "PNG")
    record = ImageRecord("a", len(file.getvalue()), 1, file.getvalue)
    made = Stages(MemoryStore(SETTINGS), load_encoder(device="cpu"), Stopwatch(), max_pixels=1000, large=room)
    assert made.describe(made.read(Candidate(record))).picture is not None
    assert (room.entered, room.left) == (times, times)


class _Kept:
    """Bytes of a stream's member, as a record keeps them."""

    def __call__(self) -> bytes:
        raise AssertionError("what has not changed is not read")


def test_what_has_not_changed_keeps_nothing() -> None:
    """The bytes of a stream's member go, once its file proves to be the one that was indexed."""
    store, image = MemoryStore(SETTINGS), Image("a", 1, 1)
    run(store, [image], Limits())
    kept = _Kept()
    gone = weakref.ref(kept)
    record = replace(image.record(None, timed=True), read=kept, held=1_000_000)
    stages = Stages(store, encoder=None, clock=Stopwatch(), max_pixels=1)  # type: ignore[arg-type]
    (candidate,) = stages.look_up([record])
    del kept, record
    gc.collect()
    assert candidate.settled
    assert candidate.record.held == 0
    assert gone() is None
