"""
Measures `twinlens ingest` and `twinlens query` as whole processes, from the shell.

    .venv/bin/python scripts/bench_ingest.py --tar ../shared/data/train/images-000.tar
    .venv/bin/python scripts/bench_ingest.py --tar ... --counts 500 2000 --deep 20000

For each count: ingest so many images of the tar into an empty Milvus Lite file, then again unchanged.
Then one query against a collection that holds `--deep` random descriptors besides.
Prints versions and settings first, a Markdown table, and ratios within this one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from indexer.jobs.index import Where, open_index
from indexer.records import Entry

PACKAGES = ("twinlens", "pymilvus", "milvus-lite", "onnxruntime", "pillow", "numpy")


@dataclass(frozen=True)
class Process:
    """What one process cost: seconds, CPU seconds, peak memory in MB, and its JSON summary."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    summary: dict[str, Any]


def timed(*arguments: str) -> Process:
    """Run `twinlens` to its end and return what it cost."""
    start = perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", "indexer", *arguments, "--json"], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = perf_counter() - start
        out.seek(0)
        summary = json.loads(out.readlines()[-1])
    if os.waitstatus_to_exitcode(status) not in (0, 5):
        raise SystemExit(f"twinlens {' '.join(arguments)} failed")
    return Process(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, summary)


def subset(tar: Path, count: int, folder: Path) -> Path:
    """Write the first *count* members of *tar* to a tar of their own."""
    part = folder / f"{count}.tar"
    with tarfile.open(tar) as source, tarfile.open(part, "w") as target:
        for member in source.getmembers()[:count]:
            target.addfile(member, source.extractfile(member))
    return part


def deepen(uri: str, count: int) -> None:
    """Add *count* random originals to the collection at *uri*."""
    rng = np.random.default_rng(0)
    with open_index(Where(uri)) as index:
        dim, scale = index.store.settings.dim, index.encoder.spec.scale
        for start in range(0, count, 1000):
            z = rng.standard_normal((1000, dim))
            vectors = (scale * z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
            index.store.put([_entry(start + number, vector) for number, vector in enumerate(vectors)])


def _entry(number: int, vector: np.ndarray[Any, np.dtype[np.float32]]) -> Entry:
    return Entry(f"random:{number}", f"{number:064x}", 1, 1, 1, 1, "NONE", None, None, False, vector, b"x" * 2500)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--tar", type=Path, required=True, help="a tar of images")
    parser.add_argument("--counts", type=int, nargs="+", default=[500, 2000])
    parser.add_argument("--deep", type=int, default=20000)
    options = parser.parse_args()
    if not options.tar.exists():
        raise SystemExit(f"{options.tar} is missing: name a tar of images with --tar")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores;",
        *(f"{p} {version(p)}" for p in PACKAGES),
    )
    print(f"tar {options.tar.name}, counts {options.counts}, deep {options.deep}\n")
    print("| images | run | wall s | images/s | CPU s / wall s | peak MB | seconds by stage |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count in options.counts:
            _ingest_twice(subset(options.tar, count, folder), folder / f"{count}.db", count)
        _query_deep(folder, options.deep, max(options.counts))


def _ingest_twice(tar: Path, uri: Path, count: int) -> None:
    first = timed("ingest", str(tar), "--uri", str(uri))
    again = timed("ingest", str(tar), "--uri", str(uri))
    for name, run in (("first", first), ("unchanged", again)):
        stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in run.summary["seconds_by_stage"].items())
        busy = run.cpu_s / run.wall_s
        print(
            f"| {count} | {name} | {run.wall_s:.1f} | {count / run.wall_s:.0f} | {busy:.2f} | {run.peak_mb:.0f}"
            f" | {stages} |"
        )
    print(f"| {count} | unchanged / first | {again.wall_s / first.wall_s:.3f} | | | | |", flush=True)


def _query_deep(folder: Path, deep: int, count: int) -> None:
    uri = str(folder / f"{count}.db")
    deepen(uri, deep)
    with tarfile.open(folder / f"{count}.tar") as tar:
        member = tar.getmembers()[0]
        data = (tar.extractfile(member) or sys.exit("no file")).read()
        (folder / "query.jpg").write_bytes(data + b"other bytes, same picture")
    cold = timed("query", str(folder / "query.jpg"), "--uri", uri)
    stages = ", ".join(f"{name} {1000 * spent:.0f} ms" for name, spent in cold.summary["seconds_by_stage"].items())
    print(f"\ncold query, {deep + count} entries: {cold.wall_s:.2f} s in all, {cold.peak_mb:.0f} MB; {stages}")


if __name__ == "__main__":
    main()
