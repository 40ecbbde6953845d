"""
Milvus Lite's own engine, behind the calls of pymilvus's client that a Collection makes.

The same files as those of `MilvusClient("archive.db")`, without the server thread and the loopback connection between:
nothing is packed for the wire and unpacked again, and neither pymilvus nor what it imports has to be loaded.

The engine works on one thread of its own. So its calls, which would race, come one after another; and Ctrl-C can cut
short the wait for a call, but not the call.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from indexer.errors import LockHeld
from indexer.store.door import ABSENT, NOT_LOADED, EngineError

T = TypeVar("T")
Row = dict[str, Any]

SEGMENT_ROWS = 4096
"""
Rows that a merge of segments leaves in one, of at most twice as many that it reads.

Lite's own bound is 100,000: a merge holds its rows several times over, and a search of small segments, each of which
fits into a processor's cache, takes less time. But what no merge touches keeps rows that were written anew or
deleted since: so a collection that is mostly such rows, or in tiny segments, is merged as Lite does.
"""

UNCOUNTED = 4
"""Full segments' worth of rows that may be added before it is counted how many of all rows still count."""

MOST_TINY = 32
"""Segments that may be tiny; Lite's merges within a bound may leave them, as it takes the first that fit, in order."""

TINY = 8
"""Segments are tiny when they hold, in the mean, less than SEGMENT_ROWS divided by this."""

_MANY = 10_000
"""Segments that may lie side by side: beyond its own bound, 32, Lite would merge the same two full ones for ever."""

_CODES = {"CollectionNotFoundError": ABSENT, "CollectionNotLoadedError": NOT_LOADED}
"""What of the engine's errors is more than text, as a server numbers it."""


@functools.cache
def library() -> Any:  # noqa: ANN401 - it has no types
    """Return milvus_lite, taught to keep quiet: what it logs of a write that a kill cut short is nobody's business."""
    module = importlib.import_module("milvus_lite")
    logging.getLogger("milvus_lite").setLevel(logging.CRITICAL + 1)
    index = importlib.import_module("faiss").IndexIVFFlat
    train = index.train

    def quietly(self: Any, vectors: Any) -> None:  # noqa: ANN401 - faiss has no types
        """Train the one list on a few rows without a warning on standard error; Lite has no setting for it."""
        self.cp.min_points_per_centroid = 1
        train(self, vectors)

    index.train = quietly
    _bound_merges(stale=False)  # opening a folder may merge, too
    return module


def _bound_merges(*, stale: bool) -> None:
    """Say how far segments may be merged from now on; Lite has no setting. Those of a *stale* collection as it does."""
    merging: Any = importlib.import_module("milvus_lite.engine.compaction")
    own: Any = importlib.import_module("milvus_lite.constants")
    merging.MAX_SEGMENT_ROWS = own.MAX_SEGMENT_ROWS if stale else SEGMENT_ROWS
    merging.MAX_DATA_FILES = own.MAX_DATA_FILES if stale else _MANY


