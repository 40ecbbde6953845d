"""
The store on Milvus: Milvus Lite by a path that ends in `.db`, a server by its address.

    store = open_store("archive.db", "images", settings)      # made when absent
    store = open_existing("http://host:19530", "images")      # its settings are read back
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np

from indexer import metric
from indexer.errors import ConfigError, StoreError
from indexer.records import Counts, Entry, Head, Hits, Match, Matrix, Settings, Vector, entry_id
from indexer.store import engine
from indexer.store.access import ACCESS, Access, check_address, database_of, tls_options
from indexer.store.check import check_entries, check_queries
from indexer.store.collection import BOUNDED, LIMIT, Collection, Found, Row
from indexer.store.door import CONNECT_S, Caller, is_server, library, shown
from indexer.store.lite import LiteCollection, checked_path, hold
from indexer.store.rows import (
    COPIES,
    FIELDS,
    HEAD,
    MISSING,
    NEAR,
    ORIGINALS,
    WHOLE,
    partition_of,
    row_id,
    thumbnail_of,
    to_entry,
    to_head,
    to_row,
)
from indexer.store.stamp import refuse_mixing, settings_of

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_ROUNDING = 1e-5
"""Squared distances are reported in float32: off by up to 2e-7 of themselves, so by less than this."""

_BATCH_BYTES = 16 * 2**20
_ROW_BYTES = 36 * 2**10
_KEYS = 2000
_HITS_PER_CALL = 65536


def prepare_library(uri: str) -> None:
    """Import what opening a store at *uri* needs now: pymilvus takes half a second, Milvus Lite a fifth."""
    if is_server(uri):
        library()
    else:
        engine.library()


def open_store(  # noqa: PLR0913 - options by name
    uri: str,
    collection: str,
    wanted: Settings,
    *,
    access: Access = ACCESS,
    create: bool = True,
    own: Sequence[str] = (),
) -> MilvusStore:
    """
    Open *collection* at *uri* for an encoder and rule, and make it when it is absent and *create* is set.

    The settings named in *own* (`radius`, `second_look`, `max_changed`) are for a new collection only; one that is
    there keeps its own. So do the two numbers that a second look goes by, always.

    Raises:
        ConfigError: the URI, the token or TLS is wrong; the collection is not ours, or has other settings.
        LockHeld: another process holds the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.
    """
    with _connected(uri, collection, access, create=create) as table:
        if create and table.description() is None:
            _make(table, wanted)
        return _opened(table, uri, wanted, own)


def open_existing(uri: str, collection: str, *, access: Access = ACCESS) -> MilvusStore:
    """
    Open *collection* at *uri* as it is; its settings are in `.settings`.

    Raises:
        ConfigError: the URI, the token or TLS is wrong, or there is no such collection of ours.
        LockHeld: another process holds the Milvus Lite file.
        StoreError: the server cannot be reached, or refuses.
    """
    with _connected(uri, collection, access, create=False) as table:
        return _opened(table, uri, None)


def has_collection(uri: str, collection: str, *, access: Access = ACCESS) -> bool:
    """Return whether *collection* is at *uri*; nothing is made. Raises as open_existing does, were it there."""
    return stands_for(uri, collection, access=access) is not None


def stands_for(uri: str, name: str, *, access: Access = ACCESS) -> str | None:
    """Return which collection *name* is or is an alias of; None where there is none. Raises as open_existing does."""
    if not is_server(uri) and not checked_path(uri).is_dir():
        return None
    with _connected(uri, name, access, create=False) as table, closing(table):
        told = table.description()
        return None if told is None else str(told.get("collection_name", name))


def switch(uri: str, alias: str, collection: str, keep_as: str, *, access: Access = ACCESS) -> None:
    """See Collection.point; raises as open_existing does."""
    with _connected(uri, collection, access, create=False) as table, closing(table):
        table.point(alias, keep_as)


@contextmanager
def _connected(uri: str, name: str, access: Access, *, create: bool) -> Iterator[Collection]:
    """Yield the collection that *name* would be; it is closed again if opening the store fails."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a collection; use letters, digits and _, a digit not first")
    table = _on_server(uri, name, access) if is_server(uri) else _in_file(uri, name, access.timeout_s, create=create)
    try:
        yield table
    except BaseException:
        table.close()
        raise


def _on_server(uri: str, name: str, access: Access) -> Collection:
    check_address(uri, access.tls)
    reach = Caller(shown(uri), min(CONNECT_S, access.timeout_s))
    alone = {"dedicated": True}  # or another store's channel is taken, with that one's certificates
    client = reach(library().MilvusClient, uri, token=access.token or "", **alone, **tls_options(access.tls))
    if database_of(uri):
        reach(client.list_collections)  # elsewhere, a 2.3.5 server tells of a missing database in many ways
    return Collection(client, name, Caller(shown(uri), access.timeout_s))


