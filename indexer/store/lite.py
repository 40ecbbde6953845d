"""
Milvus Lite 3.x, and what it needs to be fast and right.

It runs in this process, on a data folder `….db`: see `engine.py` for how it is called.  Measured on 3.2.2:

- Rows that were not flushed cost 17 to 30 µs each in every call, and are searched through a temporary array
  of queries x rows x dim: so flush often, wait for the index, and bound the queries by the rest.
- Its writers, flushes and reads race: so one lock round every call.
- FLAT is slow (NumPy); IVF_FLAT with one list is the same exact scan in faiss.
- A filter scans all rows, only primary keys are looked up: so equal bytes are found through keys.
- Index files are written in place: one that a crash cut off makes loading fail until it is deleted.
- pymilvus's own client of a file keeps it until the process ends, and puts every row on a wire: so we call the engine.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.records import Settings
from indexer.store.collection import INDEXED, LIMIT, Collection, Row
from indexer.store.door import Caller
from indexer.store.engine import Engine
from indexer.store.rows import WHOLE, columns

FLUSH_ROWS = 512
"""Rows that are written before a flush; see scripts/bench_search.py."""

SEARCH_BYTES = 32 * 2**20
"""The most memory that one search may take for rows without an index."""

SCANS_FIRST = 24
"""Look-ups by bytes that scan the collection before a table of all digests, which costs as much as these, pays."""

SERVER_FROM = 100_000
"""
From so many rows on, a server is the better place.

