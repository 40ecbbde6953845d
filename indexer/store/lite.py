"""
Milvus Lite 3.x, and what it needs to be fast and right.

It runs in this process: a data folder `….db`, a server thread on a loopback port.  Measured on 3.2.2:

- Rows that were not flushed cost 17 to 30 µs each in every call, and are searched through a temporary array
  of queries x rows x dim: so flush often, wait for the index, and bound the queries by the rest.
- Its writers, flushes and reads race: so one lock round every call.
- FLAT is slow (NumPy); IVF_FLAT with one list is the same exact scan in faiss.
- A filter scans all rows, only primary keys are looked up: so equal bytes are found through keys.
- Index files are written in place: one that a crash cut off makes loading fail until it is deleted.
- Only the end of the process releases a file: so the server thread is ours to start and stop.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.store.collection import LIMIT, LOAD_S, Collection, Row
from indexer.store.door import Caller, library
from indexer.store.rows import WHOLE

FLUSH_ROWS = 512
"""So many rows may wait for a flush; see scripts/bench_search.py."""

SEARCH_BYTES = 32 * 2**20
"""The most memory that one search may take for rows without an index."""

SCANS_FIRST = 24
"""So many look-ups by bytes scan the collection before a table of all digests, as dear as these, pays."""

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
        ids: primary keys by sha256, of all rows and perhaps of some that were removed; None until it pays.
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
        port: of its server thread, on the loopback interface.
        server: gRPC's server.
        database: Milvus Lite's engine.
        users: how many collections of it are open.
        notes: by collection.
    """

    path: Path
    port: int
    server: Any
    database: Any
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
    library()
    _hush_training()
    locked = importlib.import_module("milvus_lite.exceptions").DataDirLockedError
    start = importlib.import_module("milvus_lite.adapter.grpc.server").start_server_in_thread
    try:
        server, database, port = start(data_dir=str(path), host="127.0.0.1", port=0)
    except locked as error:
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
    return LiteFile(path, port, server, database)


@functools.cache
def _hush_training() -> None:
    """Let faiss train its one list on a few rows without a warning on standard error; Lite has no setting for it."""
    index = importlib.import_module("faiss").IndexIVFFlat
    train = index.train

    def quietly(self: Any, vectors: Any) -> None:  # noqa: ANN401 - faiss has no types
        self.cp.min_points_per_centroid = 1
        train(self, vectors)

    index.train = quietly


def release(file: LiteFile) -> None:
    """Close *file* after its last collection, so that another process can open it."""
    with _LOCK:
        file.users -= 1
        if file.users == 0 and file.path in _HELD:
            del _HELD[file.path]
            file.server.stop(grace=1).wait(2)
            file.database.close()


@atexit.register
def _release_all() -> None:
    for file in list(_HELD.values()):
        file.users = 1
        release(file)


def checked_path(uri: str) -> Path:
    """
    Return the path that *uri* names, resolved, its parent made.

    Raises:
        ConfigError: it does not end in `.db`, or a file of another kind is there.
    """
    path = Path(uri).resolve()
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

    index: ClassVar[dict[str, Any]] = {"index_type": "IVF_FLAT", "params": {"params": {"nlist": 1}}}
    search_params: ClassVar[dict[str, Any]] = {"metric_type": "L2", "params": {"nprobe": 65536}}
    page: ClassVar[int] = LIMIT
    limits: ClassVar[Sequence[int]] = (2, 8, 32, 128, 512, 2048, 8192, LIMIT)
    """Each hit costs more here than on a server."""

    def __init__(self, file: LiteFile, name: str, timeout_s: float) -> None:
        self._file = file
        client = library().MilvusClient(
            f"http://127.0.0.1:{file.port}",
            timeout=timeout_s,
            grpc_options={"grpc.keepalive_time_ms": 600_000},
        )
        super().__init__(client, name, Caller(str(file.path), timeout_s, _LOCK))
        self._closed = False
        self._notes = file.notes.setdefault(name, Notes())

    def rename(self, name: str) -> None:
        """Make the calls to the collection *name*, and know of it what this process knows."""
        super().rename(name)
        self._notes = self._file.notes.setdefault(name, Notes())

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
                        known[digest].pop()
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
        return max(1, min(256, SEARCH_BYTES // (8 * dim * max(1, self._notes.unindexed))))

    def count(self, partition: str) -> int:
        """Return the exact number of rows of *partition* (Lite's `count(*)` ignores partitions)."""
        return int(self.call(self.client.get_partition_stats, self.name, partition)["row_count"])

    def upsert(self, rows: list[Row], partition: str) -> None:
        """Write *rows* into *partition*, and index them with others once there are enough."""
        super().upsert(rows, partition)
        if self._notes.ids is not None:
            for row in rows:
                self._notes.ids.setdefault(row["sha256"], []).append(row["id"])
        self._notes.unindexed += len(rows)
        if self._notes.unindexed >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        """
        Flush, then wait until the rows are compacted and indexed.

        There is no public signal for that; without the private one, searches stay small, see most_queries.
        """
        Caller(self.call.where, LOAD_S, _LOCK)(self.client.flush, self.name)
        with _LOCK:
            wait = getattr(self._file.database.get_collection(self.name), "_wait_for_bg", None)
            if wait is not None:
                wait()
                self._notes.unindexed = 0
