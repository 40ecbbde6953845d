"""What a candidate counts against the memory that a run may take."""

from __future__ import annotations

from indexer.candidate import Candidate
from indexer.records import UNKNOWN, ImageRecord


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
