"""
One collection on a Milvus server: the few calls that the store makes, and what a server likes.

`lite.py` overrides what Milvus Lite needs otherwise; the two together are all that back ends do differently.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from indexer.errors import ConfigError
from indexer.records import Matrix, Settings
from indexer.store.check import is_digest
from indexer.store.door import Caller, is_unloaded, library
from indexer.store.lease import PACE, Lease, take
from indexer.store.lease_record import without_leases
from indexer.store.rows import COPIES, FIELDS, ORIGINALS, WHOLE, schema
from indexer.store.stamp import STAMP, to_stamp

Row = dict[str, Any]

Found = tuple[str, float]
"""A row's primary key, and its squared distance as the back end tells it."""

STRONG = "Strong"
"""Reads see every write that returned before, of any process, and wait for a tick of the server's clock: 200 ms."""

SESSION = "Session"
"""
Reads see this process's last write, and so every write of anybody before it; they wait only where it was just made.

pymilvus keeps the time of that write by the collection's name, so reads and writes must name it alike.
"""

BOUNDED = "Bounded"
"""Reads may miss the last seconds; on a 2.3.5 server they take 6 ms instead of 200."""

LIMIT = 16384
"""The most rows that a server returns for one query, and the most hits for one vector."""

WHOLE_PAGE = 2000
"""Rows of a page with vectors and thumbnails: 16,384 of them take half a gigabyte on Lite, and are no faster."""

INDEXED = {"field_name": "descriptor", "metric_type": "L2"}
"""What every index of the store is made for."""

LOAD_S = 600.0
"""The most seconds that loading a collection, its index included, may take."""


