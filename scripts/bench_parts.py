"""
Measure what each part of an ingest costs an image: milliseconds of processor time, one part after another.

    python scripts/bench_parts.py                       # 1,000 JPEGs as they are
    python scripts/bench_parts.py --megapixels 0.17     # enlarged to this, with grain

One thread of ours, so that no part waits for another; libraries are held to one thread as the command line holds them.
The sum, divided by the cores, is what no order of the work could beat; the parts that any indexer with this network
has, decoding and the network, are the limit of what could be gained elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import TypeVar

from measuring import ROOT, table, timed, versions

sys.path.insert(0, str(ROOT))

from indexer.cli import SURROUNDINGS

os.environ.update(SURROUNDINGS)

import numpy as np

from indexer.confirm import thumbnail
from indexer.jobs.index import settings_for
from indexer.records import Entry, Vector
from indexer.store.milvus import open_store
from indexer.verdict import MOST_LOOKS
from model.decode import Decoded, decode_image
from model.preprocess import preprocess
from model.runtime.onnx import OnnxRuntime
from model.spec import SHIPPED_WEIGHTS

A = TypeVar("A")
B = TypeVar("B")
BATCH = 256


@dataclass(slots=True)
class Parts:
    """Seconds of processor time by part, for *images*."""

    images: int
    seconds: dict[str, float] = field(default_factory=dict)

    def each(self, part: str, work: Callable[[A], B], items: Iterable[A]) -> list[B]:
        """Return *work* of each of *items*; what it takes is *part*'s."""
        start = process_time()
        done = [work(item) for item in items]
        self.seconds[part] = self.seconds.get(part, 0.0) + process_time() - start
        return done

    def rows(self) -> list[list[object]]:
        """Return a line for each part, and their sum."""
        told = {**self.seconds, "all": sum(self.seconds.values())}
        return [[part, 1000 * spent / self.images, f"{spent / told['all']:.0%}"] for part, spent in told.items()]


def read(path: Path) -> tuple[bytes, str]:
    """Return a file's bytes, and their digest."""
    data = path.read_bytes()
    return data, hashlib.sha256(data).hexdigest()


def entry(path: Path, file: tuple[bytes, str], image: Decoded, vector: Vector, look: bytes) -> Entry:
    """Return the row of an original."""
    data, digest = file
    size = (image.width, image.height, image.format)
    return Entry(str(path), digest, len(data), 1, *size, None, None, exact=False, descriptor=vector, thumbnail=look)


def measured(paths: list[Path], uri: str) -> Parts:
    """Do all parts of an ingest of *paths* into a new collection at *uri*, in batches."""
    parts, runtime = Parts(len(paths)), OnnxRuntime(SHIPPED_WEIGHTS.read_bytes())
    spec = runtime.spec
    store = open_store(uri, "images", settings_for(spec, None, None))
    for start in range(0, len(paths), BATCH):
        part = paths[start : start + BATCH]
        parts.each("look up", store.get, [[str(path) for path in part]])
        files = parts.each("read, sha256", read, part)
        parts.each("look up", store.with_bytes, [[digest for _, digest in files]])
        images = parts.each("decode", lambda file: decode_image(file[0], least_px=spec.least_px), files)
        squares = parts.each("reduce", lambda image: preprocess(image.pixels, spec), images)
        vectors = parts.each("network", lambda square: runtime.run([square])[0], squares)
        small = parts.each("thumbnail", lambda image: thumbnail(image.pixels), images)
        parts.each("search", lambda found: store.near(found, MOST_LOOKS + 1), [np.stack(vectors)])
        described = zip(part, files, images, vectors, small, strict=True)
        parts.each("write", store.put, [[entry(*one) for one in described]])
    store.close()
    return parts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what each part of an ingest costs an image.")
    parser.add_argument("--images", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--megapixels", type=float, help="enlarge each to this, with grain; by default as they are")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/train", help="a tar, or a folder of them")
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in versions("onnxruntime", "pillow", "milvus-lite").items()))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "photos")
        size = ["--megapixels", str(options.megapixels)] if options.megapixels else []
        timed([sys.executable, ROOT / "scripts" / "photos.py", options.data, folder, str(options.images), *size])
        parts = measured(sorted(folder.iterdir()), str(Path(temporary, "parts.db")))
    print(f"\n{table(('part', 'CPU ms an image', 'share'), parts.rows())}")


if __name__ == "__main__":
    main()
