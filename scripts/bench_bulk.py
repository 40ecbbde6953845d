"""
What a server's own bulk import gains over plain upserts, for a collection that starts empty.

    python scripts/bench_bulk.py FOLDER 100000 http://127.0.0.1:19530

FOLDER is where the server can read files: its own disk, since it is one with local storage. Tried on 2.3.5, whose
bulk import is the call of pymilvus's that ends with pymilvus 3.0; later servers have another.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from bench_exchange import DIM, SETTINGS, THUMBNAIL_BYTES, fill
from measuring import table, versions

from indexer.records import Entry
from indexer.store.milvus import open_store
from indexer.store.rows import COPIES, ORIGINALS, to_row

FILE_ROWS = 20_000
"""Rows of one file: some 80 MB."""

PATIENCE_S = 600.0


def made(uri: str, name: str, entries: list[Entry], folder: Path) -> list[tuple[str, float]]:
    """Import *entries* in bulk into the empty collection *name*; return the seconds of each step."""
    start = time.perf_counter()
    files = [(part, written(folder / f"{part}-{number}.parquet", rows)) for part, number, rows in cut(entries)]
    done_writing = time.perf_counter()
    imported(uri, name, files)
    done = time.perf_counter()
    with closing(open_store(uri, name, SETTINGS)) as store:
        visible(store, len(entries))
    return [
        ("write files", done_writing - start),
        ("import", done - done_writing),
        ("until all are seen", time.perf_counter() - done),
    ]


def cut(entries: list[Entry]) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
    """Yield rows for files of one partition each, with their numbers."""
    for part, original in ((ORIGINALS, True), (COPIES, False)):
        rows = [to_row(entry) for entry in entries if entry.is_original is original]
        for start in range(0, len(rows), FILE_ROWS):
            yield part, start // FILE_ROWS, rows[start : start + FILE_ROWS]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write *rows* as the server reads them."""
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "descriptor"}
    vectors = pa.array([row["descriptor"] for row in rows], pa.list_(pa.float32()))
    pq.write_table(pa.table({**columns, "descriptor": vectors}), path)
    return path


def imported(uri: str, name: str, files: list[tuple[str, Path]]) -> None:
    """Let the server import *files*, each into its partition, and wait until it has."""
    from pymilvus import connections, utility  # noqa: PLC0415 - after the door has quietened it

    where = urlsplit(uri)
    connections.connect("default", host=where.hostname, port=str(where.port))
    tasks = [utility.do_bulk_insert(name, [str(path)], partition_name=part) for part, path in files]
    for task in tasks:
        until(lambda task=task: state_of(utility.get_bulk_insert_state(task)))


def state_of(state: Any) -> bool:  # noqa: ANN401 - pymilvus has no types
    """Return whether a task is done; raises SystemExit when it failed."""
    if "Failed" in state.state_name:
        raise SystemExit(f"the server failed: {state}")
    return bool(state.state_name == "Completed")


def visible(store: Any, rows: int) -> None:  # noqa: ANN401 - as above
    """Wait until *store* shows all *rows*."""
    until(lambda: store.count().total >= rows)


def until(true: Any) -> None:  # noqa: ANN401 - a function without arguments
    """Ask *true* until it is."""
    end = time.perf_counter() + PATIENCE_S
    while not true():
        if time.perf_counter() > end:
            raise SystemExit(f"waited for {PATIENCE_S:.0f} s")
        time.sleep(0.2)


def main() -> None:
    """Print what both ways take for as many rows, how many times as fast the bulk is, and what a repetition does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("uri", help="a Milvus server")
    options = parser.parse_args()
    folder, rows, uri = options.folder.resolve(), options.rows, options.uri
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    fill(uri, rows)
    plain = time.perf_counter() - start
    with closing(open_store(uri, "images", SETTINGS)) as store:
        visible(store, rows)
        entries = list(store.entries())
    open_store(uri, "bulk", SETTINGS).close()
    steps = made(uri, "bulk", entries, folder)
    bulk = sum(seconds for _, seconds in steps)
    print(f"{rows} rows, {DIM} dimensions, thumbnails of {THUMBNAIL_BYTES} bytes")
    print(f"{versions('pymilvus', 'milvus', 'pyarrow')}\n")
    print(
        table(["step", "s"], [("upserts of 1000, entries made on the way", plain), *steps, ("bulk, all steps", bulk)])
    )
    print(f"\nbulk import is {plain / bulk:.1f} times as fast")
    with closing(open_store(uri, "bulk", SETTINGS)) as store:
        same = all(map(equal, entries[:1000], store.get([entry.uri for entry in entries[:1000]]).values()))
        print(f"of 1000 rows all are the same: {same}")
        imported(uri, "bulk", [(ORIGINALS, folder / f"{ORIGINALS}-0.parquet")])
        until(lambda: store.count().total > rows)
        print(f"after one file was imported again: {store.count().total} rows of {rows} images")


def equal(one: Entry, other: Entry) -> bool:
    """Return whether two entries are equal, bit by bit but for the thumbnail, which `get` leaves out."""
    return (
        one.uri == other.uri and one.sha256 == other.sha256 and one.descriptor.tobytes() == other.descriptor.tobytes()
    )


if __name__ == "__main__":
    main()
