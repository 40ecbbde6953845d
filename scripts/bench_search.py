"""
Measure the store, and the ways in which it could search; print Markdown.

    python scripts/bench_search.py search archive.db 10000 100000
    python scripts/bench_search.py search server 10000 100000 --queries 300 --json search.json
    python scripts/bench_search.py search server 1000000 --index 'as it is' IVF    # HNSW takes hours to build
    python scripts/bench_search.py pace archive.db 20000
    python scripts/bench_search.py store archive.db 1000 20000 100000
    python scripts/bench_search.py look archive.db 10000
    python scripts/bench_search.py ways http://127.0.0.1:19530 20000

`search` measures what a user waits for: `near` of one vector and of many, on data without neighbours and on data of
which 30 % lie near each other, with each index that the back end has; answers are held against brute force.
`pace` measures batches of an ingest (look-up, search, write) by the size of a batch, and on Lite of a flush.
`store` measures all operations of the store as it is, `look` the same with a thumbnail of 2,500 bytes in each row,
`ways` compares top-k with Milvus's own range search.
Memory is the whole process's, so of several sizes in one call only the first is untouched by the others.
`server` as address starts a Milvus server for the while (package milvus, as the tests do), at its usual pace.
Descriptors are drawn like real ones: norm 0.03, 128 dimensions.
In `store`, `look` and `ways` each query is an edit of one row, at 0.0099 or 0.005 from it, so it has one answer.
Times without a unit are milliseconds; but for `search`, medians of five calls.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from descriptors import (
    DATA,
    NORM,
    SEED,
    SETTINGS,
    batches,
    digest_of,
    edits,
    entries,
    points,
    questions,
    uri_of,
    within,
)
from indexes import WAYS, asking, indexes, rebuilt
from measuring import Place, Sheet, at_address, resident_mb, versions

from indexer.records import Matrix
from indexer.store import lite
from indexer.store.collection import STRONG, Collection
from indexer.store.door import is_server
from indexer.store.milvus import MilvusStore, open_existing, open_store

CALLS = 6
SEARCH_BYTES = 2**30
"""What one search may take on Lite, where FLAT would take 13 GB for 256 queries of 100,000 rows."""

ASKED: dict[str, tuple[int, dict[str, float]]] = {
    "top-2": (2, {}),
    "top-8": (8, {}),
    "radius, limit 8": (8, {"radius": SETTINGS.radius**2}),
}


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


def ingest(store: MilvusStore, stored: Matrix, thumbnail_bytes: int = 0) -> None:
    """Put *stored* in the batches of an ingest."""
    for batch in batches(stored, 512, thumbnail_bytes):
        store.put(batch)


def recall(store: MilvusStore, queries: Matrix) -> int:
    """Return how many of *queries* find exactly the original that they were made from."""
    hits = store.near(queries)
    return sum([m.uri for m in hit.matches] == [uri_of(n)] for n, hit in enumerate(hits))


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


def bench_store(sheet: Sheet, uri: str, counts: Sequence[int], thumbnail_bytes: int = 0) -> None:
    """Print a row of figures for each number of rows."""
    sheet.begin(*STORE_COLUMNS)
    for count in counts:
        name = f"bench_{count}_{time.time_ns()}"
        stored = points(count, NORM, SEED)
        stored[-300:] = stored[-1]
        with closing(open_store(uri, name, SETTINGS)) as store:
            put_s = seconds(functools.partial(ingest, store, stored, thumbnail_bytes))
        start = time.perf_counter()
        with closing(open_existing(uri, name)) as store:
            opened_s = time.perf_counter() - start
            sheet.add(count, opened_s, count / put_s, *_reads(store, stored), _disk_mb(uri, name))
            store.table.client.drop_collection(name)


def bench_look(sheet: Sheet, uri: str, counts: Sequence[int]) -> None:
    """Print what `bench_store` does, with thumbnails as a second look needs them."""
    bench_store(sheet, uri, counts, thumbnail_bytes=2500)


def _disk_mb(uri: str, name: str) -> float:
    """Return what the collection takes on disk; not known of a server."""
    return sum(file.stat().st_size for file in Path(uri).glob(f"**/{name}/**/*") if file.is_file()) / 2**20


def _reads(store: MilvusStore, stored: Matrix) -> Iterator[object]:
    queries = edits(stored)
    for size in (1, 64, 256):
        yield median_ms(functools.partial(store.near, queries[:size]))
    yield recall(store, queries)
    yield len(store.near(stored[-1:])[0].matches)
    yield median_ms(functools.partial(store.get, [uri_of(n) for n in range(256)]))
    by_bytes = functools.partial(store.with_bytes, [digest_of(n) for n in range(100, 356)])
    yield median_ms(by_bytes)
    for _ in range(lite.SCANS_FIRST - CALLS):
        store.with_bytes(["0" * 64])
    yield seconds(by_bytes)
    yield median_ms(by_bytes)
    yield median_ms(store.count)
    yield resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_ways(sheet: Sheet, uri: str, counts: Sequence[int]) -> None:
    """Print a row for each index and way of searching."""
    sheet.begin("rows", "index", "asked", "way", "build s", "1 query", "64 queries", "256 queries", "found of 256")
    for count in counts:
        stored = points(count, NORM, SEED)
        name = f"ways_{count}_{time.time_ns()}"
        with closing(open_store(uri, name, SETTINGS)) as store:
            ingest(store, stored)
            for label, (index, probes) in WAYS.items():
                build_s = rebuilt(store.table, index)
                for probe, way in itertools.product(probes, ASKED):
                    asked = " ".join(f"{key} {value}" for key, value in probe.items())
                    sheet.add(count, label, asked, way, build_s, *_searches(store.table, edits(stored), probe, way))
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


SEARCH_COLUMNS = [
    "rows",
    "data",
    "index",
    "put rows/s",
    "open s",
    "build s",
    "near 1: p50",
    "p99",
    "queries/s by 256",
    "recall %",
    "cut short",
    "MiB",
    "disk MiB",
]


def bench_search(sheet: Sheet, place: Place, options: argparse.Namespace) -> None:
    """Print a row for each number of rows, kind of data and index."""
    sheet.begin(*SEARCH_COLUMNS)
    uri = place.uri
    for count, kind in itertools.product(options.counts, options.data):
        stored = DATA[kind](count)
        asked = questions(stored, options.queries)
        truth = within(stored, asked)
        name = f"search_{count}_{time.time_ns()}"
        with closing(open_store(uri, name, SETTINGS)) as store:
            put_s = seconds(functools.partial(ingest, store, stored))
        start = time.perf_counter()
        with closing(open_existing(uri, name)) as store:
            opened_s, built = time.perf_counter() - start, None
            for label, way in indexes(uri, count, tuple(options.index), options.lists).items():
                build_s = None
                if way and way[0] != built:
                    built, build_s = way[0], rebuilt(store.table, way[0])
                if way:
                    asking(store.table, way[1])
                found = answers(store, asked, truth)
                held = _held_mb(place, stored), place.disk_mb()
                sheet.add(count, kind, label, count / put_s, opened_s, build_s, *found, *held)
            store.table.client.drop_collection(name)


def _held_mb(place: Place, stored: Matrix) -> float | None:
    """Return what the server holds, if it is ours, or this process without the benchmark's own vectors."""
    return place.held_mb() if is_server(place.uri) else (resident_mb() or 0.0) - stored.nbytes / 2**20


