"""What two ways to the same collection are compared by."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from indexer.store.milvus import open_existing

_OF_FILES = {"size", "original_is_there"}


def rows(uri: str) -> dict[str, tuple[object, ...]]:
    """Return all that a collection holds, comparable bit by bit."""
    with closing(open_existing(uri, "images")) as store:
        return {entry.uri: (entry, entry.descriptor.tobytes(), entry.thumbnail) for entry in store.entries()}


def told(result: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of images, without what only one who has the file can tell."""
    return [{name: value for name, value in row.items() if name not in _OF_FILES} for row in result[:-1]]
