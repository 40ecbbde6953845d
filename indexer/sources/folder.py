"""Folders: walked lazily, in the order of the names' bytes, links followed, and each folder entered once."""

# ruff: noqa: PTH110, PTH116, PTH118 (paths stay text: a million of them, some not UTF-8)

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from indexer.records import Failure, ImageRecord
from indexer.sources.local import explained, file_record
from indexer.sources.naming import as_utf8
from indexer.sources.options import Sieve, is_archive

Offers = Generator[ImageRecord | Failure, None, None]


@dataclass(frozen=True, slots=True)
class _Child:
    """A folder's entry: its *path*, its path *below* the source, and what it is."""

    path: str
    below: str
    is_folder: bool
    is_link: bool


@dataclass(slots=True)
class Walker:
    """
    Walks folders; what it met before it does not offer again.

    Attributes:
        sieve: decides by name.
        max_bytes: larger images are rejected.
        open_archive: yields what the archive at a real path holds; its second argument is the path for patterns.
        entered: device and inode of each folder that was entered, so that loops of links end.
        linked: real paths of files that were offered because a link leads to them.
    """

    sieve: Sieve
    max_bytes: int
    open_archive: Callable[[str, str], Offers]
    entered: set[tuple[int, int]] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)

    def walk(self, root: str) -> Offers:
        """Yield what the folder *root*, a real path, holds at any depth."""
        pending = [self._children(root, "")]
        while pending:
            child = next(pending[-1], None)
            if child is None:
                pending.pop()
            elif isinstance(child, Failure):
                yield child
            elif not child.is_folder:
                yield from self._file(root, child)
            elif self.sieve.enters(child.below + "/"):
                path = os.path.realpath(child.path) if child.is_link else child.path
                if not (child.is_link and _below(root, path) is not None):  # else its own place decides
                    pending.append(self._children(path, child.below + "/"))

    def _children(self, folder: str, below: str) -> Iterator[_Child | Failure]:
        """Yield what counts in *folder*, a real path; nothing if it was entered before."""
        names: list[str] = []
        folders: set[str] = set()
        links: set[str] = set()
        try:
            if self._was_here(os.stat(folder)):
                return
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._sort(entry, below, names, folders, links)
        except OSError as error:
            yield Failure(as_utf8(folder), "unreadable", "The folder: " + explained(error)[1])
        names.sort(key=os.fsencode)
        for name in names:
            yield _Child(os.path.join(folder, name), below + name, name in folders, name in links)

    def _was_here(self, status: os.stat_result) -> bool:
        mark = (status.st_dev, status.st_ino)
        seen = mark in self.entered
        self.entered.add(mark)
        return seen

    def _sort(self, entry: os.DirEntry[str], below: str, names: list[str], folders: set[str], links: set[str]) -> None:
        """Note *entry*; only names are kept, so that folders of a million files fit into memory."""
        is_folder = _is_folder(entry)
        if not is_folder and self.sieve.ignores(below + entry.name):
            return
        names.append(entry.name)
        if is_folder:
            folders.add(entry.name)
        if entry.is_symlink():
            links.add(entry.name)

    def _file(self, root: str, child: _Child) -> Offers:
        path = child.path
        if child.is_link and os.path.exists(path):
            path = os.path.realpath(path)
            if path in self.linked or self._comes_anyway(root, path):
                return
            self.linked.add(path)
        if is_archive(child.below):
            if self.sieve.enters(child.below):
                yield from self.open_archive(path, child.below)
        elif self.sieve.takes(child.below):
            yield file_record(path, self.max_bytes)

    def _comes_anyway(self, root: str, path: str) -> bool:
        """Tell whether the walk of *root* offers *path*, to which a link leads, at its own place."""
        below = _below(root, path)
        return below is not None and self.sieve.would_take(below)


def _below(root: str, path: str) -> str | None:
    """Return *path* as it is seen from the folder *root*; None where it does not lie in there."""
    inside = os.path.join(root, "")
    return path[len(inside) :] if path.startswith(inside) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that loops, or leads where nobody may look
        return False
