"""Where images come from: files, folders, archives, lists of paths, URLs and bytes become records, lazily."""

from __future__ import annotations

from indexer.sources.glancing import glance
from indexer.sources.opening import (
    Item,
    Selection,
    address,
    check_sources,
    counter,
    member_of,
    open_items,
    open_sources,
    problem_of,
    shown,
)
from indexer.sources.options import SourceOptions, SourceStats
from indexer.sources.sighted import Sighted, is_as_indexed, is_kept

__all__ = [
    "Item",
    "Selection",
    "Sighted",
    "SourceOptions",
    "SourceStats",
    "address",
    "check_sources",
    "counter",
    "glance",
    "is_as_indexed",
    "is_kept",
    "member_of",
    "open_items",
    "open_sources",
    "problem_of",
    "shown",
]
