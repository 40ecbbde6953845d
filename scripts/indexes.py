"""Indexes that the store could have, and what a search asks of them."""

from __future__ import annotations

import math
import time

from indexer.records import Matrix
from indexer.store.collection import Collection
from indexer.store.door import is_server

WAYS: dict[str, tuple[dict[str, object], list[dict[str, int]]]] = {
    "FLAT": ({"index_type": "FLAT"}, [{}]),
    "IVF_FLAT, 1 list": ({"index_type": "IVF_FLAT", "nlist": 1}, [{"nprobe": 1}]),
    "IVF_FLAT, 128 lists": ({"index_type": "IVF_FLAT", "nlist": 128}, [{"nprobe": 16}, {"nprobe": 128}]),
    "HNSW, M 16": ({"index_type": "HNSW", "M": 16, "efConstruction": 128}, [{"ef": 128}]),
}

AT_LEAST = ("ef", "search_list", "reorder_k")
"""What a search asks of an index and must be no fewer than the rows that it wants."""

HNSW = WAYS["HNSW, M 16"][0]

Way = tuple[dict[str, object], dict[str, int]]
"""An index, and what a search asks of it."""


def indexes(uri: str, count: int, names: tuple[str, ...] = ("",), lists: int = 0) -> dict[str, Way | None]:
    """
    Return the indexes that suit so many rows and whose name starts with one of *names*; None is the store's own.

    Without *lists* an IVF index has four times the root of *count*, as is usual.
    """
    ways = dict[str, Way | None]({"as it is": None})
    if is_server(uri):
        ways |= _of_a_server(lists or 2 ** round(math.log2(4 * count**0.5)))
    ways["HNSW, ef 128"] = HNSW, {"ef": 128}
    if is_server(uri):
        ways["HNSW, ef 512"] = HNSW, {"ef": 512}
        ways["DISKANN"] = {"index_type": "DISKANN"}, {"search_list": 128}
    return {name: way for name, way in ways.items() if name.startswith(names)}


def _of_a_server(lists: int) -> dict[str, Way]:
    """Return the indexes of so many lists: of vectors as they are, or of codes, which SCANN checks by the vectors."""
    ways: dict[str, Way] = {}
    for kind, parts in {"IVF_FLAT": (32, 4, 1), "IVF_SQ8": (1,), "SCANN": (4, 1)}.items():
        for part in parts:
            asked = {"nprobe": lists // part} | ({"reorder_k": 512} if kind == "SCANN" else {})
            ways[f"{kind}, {lists // part} of {lists} lists"] = {"index_type": kind, "nlist": lists}, asked
    return ways


def asking(table: Collection, probe: dict[str, int]) -> None:
    """Make *table* search with *probe*; no index may look at fewer than it returns."""

    def near(queries: Matrix, limit: int) -> object:
        asked = {key: max(value, limit) if key in AT_LEAST else value for key, value in probe.items()}
        vars(table)["search_params"] = {"metric_type": "L2", "params": asked}
        return type(table).near(table, queries, limit)

    vars(table)["near"] = near


def rebuilt(table: Collection, index: dict[str, object], most_s: float = 3600.0) -> float:
    """
    Replace the index of *table*, and return the seconds until it is built and loaded.

    Raises:
        TimeoutError: it is not built after *most_s* seconds.
    """
    client = table.client
    client.flush(table.name)
    client.release_collection(table.name)
    client.drop_index(table.name, "descriptor")
    build = {key: value for key, value in index.items() if key != "index_type"}
    made = table.index_params({"index_type": index["index_type"], "params": build})
    start = time.perf_counter()
    client.create_index(table.name, made)
    while client.describe_index(table.name, "descriptor").get("pending_index_rows", 0):
        if time.perf_counter() - start > most_s:
            raise TimeoutError(f"no {index['index_type']} after {most_s:.0f} s")
        time.sleep(0.1)
    client.load_collection(table.name)
    return time.perf_counter() - start
