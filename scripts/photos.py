"""
Make a folder of real JPEGs to measure with; run as a process of its own, so that its memory is nobody else's.

    python scripts/photos.py ../shared/data/train FOLDER 2000
    python scripts/photos.py ../shared/data/train FOLDER 200 --megapixels 12

The first so many JPEGs of the tar files, in the order of their names. With `--megapixels` each is enlarged to that
size, gets grain as a sensor gives it (else it would be smooth, and cheaper to decode than a photo of that size), and
is encoded again at quality 85.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.cores import usable_cores

GRAIN = 4.0
"""Standard deviation of the grain, in grey levels."""

QUALITY = 85
_TILE = 2048


def jpegs(data: Path) -> Iterator[bytes]:
    """Yield the JPEGs in the tar file *data*, or in the tar files of that folder."""
    for path in sorted(data.glob("*.tar")) if data.is_dir() else [data]:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.name.endswith((".jpg", ".jpeg")) else None
                if file:
                    yield file.read()


@cache
def _grain() -> npt.NDArray[np.int16]:
    drawn = np.random.default_rng(0).normal(0, GRAIN, (_TILE, _TILE, 1))
    return np.rint(drawn).astype(np.int16)


def enlarged(jpeg: bytes, megapixels: float, seed: int) -> bytes:
    """Return the picture as a JPEG of about so many *megapixels*, with grain."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    share = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    pixels = np.array(picture.resize(size, Image.Resampling.BICUBIC))
    grain = np.roll(_grain(), np.random.default_rng(seed).integers(_TILE, size=2), axis=(0, 1))
    for top in range(0, size[1], _TILE):
        for left in range(0, size[0], _TILE):
            part = pixels[top : top + _TILE, left : left + _TILE]
            np.clip(part + grain[: part.shape[0], : part.shape[1]], 0, 255, out=part, casting="unsafe")
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _write(folder: Path, megapixels: float | None, numbered: tuple[int, bytes]) -> None:
    number, jpeg = numbered
    (folder / f"{number:06}.jpg").write_bytes(enlarged(jpeg, megapixels, number) if megapixels else jpeg)


def make(data: Path, folder: Path, count: int, megapixels: float | None = None) -> int:
    """Write the first *count* JPEGs of *data* into the new *folder*, and return how many there were."""
    folder.mkdir(parents=True)
    with ThreadPoolExecutor(usable_cores()) as threads:
        numbered = enumerate(islice(jpegs(data), count))
        while block := list(islice(numbered, 256)):
            list(threads.map(partial(_write, folder, megapixels), block))
    return sum(1 for _ in folder.iterdir())


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description="Make a folder of real JPEGs to measure with.")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--megapixels", type=float)
    options = parser.parse_args()
    made = make(options.data, options.folder, options.count, options.megapixels)
    if made < options.count:
        sys.exit(f"{options.data} holds only {made} JPEGs; ask for {made} at most, or name other data")


if __name__ == "__main__":
    main()