class Collection:
    """
    Calls to one collection of a server.

    Attributes:
        client: pymilvus's MilvusClient, or what has its calls.
        name: the collection's.
        call: makes the calls.
        pace: of the lease that a writer holds.
    """

    index: ClassVar[dict[str, Any]] = {"index_type": "FLAT"}
    search_params: ClassVar[dict[str, Any]] = {"metric_type": "L2", "params": {}}
    page: ClassVar[int] = 2000
    limits: ClassVar[Sequence[int]] = (16, 128, 1024, LIMIT)
    """
    How many of the nearest are asked for, one after another, until all within the radius are among them.

    FLAT reads every vector for each of these, so few: at a million rows 16 cost as much as 2 (scripts/bench_scale.py).
    """

    def __init__(self, client: Any, name: str, call: Caller) -> None:  # noqa: ANN401 - pymilvus has no types
        self.client = client
        self.name = name
        self.call = call
        self.pace = PACE
        self._lease: Lease | None = None
        self._written_under: Lease | None = None
        self._claiming = threading.Lock()

    # -- the collection as a whole

    def description(self) -> dict[str, Any] | None:
        """Return what Milvus tells of the collection; None when there is none of this name."""
        if not self.call(self.client.has_collection, self.name):
            return None
        told: dict[str, Any] = self.call(self.client.describe_collection, self.name)
        return told

    def rename(self, name: str) -> None:
        """Make the calls to the collection *name* from now on: what an alias stands for."""
        self.name = name

    def others(self) -> list[str]:
        """Return the names of all collections there."""
        return sorted(without_leases(self.call(self.client.list_collections)))

    def make(self, settings: Settings) -> None:
        """Make the collection, stamped with *settings*."""
        stamp = to_stamp(settings)
        self.call(
            self.client.create_collection,
            self.name,
            schema=self._schema(settings.dim, stamp),
            properties={STAMP: stamp},
            consistency_level=STRONG,
        )

    def _schema(self, dim: int, stamp: str) -> Any:  # noqa: ANN401 - pymilvus has no types
        return schema(dim, stamp)

    def prepare(self) -> None:
        """
        Make what a crash may have left out, then load; every read fails before.

        Raises:
            ConfigError: it has an index for another distance.
        """
        for partition in (ORIGINALS, COPIES):
            if not self.call(self.client.has_partition, self.name, partition):
                self.call(self.client.create_partition, self.name, partition)
        indexes = self.call(self.client.list_indexes, self.name)
        if indexes:
            self._check_metric(indexes[0])
        else:
            self.call(self.client.create_index, self.name, self.index_params(self.index), sync=False)
        self.load()

    def _check_metric(self, index: str) -> None:
        metric = self.call(self.client.describe_index, self.name, index)["metric_type"]
        if metric != "L2":
            raise ConfigError(
                f"the index {index} of the collection {self.name} at {self.call.where} measures {metric}, not L2, so"
                " somebody else made it; release the collection and drop that index, then Twinlens makes its own"
            )

    def index_params(self, index: Mapping[str, Any]) -> Any:  # noqa: ANN401 - pymilvus has no types
        """Return *index* as the client's `create_index` takes it; of the descriptors by L2 where it does not say."""
        made = library().MilvusClient.prepare_index_params()
        made.add_index(**{**INDEXED, **index})
        return made

    def load(self) -> None:
        """Load the collection; at once where it is loaded."""
        Caller(self.call.where, LOAD_S, self.call.lock)(self.client.load_collection, self.name)

    def point(self, alias: str, keep_as: str) -> None:
        """
        Let *alias* stand for this collection from now on; a collection of that name becomes *keep_as*.

        Between renaming and naming, the name is not there for a few milliseconds; an alias that is there is
        changed at once.
        """
        told = Collection(self.client, alias, self.call).description()
        if told is not None and told["collection_name"] == alias:
            self.call(self.client.rename_collection, alias, keep_as)
            told = None
        if told is None:
            self.call(self.client.create_alias, self.name, alias)
        elif told["collection_name"] != self.name:
            self.call(self.client.alter_alias, self.name, alias)

    def close(self) -> None:
        """Let others write, and let go of the connection."""
        if self._lease is not None:
            self._lease.give_up()
            self._lease = self._written_under = None
        self.client.close()

    # -- reading

    @property
    def newest(self) -> str:
        """
        The cheapest consistency that misses nothing.

        Who has written under the lease that it holds was the last to write; before that, it may have been anybody.
        A 2.3.5 server does not tell the time of a deletion, so the next write must come first.
        """
        sole = self._lease is not None and self._lease is self._written_under and not self._lease.lost
        return SESSION if sole else STRONG

    def get(self, ids: Sequence[str], fields: Sequence[str] = FIELDS, consistency: str = "") -> dict[str, Row]:
        """Return the *fields* of the rows with these primary keys, by key."""
        options = {"output_fields": list(fields), "consistency_level": consistency or self.newest}
        rows = self._query(ids=list(ids), **options) if ids else []
        return {row["id"]: row for row in rows}

    def where(self, field: str, digests: Sequence[str], fields: Sequence[str] = WHOLE) -> list[Row]:
        """Return the *fields* of all rows whose *field*, hexadecimal text, is one of *digests*."""
        rows = self._query(filter=_among(field, digests), limit=LIMIT, output_fields=list(fields))
        return rows if len(rows) < LIMIT else list(self.rows(_among(field, digests), fields))

    def with_bytes(self, digests: Sequence[str]) -> dict[str, Row]:
        """Return, by sha256, one row, whole, with each of *digests* that there is."""
        found: dict[str, Row] = {}
        missing = [digest for digest in digests if is_digest(digest)]
        while missing:
            limit = min(LIMIT, 2 * len(missing))
            rows = self._query(filter=_among("sha256", missing), limit=limit)
            found |= {row["sha256"]: row for row in rows}
            missing = [digest for digest in missing if digest not in found] if len(rows) == limit else []
        return found

    def rows(self, condition: str = "", fields: Sequence[str] = WHOLE) -> Iterator[Row]:
        """Yield the *fields* of all rows that meet *condition*, page by page, by the order of their keys."""
        pages = self._read(
            self.client.query_iterator,
            self.name,
            batch_size=min(self.page, WHOLE_PAGE) if "descriptor" in fields else self.page,
            filter=condition,
            output_fields=list(fields),
            consistency_level=STRONG,
        )
        while page := self.call(lambda timeout: pages.next()):  # noqa: ARG005 - it has no timeout of its own
            yield from page
        pages.close()

    def near(self, queries: Matrix, limit: int) -> list[list[Found]]:
        """
        Return for each query the *limit* nearest originals, nearest first.

        Asked for no field in particular, Lite sends all, thumbnails too: half of a search's time went there.
        """
        found = self._read(
            self.client.search,
            self.name,
            data=list(queries),
            anns_field="descriptor",
            limit=limit,
            search_params=self.search_params,
            partition_names=[ORIGINALS],
            output_fields=["id"],
            consistency_level=self.newest,
        )
        return [[(hit["id"], float(hit["distance"])) for hit in hits] for hits in found]

    def most_queries(self, dim: int) -> int:  # noqa: ARG002 - Lite's depends on it
        """Return how many vectors one search may carry."""
        return 256

    def count(self, partition: str) -> int:
        """Return the exact number of rows of *partition*."""
        rows = self._query(filter="", output_fields=["count(*)"], partition_names=[partition])
        return int(rows[0]["count(*)"])

    def count_where(self, condition: str) -> int:
        """Return the exact number of rows that meet *condition*."""
        return int(self._query(filter=condition, output_fields=["count(*)"])[0]["count(*)"])

    def _query(self, **options: Any) -> list[Row]:  # noqa: ANN401 - passed on
        asked = {"output_fields": WHOLE, "consistency_level": self.newest} | options
        return list(self._read(self.client.query, self.name, **asked))

    def _read(self, operation: Callable[..., Any], *args: object, **options: object) -> Any:  # noqa: ANN401 - passed on
        """Make a call that reads; where somebody has released the collection, ask for it before the next try."""

        def attempt(*, timeout: float) -> Any:  # noqa: ANN401 - as above
            try:
                return operation(*args, timeout=timeout, **options)
            except Exception as error:
                if is_unloaded(error):
                    self.client.load_collection(self.name, timeout=timeout)
                raise

        return self.call(attempt)

    # -- writing

    def claim(self) -> None:
        """Take the lease of the collection, also where *name* is an alias; nothing where this store holds it."""
        self._claimed()

    def _claimed(self) -> Lease:
        with self._claiming:
            if self._lease is None or self._lease.lost:
                told = self.call(self.client.describe_collection, self.name)
                self._lease = take(self.client, told["collection_name"], self.call, self.pace)
            return self._lease

    def _write(self, operation: Callable[..., object], *args: object, **options: object) -> None:
        """Make a call that writes; before each try of it, the lease is checked."""
        lease = self._lease or self._claimed()

        def attempt(*, timeout: float) -> None:
            lease.check(timeout=timeout)
            operation(*args, timeout=timeout, **options)

        self.call(attempt)

    def upsert(self, rows: list[Row], partition: str) -> None:
        """Write *rows*, at most 16 MB, into *partition*."""
        self._write(self.client.upsert, self.name, rows, partition_name=partition)
        self._written_under = self._lease

    def delete(self, ids: list[str], partition: str) -> None:
        """Delete rows of *partition* by primary key; absent ones are ignored."""
        self._written_under = None
        self._write(self.client.delete, self.name, ids=ids, partition_name=partition)


def _among(field: str, digests: Sequence[str]) -> str:
    listed = ", ".join(f'"{digest}"' for digest in digests)
    return f"{field} in [{listed}]"
