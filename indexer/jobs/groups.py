"""What a collection holds several times: each original that has copies, with these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from indexer.records import Entry, Group
from indexer.sources import is_as_indexed, is_kept
from indexer.store.base import Store

_BATCH = 256
"""Groups that are read at a time."""


def originals_with_copies(store: Store) -> list[str]:
    """Return the URIs of the originals that have copies, in order."""
    copies = takewhile(lambda head: head.original is not None, store.heads())  # which come first
    return sorted({head.original for head in copies if head.original is not None})


def groups(store: Store, originals: Sequence[str]) -> Iterator[Group]:
    """Yield the groups of *originals*, in their order; what has lost its copies meanwhile is left out."""
    for start in range(0, len(originals), _BATCH):
        part = originals[start : start + _BATCH]
        known, copies = store.get(part), store.copies_of(part, pictures=False)
        yield from (_group(uri, known.get(uri), copies[uri]) for uri in part if uri in copies)


def _group(uri: str, original: Entry | None, copies: list[Entry]) -> Group:
    members = [*([original] if original else []), *copies]
    there = {entry.uri: is_as_indexed(entry.uri, entry.size, entry.mtime_ns) for entry in members}
    if original:
        there[uri] = is_kept(there[uri], uri, (copy.uri for copy in copies if copy.exact))
    return Group(uri, original, tuple(in_order(copies)), there)


def in_order(copies: list[Entry]) -> list[Entry]:
    """Return *copies* of one original, nearest first."""
    return sorted(copies, key=lambda copy: (copy.distance or 0.0, copy.uri))


def thumbnails(store: Store, entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return, by URI, the thumbnails of *entries*, as far as the collection holds any."""
    return {entry.uri: entry.thumbnail for entry in store.stored(entries) if entry is not None and entry.thumbnail}
