"""
Measure the store, and the ways in which it could search; print Markdown.

    python scripts/bench_search.py store archive.db 1000 20000 100000
    python scripts/bench_search.py store http://127.0.0.1:19530 20000
    python scripts/bench_search.py look archive.db 10000
    python scripts/bench_search.py ways archive.db 20000

`store` measures the store as it is, `look` the same with a thumbnail of 2,500 bytes in each row,
`ways` compares indexes, and top-k with Milvus's own range search.
Descriptors are drawn like real ones: norm 0.03, 128 dimensions.
Each query is an edit of one of them, at 0.0099 or 0.005 from it, so it has exactly one answer.
Times without a unit are medians of five calls in milliseconds.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from indexer.records import Entry, Matrix, Settings
from indexer.store import lite
from indexer.store.collection import STRONG, Collection
from indexer.store.milvus import MilvusStore, open_existing, open_store

SETTINGS = Settings("bench", dim=128, radius=0.01)
SEED = 0
CALLS = 6
SEARCH_BYTES = 2**30
"""What one search may take on Lite, where FLAT would take 13 GB for 256 queries of 100,000 rows."""

WAYS: dict[str, tuple[dict[str, object], list[dict[str, int]]]] = {
    "FLAT": ({"index_type": "FLAT"}, [{}]),
    "IVF_FLAT, 1 list": ({"index_type": "IVF_FLAT", "nlist": 1}, [{"nprobe": 1}]),
    "IVF_FLAT, 128 lists": ({"index_type": "IVF_FLAT", "nlist": 128}, [{"nprobe": 16}, {"nprobe": 128}]),
    "HNSW, M 16": ({"index_type": "HNSW", "M": 16, "efConstruction": 128}, [{"ef": 128}]),
}

ASKED: dict[str, tuple[int, dict[str, float]]] = {
    "top-2": (2, {}),
    "top-8": (8, {}),
    "radius, limit 8": (8, {"radius": SETTINGS.radius**2}),
}


def points(count: int, norm: float, seed: int) -> Matrix:
    """Return *count* random directions of length *norm*, float32 (count, 128)."""
    drawn = np.random.default_rng(seed).normal(size=(count, SETTINGS.dim))
    made: Matrix = (norm * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return made


def edits(stored: Matrix) -> Matrix:
    """Return edits of the first 256 of *stored*, half of them just inside the radius."""
    return np.concatenate([stored[:128] + points(128, 0.0099, 1), stored[128:256] + points(128, 0.005, 2)])


def entries(stored: Matrix, thumbnail_bytes: int = 0) -> list[Entry]:
    """Return an original at each of *stored*, with a thumbnail of so many random bytes."""
    rng = np.random.default_rng(SEED)
    return [
        Entry(
            f"/photos/{n}.jpg",
            f"{n:064x}",
            1,
            1,
            640,
            480,
            "JPEG",
            None,
            None,
            False,
            vector,
            rng.bytes(thumbnail_bytes),
        )
        for n, vector in enumerate(stored)
    ]


def median_ms(call: Callable[[], object]) -> float:
    """Return the median time of five calls in milliseconds, after one that does not count."""
    call()
    times = []
    for _ in range(CALLS - 1):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def seconds(call: Callable[[], object]) -> float:
    """Return how long *call* takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def row(*cells: object) -> None:
    """Print a line of a Markdown table, numbers with three digits."""
    shown = [f"{float(f'{cell:.3g}'):g}" if isinstance(cell, float) else str(cell) for cell in cells]
    print("| " + " | ".join(shown) + " |", flush=True)


def ingest(store: MilvusStore, stored: Matrix, thumbnail_bytes: int = 0) -> None:
    """Put *stored* in the batches of an ingest."""
    made = entries(stored, thumbnail_bytes)
    for start in range(0, len(made), 512):
        store.put(made[start : start + 512])


def recall(store: MilvusStore, queries: Matrix) -> int:
    """Return how many of *queries* find exactly the original that they were made from."""
    hits = store.near(queries)
    return sum([m.uri for m in hit.matches] == [f"/photos/{n}.jpg"] for n, hit in enumerate(hits))


STORE_COLUMNS = [
    "rows",
    "open s",
    "put rows/s",
    "near 1",
    "near 64",
    "near 256",
    "found of 256",
    "found of 300 equal",
    "get 256",
    "with_bytes 256 by scan",
    "table of digests s",
    "with_bytes 256 by key",
    "count",
    "RSS MB",
    "disk MB",
]


def bench_store(uri: str, counts: list[int], thumbnail_bytes: int = 0) -> None:
    """Print a row of figures for each number of rows."""
    row(*STORE_COLUMNS)
    row(*["---:"] * len(STORE_COLUMNS))
    for count in counts:
        name = f"bench_{count}_{time.time_ns()}"
        stored = points(count, 0.03, SEED)
        stored[-300:] = stored[-1]
        with closing(open_store(uri, name, SETTINGS)) as store:
            put_s = seconds(functools.partial(ingest, store, stored, thumbnail_bytes))
        start = time.perf_counter()
        with closing(open_existing(uri, name)) as store:
            row(count, time.perf_counter() - start, count / put_s, *_reads(store, stored), _disk_mb(uri, name))
            store.table.client.drop_collection(name)


