"""A collection's entries go into another collection as they are: what an import of an export and a migration share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from indexer.errors import ConfigError
from indexer.records import Entry
from indexer.store.base import Store

PAGE = 1024
"""Entries that are read, looked up and written at a time."""

Source = Callable[[], Iterable[Entry]]
"""Returns the entries from the first on, each time that it is called."""


def copy_whole(
    source: Source, target: Store, name: str, stopped: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Entry, bool]]:
    """
    Write the entries of *source* into *target*, called *name* in messages; yield each, and whether it was missing.

    What is there already and equal is left alone, so that a copy that was cut short goes on. It ends between two pages
    once it is *stopped*.

    Raises:
        ConfigError: *target* holds something else; nothing was written.
        LockHeld: another process writes to *target*; nothing was written.
        StoreError: the vector database failed, or an entry cannot be stored.
    """
    target.claim()
    empty = target.count().total == 0
    if not empty:
        _refuse_others(source, target, name, stopped)
    for page in _pages(source(), stopped):
        there = [None] * len(page) if empty else target.stored(page)
        target.put([entry for entry, found in zip(page, there, strict=True) if found is None])
        yield from ((entry, found is None) for entry, found in zip(page, there, strict=True))


def identical(one: Entry, other: Entry | None) -> bool:
    """Return whether two entries agree in every bit."""
    return one == other and one.descriptor.tobytes() == other.descriptor.tobytes() and one.thumbnail == other.thumbnail


def _refuse_others(source: Source, target: Store, name: str, stopped: Callable[[], bool]) -> None:
    """Let pass only a *target* whose every entry is one of *source*, or what was *stopped* before that was known."""
    way_out = "name another collection, or drop this one"
    agree = 0
    for page in _pages(source(), stopped):
        for entry, found in zip(page, target.stored(page), strict=True):
            if found is not None and not identical(entry, found):
                raise ConfigError(f"the collection {name} holds another entry of {entry.uri[:200]}; {way_out}")
            agree += found is not None
    if not stopped() and agree != target.count().total:
        raise ConfigError(
            f"the collection {name} holds {target.count().total - agree} entries of something else; {way_out}"
        )


def _pages(entries: Iterable[Entry], stopped: Callable[[], bool]) -> Iterator[list[Entry]]:
    source = iter(entries)
    while not stopped() and (page := list(islice(source, PAGE))):
        yield page