def answers(store: MilvusStore, asked: Matrix, truth: list[set[int]]) -> Iterator[object]:
    """Yield the columns that tell of answers: times of single ones, rate of many, and what was found of the truth."""
    store.near(asked[:1])
    singles = []
    for query in asked:
        start = time.perf_counter()
        store.near(query[None])
        singles.append(1000 * (time.perf_counter() - start))
    yield from (float(np.quantile(singles, share)) for share in (0.5, 0.99))
    start = time.perf_counter()
    hits = [hit for at in range(0, len(asked), 256) for hit in store.near(asked[at : at + 256])]
    yield len(asked) / (time.perf_counter() - start)
    found = sum(
        len({m.uri for m in hit.matches} & set(map(uri_of, rows))) for hit, rows in zip(hits, truth, strict=True)
    )
    yield 100 * found / sum(map(len, truth))
    yield sum(hit.truncated for hit in hits)


def bench_pace(sheet: Sheet, uri: str, counts: Sequence[int]) -> None:
    """Print the rate of an ingest that looks up, searches and puts, for sizes of a batch, and of a flush on Lite."""
    sheet.begin("rows", "batch", "flush every", "rows/s", "last tenth rows/s", "MiB")
    flushes = (None,) if is_server(uri) else (256, 512, 1024, 2048)
    for count, batch, flush in itertools.product(counts, (64, 256, 1024), flushes):
        lite.FLUSH_ROWS = flush or lite.FLUSH_ROWS
        stored, name = points(count, NORM, SEED), f"pace_{count}_{time.time_ns()}"
        with closing(open_store(uri, name, SETTINGS)) as store:
            marks = [time.perf_counter()]
            for made in batches(stored, batch, 2500):
                store.get([entry.uri for entry in made])
                store.with_bytes([entry.sha256 for entry in made])
                store.near(np.stack([entry.descriptor for entry in made]))
                store.put(made)
                marks.append(time.perf_counter())
            tenth = max(1, len(marks) // 10)
            last = batch * tenth / (marks[-1] - marks[-1 - tenth])
            held = None if is_server(uri) else round(resident_mb() or 0.0)
            sheet.add(count, batch, flush, count / (marks[-1] - marks[0]), last, held)
            store.table.client.drop_collection(name)


def main(arguments: Sequence[str]) -> None:
    """Print the versions and settings, then the table that was asked for."""
    parser = argparse.ArgumentParser(description="Measure the store, and the ways in which it could search.")
    parser.add_argument("task", choices=["search", "pace", "store", "look", "ways"])
    parser.add_argument("uri", help="a Milvus Lite path, a server's address, or `server`")
    parser.add_argument("counts", type=int, nargs="+", help="rows")
    parser.add_argument("--queries", type=int, default=300, help="queries of `search` (300)")
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA), help="of `search` (both)")
    parser.add_argument("--lists", type=int, default=0, help="of an IVF index (four times the root of the rows)")
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    parser.add_argument("--index", nargs="+", default=[""], metavar="NAME", help="only those whose name starts so")
    options = parser.parse_args(arguments)
    found = versions("pymilvus", "milvus-lite", "faiss-cpu", "numpy")
    print(f"`scripts/bench_search.py {' '.join(arguments)}`\n")
    print(", ".join(f"{name} {value}" for name, value in found.items()) + f"; {SETTINGS}; seed {SEED};")
    print(f"flush every {lite.FLUSH_ROWS} rows; {lite.SEARCH_BYTES >> 20} MB a search\n")
    sheet = Sheet()
    with at_address(options.uri) as place:
        plain = {"pace": bench_pace, "store": bench_store, "look": bench_look, "ways": bench_ways}
        if options.task == "search":
            bench_search(sheet, place, options)
        else:
            plain[options.task](sheet, place.uri, options.counts)
    if options.json:
        told: dict[str, Any] = {"versions": found, "arguments": list(arguments), "rows": sheet.rows}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