def bench_look(uri: str, counts: list[int]) -> None:
    """Print what `bench_store` does, with thumbnails as a second look needs them."""
    bench_store(uri, counts, thumbnail_bytes=2500)


def _disk_mb(uri: str, name: str) -> float:
    """Return what the collection takes on disk; not known of a server."""
    return sum(file.stat().st_size for file in Path(uri).glob(f"**/{name}/**/*") if file.is_file()) / 2**20


def _reads(store: MilvusStore, stored: Matrix) -> Iterator[object]:
    queries = edits(stored)
    for size in (1, 64, 256):
        yield median_ms(functools.partial(store.near, queries[:size]))
    yield recall(store, queries)
    yield len(store.near(stored[-1:])[0].matches)
    yield median_ms(functools.partial(store.get, [f"/photos/{n}.jpg" for n in range(256)]))
    by_bytes = functools.partial(store.with_bytes, [f"{n:064x}" for n in range(100, 356)])
    yield median_ms(by_bytes)
    for _ in range(lite.SCANS_FIRST - CALLS):
        store.with_bytes(["0" * 64])
    yield seconds(by_bytes)
    yield median_ms(by_bytes)
    yield median_ms(store.count)
    yield resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_ways(uri: str, counts: list[int]) -> None:
    """Print a row for each index and way of searching."""
    row("rows", "index", "asked", "way", "build s", "1 query", "64 queries", "256 queries", "found of 256")
    row("---:", "---", "---", "---", *["---:"] * 5)
    for count in counts:
        stored = points(count, 0.03, SEED)
        name = f"ways_{count}_{time.time_ns()}"
        with closing(open_store(uri, name, SETTINGS)) as store:
            ingest(store, stored)
            for label, (index, probes) in WAYS.items():
                build_s = rebuilt(store.table, index)
                for probe, way in itertools.product(probes, ASKED):
                    asked = " ".join(f"{key} {value}" for key, value in probe.items())
                    row(count, label, asked, way, build_s, *_searches(store.table, edits(stored), probe, way))
            store.table.client.drop_collection(name)


def _searches(table: Collection, queries: Matrix, probe: dict[str, int], way: str) -> Iterator[object]:
    limit, extra = ASKED[way]
    params = {"metric_type": "L2", "params": probe | extra}
    at_once = 256
    if isinstance(table, lite.LiteCollection):
        at_once = max(1, min(256, SEARCH_BYTES // (4 * SETTINGS.dim * table.count("originals"))))

    def search(size: int) -> list[list[dict[str, object]]]:
        found: list[list[dict[str, object]]] = []
        for start in range(0, size, at_once):
            found += table.client.search(
                table.name,
                data=list(queries[start : min(size, start + at_once)]),
                limit=limit,
                search_params=params,
                partition_names=["originals"],
                consistency_level=STRONG,
            )
        return found

    for size in (1, 64, 256):
        yield median_ms(functools.partial(search, size))
    wanted = ["o" + entry.id for entry in entries(queries)]
    yield sum(key in [hit["id"] for hit in hits] for key, hits in zip(wanted, search(256), strict=True))


def rebuilt(table: Collection, index: dict[str, object]) -> float:
    """Replace the index of *table*, and return the seconds until it is built and loaded."""
    client = table.client
    client.flush(table.name)
    client.release_collection(table.name)
    client.drop_index(table.name, "descriptor")
    build = {key: value for key, value in index.items() if key != "index_type"}
    made = client.prepare_index_params()
    made.add_index(
        "descriptor",
        metric_type="L2",
        index_type=index["index_type"],
        params={"params": build} if isinstance(table, lite.LiteCollection) else build,
    )
    start = time.perf_counter()
    client.create_index(table.name, made)
    while client.describe_index(table.name, "descriptor").get("pending_index_rows", 0):
        time.sleep(0.1)
    client.load_collection(table.name)
    return time.perf_counter() - start


def main() -> None:
    """Print the versions and settings, then the table that was asked for."""
    what, uri, *counts = sys.argv[1:]
    names = ("pymilvus", "milvus-lite", "faiss-cpu", "numpy")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    print(f"`scripts/bench_search.py {' '.join(sys.argv[1:])}`\n")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {SETTINGS}; seed {SEED};")
    print(f"flush every {lite.FLUSH_ROWS} rows; {lite.SEARCH_BYTES >> 20} MB a search\n")
    {"store": bench_store, "look": bench_look, "ways": bench_ways}[what](uri, [int(count) for count in counts])


if __name__ == "__main__":
    main()
