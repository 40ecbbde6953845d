"""Images are decoded and encoded without a database, into shards that are judged later, elsewhere, in one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from indexer import pipeline
from indexer.candidate import Candidate
from indexer.confirm import look_again
from indexer.encode import Encoder
from indexer.errors import ConfigError
from indexer.exchange.parquet import ParquetFile
from indexer.exchange.shards import Encoded, is_same, left_over, open_shard, path_of, rows_of, write_shard
from indexer.jobs.index import Tuning
from indexer.records import Failure, ImageRecord, Settings, Verdict
from indexer.stages import Stages, Stopwatch
from indexer.store.memory import MemoryStore
from indexer.stream import Limits
from indexer.verdict import Rule

Offer = ImageRecord | Failure

Encode = Callable[[Iterable[Offer]], Iterator[Encoded]]
"""Yields each of what it is offered as it is, in order; where and on how many machines is its own matter."""


@dataclass(slots=True)
class Sums:
    """
    What became of all images so far.

    Attributes:
        shards: files that are whole.
        images: rows in them.
        encoded: of these, how many this run encoded; the others were there, or were rejected.
        rejected: of these, how many could not be encoded.

    """

    shards: int = 0
    images: int = 0
    encoded: int = 0
    rejected: int = 0


def prepare(folder: Path) -> None:
    """
    Make the folder of shards.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror}; name another --out") from error


def here(settings: Settings, encoder: Encoder, tuning: Tuning) -> Encode:
    """Return what encodes in this process, on threads; with thumbnails if *settings* take a second look."""
    rule = Rule.of(settings, look_again)
    stages = Stages(MemoryStore(settings), encoder, Stopwatch(), tuning.max_pixels, rule)
    return partial(_encoded, stages, tuning.limits)


def _encoded(stages: Stages, limits: Limits, offers: Iterable[Offer]) -> Iterator[Encoded]:
    flying: deque[Offer] = deque()

    def noted() -> Iterator[Offer]:
        for offer in offers:
            flying.append(offer)
            yield offer

    for found in pipeline.encode(noted(), stages, limits):
        yield _row(found, flying.popleft())


class Shards:
    """
    Encodes into a folder, shard by shard; `sums` tells what was done.

    Attributes:
        folder: where the shards are.
        settings: the encoder's, with its thumbnails.
        encode: what encodes.
        size: images of a shard, rejected ones included.
        sums: so far.

    """

    def __init__(self, folder: Path, settings: Settings, encode: Encode, size: int) -> None:
        self.folder = folder
        self.settings = settings
        self.encode = encode
        self.size = size
        self.sums = Sums()

    def fill(self, offers: Iterable[Offer]) -> Iterator[Encoded]:
        """
        Encode *offers*, and yield each as it is, in order; what a finished shard holds of them is not read again.

        Raises:
            ConfigError: the folder cannot be written, holds shards of another encoder, or more than *offers* fill.
            SourceError: a shard that was there is damaged, or cannot be written to its end.
        """
        source = iter(offers)
        while (first := next(source, None)) is not None:
            path = path_of(self.folder, self.sums.shards)
            yield from self._shard(path, chain([first], islice(source, self.size - 1)))
            self.sums.shards += 1
        more = left_over(self.folder, self.sums.shards)
        if more:
            raise ConfigError(
                f"{self.folder} holds {len(more)} shards of images that the sources offer no more ({more[0]} …);"
                " delete them, or name another --out"
            )

    def _shard(self, path: Path, offers: Iterator[Offer]) -> Iterator[Encoded]:
        old = open_shard(path, self.settings)
        kept, changed = self._unchanged(old, offers) if old else (0, next(offers))
        if changed is None and old and kept == old.rows:
            yield from self._counted(rows_of(old, pictures=False), encoded=False)
            return
        before = islice(rows_of(old), kept) if old else iter(())
        seen: list[Encoded] = []
        after = self.encode(chain([changed] if changed else [], offers))
        rows = chain(self._counted(before, encoded=False), self._counted(after, encoded=True))
        write_shard(path, self.settings, _noted(rows, seen))
        yield from seen

    def _unchanged(self, old: ParquetFile, offers: Iterator[Offer]) -> tuple[int, Offer | None]:
        """Return how many *offers* are as in the *old* shard, and the first that is not."""
        kept = 0
        rows = rows_of(old, pictures=False)
        for offer in offers:
            row = next(rows, None)
            if row is None or not is_same(row, offer):
                return kept, offer
            kept += 1
        return kept, None

    def _counted(self, rows: Iterator[Encoded], *, encoded: bool) -> Iterator[Encoded]:
        for row in rows:
            self.sums.images += 1
            self.sums.encoded += encoded and row.kind is None
            self.sums.rejected += row.kind is not None
            yield row


def _noted(rows: Iterator[Encoded], seen: list[Encoded]) -> Iterator[Encoded]:
    for row in rows:
        seen.append(Encoded(row.uri, row.size, row.mtime_ns, kind=row.kind, reason=row.reason))
        yield row


def _row(found: Candidate | Verdict, offer: Offer) -> Encoded:
    if isinstance(found, Verdict):
        size, time = (offer.size, offer.mtime_ns) if isinstance(offer, ImageRecord) else (-1, -1)
        return Encoded(found.uri, size, time, kind=found.kind, reason=found.reason)
    picture = found.picture
    assert picture is not None
    return Encoded(
        uri=found.uri,
        size=found.size,
        mtime_ns=found.record.mtime_ns,
        sha256=found.sha256,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        descriptor=picture.descriptor,
        thumbnail=picture.thumbnail,
    )
