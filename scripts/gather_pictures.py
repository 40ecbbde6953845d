"""
Gather more pictures to train on or to measure with, from folders such as unpacked packages.

    apt-get download openclipart-png && dpkg-deb -x openclipart-png_*.deb packages/openclipart-png
    python scripts/gather_pictures.py packages/* --known ../shared/data/train --out more

Every folder is one source. Of each, a share drawn by a hash of the names is taken, reduced to a short side of 208
pixels as the development data are, and written to OUT/SOURCE/HASH.png. Left out are small and very long pictures,
such as show next to nothing, and near-copies (by a perceptual hash) of a known picture or of one taken before, so
that what is gathered may stand beside the known pictures on either side of their split.
"""

from __future__ import annotations

import hashlib
import io
import sys
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from PIL import Image

from model.augment import GREY_WEIGHTS, Pixels
from model.data import DataMissingError, name_hash, select
from model.decode import DecodeError, decode_image
from model.pairs import HASH_BITS_ALIKE, perceptual_hash
from model.preprocess import reduced

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SHORT_SIDE = 208
LEAST_SIDE = 96
LONGEST = 3.5
"""The greatest ratio of a picture's sides."""

FLAT = 10.0
"""Grey levels by which a picture must vary."""

MOST_BYTES = 12_000_000
OFFERED = 4
"""Files that are opened for each picture that is wanted; many are near-copies."""


class Seen:
    """The perceptual hashes of the pictures that are known, 64 bits each."""

    def __init__(self, hashes: Iterable[npt.NDArray[np.bool_]]) -> None:
        self._known = array("Q", [_number(bits) for bits in hashes])

    def add(self, bits: npt.NDArray[np.bool_]) -> bool:
        """Add a picture unless it is a near-copy of one that is known; tell whether it was added."""
        differing = np.bitwise_count(np.frombuffer(self._known, np.uint64) ^ np.uint64(_number(bits)))
        if differing.min(initial=len(bits)) <= HASH_BITS_ALIKE:
            return False
        self._known.append(_number(bits))
        return True


def _number(bits: npt.NDArray[np.bool_]) -> int:
    """Return 64 bits as one number."""
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def offers(folder: Path, most: int) -> list[Path]:
    """Return the files of *folder* that are opened, in the order of their names' hashes."""
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    files = [path for path in files if not path.is_symlink() and path.stat().st_size <= MOST_BYTES]
    return sorted(files, key=lambda path: name_hash(str(path.relative_to(folder))))[: OFFERED * most]


def read(path: Path) -> Pixels | None:
    """Return the reduced picture, or None for what is not wanted or cannot be read."""
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data)) as image:
            sides = sorted(image.size)
        if sides[0] < LEAST_SIDE or sides[1] > LONGEST * sides[0]:
            return None
        pixels: Pixels = reduced(decode_image(data, least_px=3 * (SHORT_SIDE // 2)).pixels, SHORT_SIDE)
    except (OSError, DecodeError, Image.DecompressionBombError):
        return None
    return pixels if (pixels @ GREY_WEIGHTS).std() >= FLAT else None


def gathered(folder: Path, most: int, seen: Seen, pool: ProcessPoolExecutor) -> Iterator[tuple[str, Pixels]]:
    """Yield name and pixels of up to *most* pictures of *folder* that are none of those *seen*."""
    paths, taken = offers(folder, most), 0
    for path, pixels in zip(paths, pool.map(read, paths, chunksize=16), strict=True):
        if taken < most and pixels is not None and seen.add(perceptual_hash(pixels)):
            taken += 1
            yield hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest()[:16], pixels


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--known", multiple=True, type=click.Path(exists=True, path_type=Path), help="Pictures to keep apart of.")
@click.option("--most", type=click.IntRange(1), default=400, show_default=True, help="Pictures of one source.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(folders: tuple[Path, ...], known: tuple[Path, ...], most: int, out: Path) -> None:
    """Write pictures out of FOLDERS to a folder for each."""
    try:
        pictures = select(known, held_out=None, at_most=sys.maxsize) if known else []
    except DataMissingError as error:
        raise click.ClickException(str(error)) from error
    seen = Seen(perceptual_hash(picture.pixels) for picture in pictures)
    with ProcessPoolExecutor() as pool:
        for folder in folders:
            (out / folder.name).mkdir(parents=True, exist_ok=True)
            names = []
            for name, pixels in gathered(folder, most, seen, pool):
                Image.fromarray(pixels).save(out / folder.name / f"{name}.png")
                names.append(name)
            click.echo(f"{folder.name}: {len(names):,} pictures")


if __name__ == "__main__":
    main()
