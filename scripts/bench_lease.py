"""
Time what the one writer's lease costs on a server: to take it and give it up, and to be turned away.

    python scripts/bench_lease.py http://127.0.0.1:19530
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import closing, suppress

from indexer.errors import LockHeld
from indexer.records import Settings
from indexer.store.lease import take
from indexer.store.milvus import open_existing, open_store

NAME = "bench_lease"
TIMES = 20


def show(what: str, action: Callable[[], object], times: int = TIMES) -> None:
    """Print the median and the longest of some times that *action* took, in milliseconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        took.append(1000 * (time.perf_counter() - start))
    print(f"{what:<14} median {statistics.median(took):7.1f} ms, longest {max(took):7.1f} ms")


def turned_away(uri: str) -> None:
    """Try to claim what another store has."""
    with closing(open_existing(uri, NAME)) as other, suppress(LockHeld):
        other.claim()


def main() -> None:
    """Measure on a collection that is made for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uri", help="a Milvus server")
    uri = parser.parse_args().uri
    with closing(open_store(uri, NAME, Settings("bench", 2, 0.01))) as store:
        table = store.table
        show("take, give up", lambda: take(table.client, NAME, table.call).give_up())
        store.claim()
        show("turned away", lambda: turned_away(uri), 5)
        table.client.drop_collection(NAME)


if __name__ == "__main__":
    main()
