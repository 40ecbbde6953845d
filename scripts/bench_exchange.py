"""
What export, import and migrate cost, and how much memory they take: random rows, in processes of their own.

    python scripts/bench_exchange.py FOLDER 5000 20000 [http://host:19530]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from indexer.metric import distances
from indexer.records import Entry, Settings
from indexer.store.milvus import open_store

DIM = 128
THUMBNAIL_BYTES = 2500
ORIGIN = np.zeros(DIM, np.float32)
SETTINGS = Settings("bench", DIM, 0.01, second_look=True, inner_radius=0.002, min_score=0.72, method="random")


def fill(uri: str, count: int) -> None:
    """Make a collection of *count* entries at *uri*, every fifth a copy."""
    dice = np.random.default_rng(0)
    with closing(open_store(uri, "images", SETTINGS)) as store:
        for start in range(0, count, 1000):
            store.put([_entry(number, dice) for number in range(start, min(count, start + 1000))])


def _entry(number: int, dice: np.random.Generator) -> Entry:
    is_copy = number % 5 == 0
    vector = dice.normal(size=DIM).astype(np.float32) * np.float32(0.03)
    if is_copy:
        vector = ORIGIN + vector / np.float32(100)
    elif number == 1:
        vector = ORIGIN
    return Entry(
        uri=f"/archive/{number}.jpg",
        sha256=f"{number:064x}",
        size=number,
        mtime_ns=number,
        width=640,
        height=480,
        format="JPEG",
        original="/archive/1.jpg" if is_copy else None,
        distance=float(distances(vector, ORIGIN[None])[0]) if is_copy else None,
        exact=False,
        descriptor=vector,
        thumbnail=dice.bytes(THUMBNAIL_BYTES),
    )


def measured(*arguments: object) -> tuple[float, float]:
    """Run a command of Twinlens; return the seconds that it took, and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert process.stderr is not None
    if status:
        raise SystemExit(process.stderr.read().decode())
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main(folder: Path, counts: list[int], servers: list[str]) -> None:
    """Print a row for each count and command."""
    print(f"{DIM} dimensions, thumbnails of {THUMBNAIL_BYTES} bytes\n")
    print("| rows | command | s | rows/s | peak MB | file MB |\n| ---: | --- | ---: | ---: | ---: | ---: |")
    for count in counts:
        uri, file = folder / f"{count}.db", folder / f"{count}.parquet"
        subprocess.run([sys.executable, __file__, "fill", str(uri), str(count)], check=True)  # its memory is not theirs
        target = ("--collection", f"images_{count}")
        commands: dict[str, tuple[object, ...]] = {
            "export, Lite": ("export", file, "--uri", uri),
            "import, Lite": ("import", file, "--uri", folder / f"{count}-in.db"),
            "import again, Lite": ("import", file, "--uri", folder / f"{count}-in.db"),
            "migrate, Lite to Lite": ("migrate", "--uri", uri, "--to", folder / f"{count}-to.db"),
        }
        for server in servers:
            commands["import, server"] = ("import", file, "--uri", server, *target)
            commands["export, server"] = ("export", file, "--uri", server, *target)
        for name, command in commands.items():
            seconds, memory = measured(*command)
            size = file.stat().st_size / 1e6
            print(
                f"| {count} | {name} | {seconds:.1f} | {count / seconds:.0f} | {memory:.0f} | {size:.1f} |", flush=True
            )


if __name__ == "__main__" and sys.argv[1] == "fill":
    fill(sys.argv[2], int(sys.argv[3]))
elif __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        [int(text) for text in sys.argv[2:] if text.isdecimal()],
        [a for a in sys.argv[2:] if "://" in a],
    )