class Engine:
    """
    One open data folder.

    The methods are those of MilvusClient, with its arguments; time limits and levels of consistency mean nothing here.
    """

    def __init__(self, folder: str) -> None:
        """Open *folder*, made when it is absent; raises LockHeld, or what the engine raises."""
        try:
            self._database = library().MilvusLite(folder)
        except library().DataDirLockedError as error:
            raise LockHeld(str(error)) from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="milvus-lite")
        self._counted: dict[str, int] = {}

    def shut(self) -> None:
        """Close the folder, after the calls that were made."""
        self._thread.shutdown()
        self._database.close()

    def close(self) -> None:
        """Nothing: a client may go, while others work in the same folder."""

    def _do(self, work: Callable[[], T]) -> T:
        """Return what *work* returns on the engine's thread; whatever it raises becomes EngineError."""

        def told() -> T:
            try:
                return work()
            except Exception as error:
                raise EngineError(str(error), _CODES.get(type(error).__name__, 1)) from error

        return self._thread.submit(told).result()

    def _on(self, name: str, work: Callable[[Any], T]) -> T:
        """Return what *work* makes of the collection *name*, or of the one that this is an alias of."""
        return self._do(lambda: work(self._database.get_collection(name)))

    def _is_stale(self, collection: Any) -> bool:  # noqa: ANN401 - it has no types
        """
        Tell whether most rows in the segments count no more, or these are tiny: what no merge within bounds takes up.

        To count walks all rows, so it is done when there are twice as many as counted last, and some.
        """
        segments: Sequence[Any] = getattr(collection, "_segments_snapshot", tuple)()
        rows = sum(segment.num_rows for segment in segments)
        if len(segments) > MOST_TINY and rows * TINY < SEGMENT_ROWS * len(segments):
            return True
        if rows <= 2 * self._counted.get(collection.name, 0) + UNCOUNTED * SEGMENT_ROWS:
            return False
        self._counted[collection.name] = count = int(collection.num_entities)
        return bool(rows > 2 * count)

    # -- collections

    def has_collection(self, name: str, **_: object) -> bool:
        """Return whether there is a collection, or an alias, of this name."""
        return self._do(lambda: bool(self._database.has_collection(name)))

    def list_collections(self, **_: object) -> list[str]:
        """Return the names of all collections."""
        return self._do(lambda: list(self._database.list_collections()))

    def describe_collection(self, name: str, **_: object) -> dict[str, Any]:
        """Return its own name, and its properties."""
        return self._on(name, lambda it: {"collection_name": it.name, "properties": dict(it.schema.properties)})

    def create_collection(
        self, name: str, *, schema: Sequence[Mapping[str, Any]], properties: Mapping[str, str], **_: object
    ) -> None:
        """Make a collection of the fields in *schema*: each its name, its type by name, and options."""
        kinds = library().DataType
        fields = [library().FieldSchema(**{**field, "dtype": kinds[field["dtype"]]}) for field in schema]
        made = library().CollectionSchema(fields, enable_dynamic_field=True)
        self._do(lambda: self._database.create_collection(name, made, properties=dict(properties)))

    def drop_collection(self, name: str, **_: object) -> None:
        """Delete a collection, and its aliases."""
        self._do(lambda: self._database.drop_collection(name))

    def rename_collection(self, name: str, new_name: str, **_: object) -> None:
        """Rename a collection."""
        self._do(lambda: self._database.rename_collection(name, new_name))

    def create_alias(self, name: str, alias: str, **_: object) -> None:
        """Let *alias* stand for the collection *name*."""
        self._do(lambda: self._database.create_alias(name, alias))

    def alter_alias(self, name: str, alias: str, **_: object) -> None:
        """Let *alias*, which is there, stand for the collection *name*."""
        self._do(lambda: self._database.alter_alias(name, alias))

    def drop_alias(self, alias: str, **_: object) -> None:
        """Delete an alias; nothing where there is none."""
        self._do(lambda: self._database.drop_alias(alias))

    def has_partition(self, name: str, partition: str, **_: object) -> bool:
        """Return whether the collection has the partition."""
        return self._on(name, lambda it: bool(it.has_partition(partition)))

    def create_partition(self, name: str, partition: str, **_: object) -> None:
        """Add a partition."""
        self._on(name, lambda it: it.create_partition(partition))

    def get_partition_stats(self, name: str, partition: str, **_: object) -> dict[str, int]:
        """Return the number of rows of a partition."""
        return self._on(name, lambda it: {"row_count": int(it.partition_num_entities(partition))})

    def list_indexes(self, name: str, **_: object) -> list[str]:
        """Return the names of the indexed fields, which are those of the indexes."""
        return self._on(name, lambda it: list(it.list_indexes()))

    def describe_index(self, name: str, index: str, **_: object) -> dict[str, Any]:
        """Return what an index was made with."""
        return self._on(name, lambda it: dict(it.get_index_info(index)))

    def create_index(self, name: str, index: Mapping[str, Any], **_: object) -> None:
        """Make an index of the field `field_name`; the rest of *index* is what it is made with."""
        made = {key: value for key, value in index.items() if key != "field_name"}
        self._on(name, lambda it: it.create_index(index["field_name"], made))

    def drop_index(self, name: str, index: str, **_: object) -> None:
        """Delete an index."""
        self._on(name, lambda it: it.drop_index(index))

    def load_collection(self, name: str, **_: object) -> None:
        """Read or build the index of each segment; at once where that was done."""
        self._on(name, lambda it: it.load())

    def release_collection(self, name: str, **_: object) -> None:
        """Let go of the indexes; reads fail from now on."""
        self._on(name, lambda it: it.release())

    def flush(self, name: str, **_: object) -> bool:
        """
        Write what is in memory to segments, and wait until they are compacted and indexed; return whether that is sure.

        There is no public signal for that, and no setting for the size of segments.
        """

        def flushed(it: Any) -> bool:  # noqa: ANN401 - it has no types
            memtable = getattr(it, "_memtable", None)
            if memtable is None or memtable.size():  # else a flush does nothing, and to open a folder need not count
                _bound_merges(stale=self._is_stale(it))
                it.flush()
            wait = getattr(it, "_wait_for_bg", None)
            if wait is not None:
                wait()
            return wait is not None

        return self._on(name, flushed)

    # -- rows

    def query(  # noqa: PLR0913 - as pymilvus has it
        self,
        name: str,
        *,
        ids: Sequence[str] | None = None,
        filter: str = "",  # noqa: A002 - as above
        output_fields: Sequence[str],
        limit: int | None = None,
        ordered: bool = False,
        **_: object,
    ) -> list[Row]:
        """Return the rows with these *ids*, or those that meet *filter*, by the order of their keys if it must be."""
        fields = list(output_fields)
        if ids is not None:
            return self._on(name, lambda it: list(it.get(list(ids), output_fields=fields)))
        if fields == ["count(*)"]:
            return [{"count(*)": len(self.query(name, filter=filter, output_fields=["id"]))}]
        return self._on(
            name, lambda it: list(it.query(filter or None, output_fields=fields, limit=limit, order_by_pk=ordered))
        )

    def query_iterator(
        self,
        name: str,
        *,
        batch_size: int,
        filter: str,  # noqa: A002 - as pymilvus has it
        output_fields: Sequence[str],
        **_: object,
    ) -> Pages:
        """Return the rows that meet *filter*, page by page, by the order of their keys."""

        def page(last: str) -> list[Row]:
            after = " and ".join(part for part in (f"({filter})" if filter else "", last and f'id > "{last}"') if part)
            fields = [*dict.fromkeys(["id", *output_fields])]
            return self.query(name, filter=after, output_fields=fields, limit=batch_size, ordered=True)

        return Pages(page)

    def search(  # noqa: PLR0913 - as pymilvus has it
        self,
        name: str,
        *,
        data: Sequence[Any],
        limit: int,
        search_params: Mapping[str, Any],
        partition_names: Sequence[str],
        output_fields: Sequence[str] = ("id",),
        **_: object,
    ) -> list[list[Row]]:
        """Return for each of *data* its nearest rows: their key, and the squared distance."""
        probe = dict(search_params["params"])
        options = {
            "top_k": limit,
            "metric_type": search_params["metric_type"],
            "partition_names": list(partition_names),
            "output_fields": list(output_fields),
            "radius": probe.pop("radius", None),
            "search_params": probe,
        }
        return self._on(name, lambda it: list(it.search(list(data), **options)))

    def upsert(self, name: str, rows: Sequence[Mapping[str, Any]], *, partition_name: str, **_: object) -> None:
        """Write *rows*, whose descriptors are arrays."""
        plain = [{**row, "descriptor": row["descriptor"].tolist()} for row in rows]
        self._on(name, lambda it: it.upsert(plain, partition_name=partition_name))

    def delete(self, name: str, *, ids: Sequence[str], partition_name: str, **_: object) -> None:
        """Delete rows by their keys."""
        self._on(name, lambda it: it.delete(list(ids), partition_name=partition_name))


class Pages:
    """Rows page by page: `next` until it returns none."""

    def __init__(self, page: Callable[[str], list[Row]]) -> None:
        self._pages = self._read(page)

    def _read(self, page: Callable[[str], list[Row]]) -> Iterator[list[Row]]:
        last = ""
        while rows := page(last):
            last = rows[-1]["id"]
            yield rows

    def next(self) -> list[Row]:
        """Return the next page; none after the last."""
        return next(self._pages, [])

    def close(self) -> None:
        """Nothing is held."""
