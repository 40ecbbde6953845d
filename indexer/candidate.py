"""One image on its way to a verdict: what each stage found out about it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.records import Entry, ImageRecord, Picture


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    An image that is not judged yet.

    Attributes:
        record: where it comes from.
        as_of: how many batches had been written when `known` was looked up; see Judge.
        known: its own earlier entry.
        settled: whether the file is untouched since then, so that nothing but its judgement is missing.
        data: the file's bytes, dropped once they are decoded.
        size: number of bytes that were read.
        sha256: of these bytes.
        twin: an entry with the same bytes.
        picture: what its pixels say; the twin's, when there is one.

    """

    record: ImageRecord
    as_of: int = 0
    known: Entry | None = None
    settled: bool = False
    data: bytes | None = field(default=None, repr=False)
    size: int = 0
    sha256: str = ""
    twin: Entry | None = None
    picture: Picture | None = None

    @property
    def uri(self) -> str:
        """The image."""
        return self.record.uri

    @property
    def far(self) -> bool:
        """Whether to read it is to wait for another machine."""
        return self.record.far

    @property
    def held(self) -> int:
        """Bytes kept in memory, or about to be read into it."""
        if self.data is not None:
            return len(self.data)
        if self.record.described is not None:
            return self.record.held
        return 0 if self.sha256 or self.settled else max(self.record.held, self.record.size)