Here every call costs about 0.7 µs a row, so that a query of one image waits 70 ms for its search alone; the rows
themselves are held in memory, and read again at every start (see ARCHITECTURE.md, "Beyond these sizes").
"""

_SQLITE = b"SQLite format 3"


@dataclass(slots=True)
class Notes:
    """
    What this process, the one writer, knows of a collection beyond its rows.

    Attributes:
        unindexed: how many rows were written since the last flush.
        scans: how many look-ups by bytes scanned the collection.
        ids: primary keys by sha256, of all rows and perhaps of some that are not there; None until it pays.
    """

    unindexed: int = 0
    scans: int = 0
    ids: dict[str, list[str]] | None = None


@dataclass(slots=True)
class LiteFile:
    """
    A data folder that this process holds open, shared by all collections in it.

    Attributes:
        path: the folder, resolved.
        engine: works in it.
        users: how many collections of it are open.
        notes: by collection.
    """

    path: Path
    engine: Engine
    users: int = 0
    notes: dict[str, Notes] = field(default_factory=dict)


_LOCK = threading.RLock()
_HELD: dict[Path, LiteFile] = {}


def hold(path: Path) -> LiteFile:
    """
    Open the data folder *path*, or share it with the other collections of this process.

    Raises:
        LockHeld: another process has it open.
        StoreError: Milvus Lite cannot open it.
    """
    with _LOCK:
        file = _HELD.get(path) or _opened(path)
        _HELD[path] = file
        file.users += 1
        return file


def _opened(path: Path) -> LiteFile:
    try:
        return LiteFile(path, Engine(str(path)))
    except LockHeld as error:
        raise LockHeld(
            f"{path} is open in another process, and Milvus Lite allows one; wait for it to end,"
            " or run a Milvus server and pass its http:// address as --uri"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path}: Milvus Lite must be able to write there ({error.strerror}); check permissions and free space"
        ) from error
    except Exception as error:
        raise StoreError(f"{path}: Milvus Lite cannot open it; restore it, or ingest anew ({error})") from error


def release(file: LiteFile) -> None:
    """Close *file* after its last collection, so that another process can open it."""
    with _LOCK:
        file.users -= 1
        if file.users == 0 and file.path in _HELD:
            del _HELD[file.path]
            file.engine.shut()


@atexit.register
def _release_all() -> None:
    for file in list(_HELD.values()):
        file.users = 1
        release(file)


def checked_path(uri: str) -> Path:
    """
    Return the path that *uri* names, resolved.

    Raises:
        ConfigError: it does not end in `.db`, is not valid UTF-8, or a file of another kind is there.
    """
    path = Path(uri).resolve()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{uri}: its whole path must be valid UTF-8; name another, or rename the folder") from error
    if path.suffix != ".db" or "://" in uri:
        raise ConfigError(
            f"{uri} is neither a Milvus Lite path, which ends in .db, nor a server's http:// or https:// address"
        )
    if path.is_file():
        with path.open("rb") as file:
            old = file.read(len(_SQLITE)) == _SQLITE
        raise ConfigError(
            f"{uri} was made by Milvus Lite 2.x, whose files 3.x cannot read;"
            " ingest into another path, or keep an environment with milvus-lite 2.5.1 for it"
            if old
            else f"{uri} is a file, not a Milvus Lite folder; name another path"
        )
    return path


class LiteCollection(Collection):
    """A collection in a Milvus Lite data folder."""

    index: ClassVar[dict[str, Any]] = {"index_type": "IVF_FLAT", "params": {"nlist": 1}}
    search_params: ClassVar[dict[str, Any]] = {"metric_type": "L2", "params": {"nprobe": 65536}}
    page: ClassVar[int] = LIMIT
    limits: ClassVar[Sequence[int]] = (2, 8, 32, 128, 512, 2048, 8192, LIMIT)
    """Each hit costs more here than on a server."""

    def __init__(self, file: LiteFile, name: str, timeout_s: float) -> None:
        self._file = file
        super().__init__(file.engine, name, Caller(str(file.path), timeout_s, _LOCK))
        self._closed = False
        self._notes = file.notes.setdefault(name, Notes())

    def rename(self, name: str) -> None:
        """Make the calls to the collection *name*, and know of it what this process knows."""
        super().rename(name)
        self._notes = self._file.notes.setdefault(name, Notes())

    def make(self, settings: Settings) -> None:
        """Make the collection, and know that it holds no bytes yet: nothing need be scanned for them."""
        super().make(settings)
        self._notes.ids = {}

    def _schema(self, dim: int, stamp: str) -> Any:  # noqa: ANN401, ARG002 - the stamp is a property here
        return columns(dim)

    def index_params(self, index: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as the base has it
        """Return *index* as the engine takes it; of the descriptors by L2 where it does not say."""
        return {**INDEXED, **index}

    def load(self) -> None:
        """Load the collection, rebuild damaged index files, index what the last process left in its log."""
        try:
            super().load()
        except StoreError:
            self._delete_index_files()
            super().load()
        self._flush()

    def _delete_index_files(self) -> None:
        for file in self._file.path.glob(f"**/{self.name}/partitions/*/indexes/*.idx"):
            file.unlink()

    def close(self) -> None:
        """Let go of the connection, and of the file after its last collection."""
        if not self._closed:
            self._closed = True
            super().close()
            release(self._file)

    def claim(self) -> None:
        """Nothing: opening the file has kept other processes out."""

    def _write(self, operation: Callable[..., object], *args: object, **options: object) -> None:
        self.call(operation, *args, **options)

    def with_bytes(self, digests: Sequence[str]) -> dict[str, Row]:
        """Return, by sha256, one row with each of *digests* there is: by scans at first, then by key."""
        if self._notes.ids is None and self._notes.scans < SCANS_FIRST:
            self._notes.scans += 1
            return super().with_bytes(digests)
        found: dict[str, Row] = {}
        with self.call.lock:
            known = self._ids_by_digest()
            while ids := {known[digest][-1]: digest for digest in digests if digest not in found and known.get(digest)}:
                rows = self.get(list(ids), WHOLE)
                for key, digest in ids.items():
                    if key in rows and rows[key]["sha256"] == digest:
                        found[digest] = rows[key]
                    else:  # removed since, or written anew with other bytes
                        known[digest].remove(key)
        return found

    def _ids_by_digest(self) -> dict[str, list[str]]:
        """Return keys of rows by sha256: a superset, read once and kept up to date by the one writer."""
        if self._notes.ids is None:
            self._notes.ids = {}
            for row in self.rows(fields=["id", "sha256"]):
                self._notes.ids.setdefault(row["sha256"], []).append(row["id"])
        return self._notes.ids

    def most_queries(self, dim: int) -> int:
        """Return how many vectors one search may carry within SEARCH_BYTES."""
        return max(1, min(512, SEARCH_BYTES // (8 * dim * max(1, self._notes.unindexed))))

    def count(self, partition: str) -> int:
        """Return the exact number of rows of *partition* (Lite's `count(*)` ignores partitions)."""
        return int(self.call(self.client.get_partition_stats, self.name, partition)["row_count"])

    def upsert(self, rows: list[Row], partition: str) -> None:
        """
        Write *rows* into *partition*, and index them with others once there are enough.

        They are noted first: Ctrl-C may cut the wait for a write short, and the rows are written all the same.
        """
        with self.call.lock:
            if self._notes.ids is not None:
                for row in rows:
                    self._notes.ids.setdefault(row["sha256"], []).append(row["id"])
            self._notes.unindexed += len(rows)
            super().upsert(rows, partition)
            if self._notes.unindexed >= FLUSH_ROWS:
                self._flush()

    def _flush(self) -> None:
        """Index what was written; where that is not sure, searches stay small, see most_queries."""
        if self.call(self.client.flush, self.name):
            self._notes.unindexed = 0
