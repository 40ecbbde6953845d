"""Asks about addresses before their turn comes: each of a long list would else be waited for by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

from indexer.records import Failure
from indexer.sources.remote import Found, Remote, connect

if TYPE_CHECKING:
    from multiprocessing.pool import AsyncResult, ThreadPool

AHEAD = 16
"""Addresses that are asked about at a time."""

Answer = tuple[Remote, Found] | Failure
"""What there is at an address, and where that is; or why that cannot be told."""

T = TypeVar("T")


def ask(url: str) -> Answer:
    """
    Return what is at *url*.

    Raises:
        ConfigError: as connect raises it.
    """
    place = connect(url)
    return place if isinstance(place, Failure) else _look(place)


def asked_ahead(
    items: Iterable[T], url_of: Callable[[T], str | None]
) -> Generator[tuple[T, Answer | None], None, None]:
    """
    Yield *items* in their order, those that have a URL with what is there.

    Up to AHEAD of these that follow one another are asked about at a time; all others are taken one by one.

    Raises:
        ConfigError: as connect raises it.
    """
    pool: ThreadPool | None = None  # not an executor: whose threads would be waited for, however late an answer is
    waiting: deque[tuple[T, Failure | AsyncResult[Answer]]] = deque()
    try:
        for item in items:
            url = url_of(item)
            if url is None:
                yield from _answered(waiting, down_to=0)
                yield item, None
                continue
            place = connect(url)  # on this thread: fsspec keeps a file system for each
            pool = pool or _threads()
            waiting.append((item, place if isinstance(place, Failure) else pool.apply_async(_look, (place,))))
            yield from _answered(waiting, down_to=AHEAD)
        yield from _answered(waiting, down_to=0)
    finally:
        if pool:
            pool.terminate()


def _threads() -> ThreadPool:
    from multiprocessing.pool import ThreadPool  # noqa: PLC0415 - a fiftieth of a start, and few name addresses

    return ThreadPool(AHEAD)


def _look(place: Remote) -> Answer:
    found = place.look()
    return found if isinstance(found, Failure) else (place, found)


def _answered(
    waiting: deque[tuple[T, Failure | AsyncResult[Answer]]], *, down_to: int
) -> Generator[tuple[T, Answer], None, None]:
    """Take the first of *waiting* until so few are left, and yield each once it is known."""
    while len(waiting) > down_to:
        item, answer = waiting.popleft()
        yield item, answer if isinstance(answer, Failure) else answer.get()
