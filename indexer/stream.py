"""
Laziness, threads, order and failures: they live here and nowhere else.

A stage is an ordinary function of one item or of a list of items.
Items that are decided already (a Verdict) pass every stage untouched and keep their place.
`each` runs a stage on threads (but for settled items), `in_batches` on the thread that reads the stream.
Both keep the order, hold a bounded number of items and of bytes, and let every error but ImageError end the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from indexer.errors import ImageError
from indexer.records import Outcome, Verdict
from model.cores import usable_cores


class Item(Protocol):
    """What can flow: it has a name, and knows how many bytes it keeps in memory, and whether threads may skip it."""

    @property
    def uri(self) -> str:
        """The image."""
        ...

    @property
    def held(self) -> int:
        """Bytes that would be freed with it."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the stages on threads have nothing to do for it."""
        ...

    @property
    def far(self) -> bool:
        """Whether to read it is to wait for another machine."""
        ...


A = TypeVar("A", bound=Item)
B = TypeVar("B", bound=Item)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much may be in flight; none of it changes an outcome.

    Attributes:
        workers: threads that decode and encode.
        readers: threads that read files.
        far_readers: threads that read what is far, and wait most of the time.
        batch: images per look-up, search and write.
        held_bytes: file bytes that one stage may keep in memory before it hands them on.

    """

    workers: int = field(default_factory=usable_cores)
    readers: int = 4
    far_readers: int = 16
    batch: int = 512
    held_bytes: int = 64 * 2**20


def rejected(uri: str, error: ImageError) -> Verdict:
    """Return the verdict of an image that cannot be used."""
    return Verdict(uri, Outcome.REJECTED, kind=error.kind, reason=str(error))


def each(
    stage: Callable[[A], A | Verdict],
    items: Iterable[A | Verdict],
    limits: Limits,
    *,
    workers: int,
    far_workers: int = 0,
) -> Iterator[A | Verdict]:
    """
    Yield *stage* of each item, in order, computed on *workers* threads; settled items pass as they are.

    Those that are far have *far_workers* threads of their own, if any. At most `limits.batch` items, and about
    `limits.held_bytes` bytes, are read ahead.
    """
    pool = ThreadPoolExecutor(workers)
    away = ThreadPoolExecutor(far_workers) if far_workers else pool
    ahead: deque[tuple[Future[A | Verdict] | A | Verdict, int]] = deque()
    held = 0
    try:
        for item in items:
            if isinstance(item, Verdict) or item.settled:
                ahead.append((item, 0))
            else:
                ahead.append(((away if item.far else pool).submit(_guarded, stage, item), item.held))
                held += item.held
            while len(ahead) > limits.batch or held > limits.held_bytes:
                done, size = ahead.popleft()
                held -= size
                yield done.result() if isinstance(done, Future) else done
        for done, _ in ahead:
            yield done.result() if isinstance(done, Future) else done
    finally:
        for each_pool in (away, pool):
            each_pool.shutdown(cancel_futures=True)


def _guarded(stage: Callable[[A], A | Verdict], item: A) -> A | Verdict:
    try:
        return stage(item)
    except ImageError as error:
        return rejected(item.uri, error)


def in_batches(
    stage: Callable[[Sequence[A]], Sequence[B | Verdict]], items: Iterable[A | Verdict], limits: Limits
) -> Iterator[B | Verdict]:
    """
    Yield *stage* of the items, in order; it is handed lists of at most `limits.batch` items.

    A batch is cut short when it keeps more than `limits.held_bytes` bytes in memory.
    """
    batch: list[A | Verdict] = []
    held = 0
    for item in items:
        batch.append(item)
        held += 0 if isinstance(item, Verdict) else item.held
        if len(batch) >= limits.batch or held > limits.held_bytes:
            yield from _stage_of_batch(stage, batch)
            batch, held = [], 0
    yield from _stage_of_batch(stage, batch)


def _stage_of_batch(
    stage: Callable[[Sequence[A]], Sequence[B | Verdict]], batch: Sequence[A | Verdict]
) -> Iterator[B | Verdict]:
    open_items = [item for item in batch if not isinstance(item, Verdict)]
    results = iter(stage(open_items) if open_items else ())
    for item in batch:
        yield item if isinstance(item, Verdict) else next(results)
