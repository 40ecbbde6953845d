"""
The limit of any indexer: read and decode all JPEGs of a folder on threads, and do nothing else; print the seconds.

    python scripts/decode_only.py FOLDER THREADS            # the full size, by Pillow
    python scripts/decode_only.py FOLDER THREADS reduced    # at the scale that an ingest takes

The seconds are those of the loop alone: starting Python does not count, so that the limit is not flattering.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from PIL import Image


def full(path: Path) -> None:
    """Decode the whole picture to RGB."""
    with Image.open(path) as image:
        image.convert("RGB")


def as_an_ingest() -> Callable[[Path], object]:
    """Return what decodes at the scale that the shipped encoder needs."""
    from model import load_encoder  # noqa: PLC0415 - its memory is not the full decoder's
    from model.decode import decode_image  # noqa: PLC0415 - as above

    least_px = load_encoder(device="cpu").spec.least_px
    return lambda path: decode_image(path.read_bytes(), least_px=least_px)


def main(folder: str, threads: str, scale: str = "full") -> None:
    """Decode everything, and print the seconds."""
    paths = sorted(Path(folder).iterdir())
    decode = full if scale == "full" else as_an_ingest()
    start = perf_counter()
    with ThreadPoolExecutor(int(threads)) as pool:
        for _ in pool.map(decode, paths):
            pass
    print(perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