def _in_file(uri: str, name: str, timeout_s: float, *, create: bool) -> Collection:
    path = checked_path(uri)
    if not create and not path.is_dir():
        raise ConfigError(f"there is no Milvus Lite file {uri}; make it with twinlens ingest")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {path.parent} for {uri}: {error.strerror}; name another path") from error
    return LiteCollection(hold(path), name, timeout_s)


def _make(table: Collection, wanted: Settings) -> None:
    """Make the collection; where another run was quicker, what that one made is there to be compared."""
    try:
        table.make(wanted)
    except StoreError:
        if table.description() is None:
            raise


def _opened(table: Collection, uri: str, wanted: Settings | None, own: Sequence[str] = ()) -> MilvusStore:
    description = table.description()
    if description is None:
        there = ", ".join(table.others()) or "none"
        raise ConfigError(
            f"there is no collection {table.name} at {shown(uri)} (there: {there}); make it with twinlens ingest"
        )
    found = settings_of(f"the collection {table.name} at {shown(uri)}", description)
    if wanted is not None:
        refuse_mixing(table.name, found, replace(wanted, **{name: getattr(found, name) for name in own}))
    table.rename(description.get("collection_name", table.name))  # an alias may be switched; an open store stays
    table.prepare()
    return MilvusStore(table, found)


