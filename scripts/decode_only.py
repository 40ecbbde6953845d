"""
The limit of any indexer: read and decode all JPEGs of a folder on threads, and do nothing else; print the seconds.

    python scripts/decode_only.py FOLDER THREADS            # the full size, by Pillow
    python scripts/decode_only.py FOLDER THREADS reduced    # at the scale that an ingest takes

The seconds are those of the loop alone: starting Python does not count, so that the limit is not flattering.
"""

from __future__ import annotations

import argparse
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


def main() -> None:
    """Decode everything, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("threads", type=int)
    parser.add_argument("scale", choices=("full", "reduced"), nargs="?", default="full")
    options = parser.parse_args()
    paths = sorted(options.folder.iterdir())
    decode = full if options.scale == "full" else as_an_ingest()
    start = perf_counter()
    with ThreadPoolExecutor(options.threads) as pool:
        for _ in pool.map(decode, paths):
            pass
    print(perf_counter() - start)


if __name__ == "__main__":
    main()
