"""
Measure what size does to one search on a server, and what an index loses while a collection grows; print Markdown.

    python scripts/bench_scale.py scan server 1000 10000 100000 1000000
    python scripts/bench_scale.py grown server 100000

`scan` is about the store's own index: milliseconds an image, by how many go into one call. The nearest so many are
asked for, and entries by their URIs and by their bytes. The tick of 200 ms that a strongly consistent call waits for is
in it; a bounded one waits for none, and may miss the last seconds. Before and after all rows are flushed and indexed.
`grown` makes each index before the first row, as a store does, and asks right after the last: what a run finds
that compares images with those of its own last minutes. Answers are held against brute force.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bench_search import answers, ingest
from descriptors import DATA, SETTINGS, digest_of, questions, uri_of, within
from indexes import asking, indexes, rebuilt
from measuring import Place, Sheet, at_address, versions

from indexer.records import Matrix
from indexer.store.collection import BOUNDED, STRONG, Collection
from indexer.store.milvus import MilvusStore, open_store

SIZES = (1, 32, 256)
LIMITS = (2, 16, 128)
SCAN = ("rows", "data", "state", "reads", "at once", *(f"nearest {limit}" for limit in LIMITS), "by URI", "by bytes")
GROWN = ("rows", "data", "index", "near 1: p50", "p99", "queries/s by 256", "recall %", "cut short")


def nearest(table: Collection, queries: Matrix, limit: int, consistency: str) -> None:
    """Search as the store does, with another consistency."""
    table.client.search(
        table.name,
        data=list(queries),
        anns_field="descriptor",
        limit=limit,
        search_params=table.search_params,
        partition_names=["originals"],
        output_fields=["id"],
        consistency_level=consistency,
    )


def median_ms(call: Callable[[], object], calls: int = 3) -> float:
    """Return the median time of so many calls in milliseconds, after one that does not count."""
    times = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def scan(sheet: Sheet, place: Place, options: argparse.Namespace) -> None:
    """Print a row for each number of rows and of queries."""
    sheet.begin(*SCAN)
    for count, kind in itertools.product(options.counts, options.data):
        stored, name = DATA[kind](count), f"scan_{count}_{time.time_ns()}"
        asked = questions(stored, SIZES[-1])
        with closing(open_store(place.uri, name, SETTINGS)) as store:
            ingest(store, stored)
            for state, size in itertools.product(("as written", "flushed"), SIZES):
                if state == "flushed" and size == SIZES[0]:
                    rebuilt(store.table, store.table.index)
                sheet.add(count, kind, state, BOUNDED, size, *_searches(store, asked[:size], BOUNDED), None, None)
                strong = *_searches(store, asked[:size], STRONG), *_look_ups(store, size)
                sheet.add(count, kind, state, STRONG, size, *strong)
            store.table.client.drop_collection(name)


def _searches(store: MilvusStore, asked: Matrix, consistency: str) -> Iterator[float]:
    for limit in LIMITS:
        yield median_ms(functools.partial(nearest, store.table, asked, limit, consistency)) / len(asked)


def _look_ups(store: MilvusStore, size: int) -> Iterator[float]:
    yield median_ms(functools.partial(store.get, [uri_of(n) for n in range(size)])) / size
    yield median_ms(functools.partial(store.with_bytes, [digest_of(n) for n in range(size)])) / size


def grown(sheet: Sheet, place: Place, options: argparse.Namespace) -> None:
    """Print a row for each number of rows, kind of data, and index that was there before the rows."""
    sheet.begin(*GROWN)
    for count, kind in itertools.product(options.counts, options.data):
        stored = DATA[kind](count)
        asked = questions(stored, options.queries)
        truth = within(stored, asked)
        for label, way in indexes(place.uri, count, tuple(options.index), options.lists).items():
            name = f"grown_{count}_{time.time_ns()}"
            with closing(open_store(place.uri, name, SETTINGS)) as store:
                if way:
                    rebuilt(store.table, way[0])
                    asking(store.table, way[1])
                ingest(store, stored)
                sheet.add(count, kind, label, *answers(store, asked, truth))
                store.table.client.drop_collection(name)


def main(arguments: Sequence[str]) -> None:
    """Print the versions, then the table that was asked for."""
    parser = argparse.ArgumentParser(description="Measure a server's searches by size.")
    parser.add_argument("task", choices=["scan", "grown"])
    parser.add_argument("uri", help="a server's address, or `server`, which starts one for the while")
    parser.add_argument("counts", type=int, nargs="+", help="rows")
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA), help="kinds of data (both)")
    parser.add_argument("--queries", type=int, default=300, help="queries of `grown` (300)")
    parser.add_argument("--index", nargs="+", default=[""], metavar="NAME", help="only those whose name starts so")
    parser.add_argument("--lists", type=int, default=0, help="of an IVF index (four times the root of the rows)")
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    options, found = parser.parse_args(arguments), versions("pymilvus", "numpy")
    print(", ".join(f"{name} {value}" for name, value in found.items()) + "\n")
    sheet = Sheet()
    with at_address(options.uri) as place:
        {"scan": scan, "grown": grown}[options.task](sheet, place, options)
    if options.json:
        told = {"versions": found, "arguments": list(arguments), "rows": sheet.rows}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