class MilvusStore:
    """
    One collection in Milvus; see Store for the contract, open_store and open_existing for making one.

    Attributes:
        table: the calls to the back end, for those who measure them.
        settings: see Store.settings.
    """

    def __init__(self, table: Collection, settings: Settings) -> None:
        self.table = table
        self.settings = settings

    def claim(self) -> None:
        """See Store.claim."""
        self.table.claim()

    def get(self, uris: Sequence[str]) -> dict[str, Entry]:
        """See Store.get."""
        found: dict[str, Entry] = {}
        for part in _parts(list(dict.fromkeys(uris)), _KEYS // 2):
            ids = [row_id(uri, original=role) for uri in part for role in (True, False)]
            entries = [to_entry(row) for row in self.table.get(ids).values()]
            found |= {entry.uri: entry for entry in sorted(entries, key=lambda entry: entry.is_original)}
        return {uri: found[uri] for uri in uris if uri in found}

    def with_bytes(self, digests: Sequence[str]) -> dict[str, Entry]:
        """See Store.with_bytes."""
        found: dict[str, Entry] = {}
        for part in _parts(list(dict.fromkeys(digests)), _KEYS):
            found |= {digest: to_entry(row) for digest, row in self.table.with_bytes(part).items()}
        return found

    def near(self, queries: Matrix, most: int | None = None) -> list[Hits]:
        """See Store.near."""
        check_queries(queries, self.settings.dim)
        hits: list[Hits] = []
        size = self.table.most_queries(self.settings.dim)
        for start in range(0, len(queries), size):
            hits += self._near(queries[start : start + size], LIMIT if most is None else most)
        return hits

    def _near(self, queries: Matrix, most: int) -> list[Hits]:
        """Ask for more and more of the nearest until the farthest is outside the radius, or *most* lie nearer."""
        edge = metric.to_squared(self.settings.radius) * (1 + _ROUNDING)
        inside: list[list[Found]] = [[] for _ in queries]
        waiting, cut = list(range(len(queries))), list[int]()
        for limit in self.table.limits:
            if not waiting:
                break
            for index, found in zip(waiting, self._nearest(queries[waiting], limit), strict=True):
                inside[index] = [(key, squared) for key, squared in found if squared < edge]
            full = [index for index in waiting if len(inside[index]) == limit]
            cut += [index for index in full if _nearer(inside[index]) >= most]
            waiting = [index for index in full if _nearer(inside[index]) < most]
        rows = self._rows_of(queries, inside)
        return [
            self._judged(query, [rows[key] for key, _ in found if key in rows], most, more=index in (*waiting, *cut))
            for index, (query, found) in enumerate(zip(queries, inside, strict=True))
        ]

    def _nearest(self, queries: Matrix, limit: int) -> Iterator[list[Found]]:
        for part in _parts(list(queries), max(1, _HITS_PER_CALL // limit)):
            yield from self.table.near(np.stack(part), limit)

    def _rows_of(self, queries: Matrix, inside: list[list[Found]]) -> dict[str, Row]:
        """
        Return the rows that were found, by key.

        A server's cheap read may be older than what the search saw, so each row must be at the distance that
        the search told; those that are not are read again.
        """
        rows = self._got({key for found in inside for key, _ in found}, BOUNDED)
        doubtful = {
            key
            for query, found in zip(queries, inside, strict=True)
            for key, squared in found
            if key not in rows or not _agrees(query, rows[key], squared)
        }
        return {key: row for key, row in rows.items() if key not in doubtful} | self._got(doubtful)

    def _got(self, keys: set[str], consistency: str = "") -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for part in _parts(sorted(keys), _KEYS):
            rows |= self.table.get(part, NEAR, consistency)
        return {key: row | {"thumbnail": thumbnail_of(row)} for key, row in rows.items()}

    def _judged(self, query: Vector, rows: Sequence[Row], most: int, *, more: bool) -> Hits:
        others = np.asarray([row["descriptor"] for row in rows], dtype=np.float32).reshape(-1, len(query))
        distances = metric.distances(query, others)
        matches = (Match(row["uri"], float(d), row["thumbnail"]) for row, d in zip(rows, distances, strict=True))
        inside = [match for match in matches if metric.inside(match.distance, self.settings.radius)]
        ranked = sorted(inside, key=lambda match: (match.distance, match.uri))
        return Hits(tuple(ranked[:most]), more or len(ranked) > most)

    def copies_of(self, uris: Sequence[str], *, pictures: bool = True) -> dict[str, list[Entry]]:
        """See Store.copies_of."""
        found: dict[str, list[Entry]] = {}
        fields = WHOLE if pictures else FIELDS
        for part in _parts(list(dict.fromkeys(uris)), _KEYS):
            for row in self.table.where("original_id", [entry_id(uri) for uri in part], fields):
                found.setdefault(row["original"], []).append(to_entry(row))
        return found

    def put(self, entries: Sequence[Entry]) -> None:
        """See Store.put."""
        check_entries(entries, self.settings)
        for original in (True, False):
            rows = {entry.id: to_row(entry) for entry in entries if entry.is_original is original}
            for part in _parts(list(rows.values()), _BATCH_BYTES // (_ROW_BYTES + 4 * self.settings.dim)):
                self.table.upsert(part, partition_of(original=original))

    def remove(self, uris: Sequence[str], *, originals: bool) -> None:
        """See Store.remove."""
        for part in _parts(list(dict.fromkeys(uris)), _KEYS):
            ids = [row_id(uri, original=originals) for uri in part]
            self.table.delete(ids, partition_of(original=originals))

    def stored(self, entries: Sequence[Entry]) -> list[Entry | None]:
        """See Store.stored."""
        ids = [row_id(entry.uri, original=entry.is_original) for entry in entries]
        found: dict[str, Entry] = {}
        for part in _parts(list(dict.fromkeys(ids)), _KEYS):
            found |= {key: to_entry(row) for key, row in self.table.get(part, WHOLE).items()}
        return [found.get(key) for key in ids]

    def entries(self) -> Iterator[Entry]:
        """See Store.entries."""
        return map(to_entry, self.table.rows())

    def heads(self) -> Iterator[Head]:
        """See Store.heads."""
        return map(to_head, self.table.rows(fields=HEAD))

    def mark(self, uris: Sequence[str], missing_since: int | None) -> None:
        """See Store.mark; rows are read and written whole, since a 2.3 server cannot write a single field."""
        for part in _parts(list(dict.fromkeys(uris)), _KEYS // 2):
            ids = [row_id(uri, original=role) for uri in part for role in (True, False)]
            entries = [to_entry(row) for row in self.table.get(ids, WHOLE).values()]
            self.put([replace(entry, missing_since=missing_since) for entry in entries])

    def count(self) -> Counts:
        """See Store.count."""
        return Counts(self.table.count(ORIGINALS), self.table.count(COPIES))

    def missing(self) -> int:
        """See Store.missing."""
        return self.table.count_where(MISSING)

    def close(self) -> None:
        """See Store.close."""
        self.table.close()


def _nearer(found: Sequence[Found]) -> int:
    """Return how many of *found*, which go on beyond the last one, are surely nearer than what was not found."""
    edge = found[-1][1] * (1 - _ROUNDING)
    return sum(squared < edge for _, squared in found)


def _agrees(query: Vector, row: Row, squared: float) -> bool:
    """Return whether *row* is at the squared distance that a search told, up to float32's rounding."""
    exact = float(metric.distances(query, np.asarray([row["descriptor"]], dtype=np.float32))[0]) ** 2
    return abs(exact - squared) <= _ROUNDING * max(exact, squared)


def _parts(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
