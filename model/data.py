"""
The pictures that the encoder is made and measured with, read from folders and tar files, and their split.

The split is by image: the name's hash decides, so that it does not depend on order or on what else is there.
Near-copies across the split exist (see pairs); nothing here learns a picture by heart, so they do no harm.
"""

from __future__ import annotations

import hashlib
import heapq
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.augment import FAMILIES
from model.cores import usable_cores
from model.decode import DecodeError, decode_image
from model.errors import ModelError
from model.pixels import Pixels
from model.preprocess import reduced

DEFAULT_DATA = Path("../shared/data/train")
"""Where the development data lie, from the repository's root."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

WORKERS = usable_cores()
"""Threads that decode and prepare pictures."""

AT_ONCE = 64
"""Files that are read before they are decoded."""

HELD_OUT_OF = 4
"""One picture in this many is held out: never fitted on, only measured with."""


DRAWN = "documents"
"""The source of pictures that a run draws itself (see documents)."""


class DataMissingError(ModelError):
    """There are no pictures at the given place, or they cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its *name* `source/file` and its pixels, uint8 RGB (H, W, 3)."""

    name: str
    pixels: Pixels

    @property
    def source(self) -> str:
        """The collection that it came from."""
        return self.name.rpartition("/")[0]

    @property
    def drawn(self) -> bool:
        """Whether it is known to be no copy of any other, however alike."""
        return self.source == DRAWN


class Describe(Protocol):
    """Turns one picture's pixels into one vector; thread-safe."""

    def __call__(self, pixels: Pixels, /) -> npt.NDArray[np.float32]:
        """Return float32 (F,)."""


def name_hash(name: str) -> int:
    """Return 32 bits that *name* decides."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:4], "big")


def is_held_out(name: str) -> bool:
    """Tell whether the picture of this name is kept for measuring."""
    return name_hash(name) % HELD_OUT_OF == 0


@dataclass(frozen=True, slots=True)
class _Offer:
    """An image file that could be read: its *name*, and where it lies (as *member*, where that is a tar file)."""

    name: str
    path: Path
    member: str = ""


def select(
    places: Sequence[Path], *, held_out: bool | None, at_most: int, short_side: int | None = None
) -> list[Picture]:
    """
    Read the pictures of one side of the split, or of both; of more than *at_most*, those with the smallest mixed hash.

    Only those are opened. With *short_side*, larger ones are reduced to so many pixels, so that photographs by the
    thousand stay in memory.

    Raises:
        DataMissingError: there is none, or a tar file is damaged.
    """
    offers = (offer for offer in _offers(places) if held_out is None or is_held_out(offer.name) == held_out)
    chosen = heapq.nsmallest(at_most, offers, key=lambda offer: name_hash(f"order {offer.name}"))
    decode, files, pixels = partial(_pixels, short_side=short_side), _read(chosen), dict[_Offer, Pixels | None]()
    with ThreadPoolExecutor(WORKERS) as pool:
        while some := list(islice(files, AT_ONCE)):
            pixels |= dict(pool.map(decode, some))
    pictures = [Picture(offer.name, found) for offer in chosen if (found := pixels[offer]) is not None]
    if not pictures:
        where = ", ".join(map(str, places))
        raise DataMissingError(f"no pictures at {where}: name a folder or tar files of images with --data")
    return pictures


def _offers(places: Sequence[Path]) -> Iterator[_Offer]:
    """Yield all image files in folders, and in the tar files that they hold."""
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix == ".tar" and path.is_file():
                yield from _tar_offers(path)
            elif path.suffix.lower() in SUFFIXES and path.is_file():
                yield _Offer(f"{path.parent.name}/{path.name}", path)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar file; what is wrong with it, now or while it is read, becomes a DataMissingError."""
    try:
        with tarfile.open(path) as archive:
            yield archive
    except (tarfile.TarError, OSError, EOFError) as error:
        told = f"{path} cannot be read as a tar file ({error})"
        raise DataMissingError(f"{told}: fetch it again, or name others with --data") from error


def _tar_offers(path: Path) -> Iterator[_Offer]:
    """Yield the images in a tar file."""
    with _opened(path) as archive:
        for member in archive:
            if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                yield _Offer(member.name, path, member.name)


def _read(offers: Sequence[_Offer]) -> Iterator[tuple[_Offer, bytes]]:
    """Yield each offer with its file's bytes, in the order of places."""
    for path, group in groupby(sorted(offers, key=lambda offer: str(offer.path)), key=lambda offer: offer.path):
        if path.suffix != ".tar":
            yield from ((offer, path.read_bytes()) for offer in group)
            continue
        wanted = {offer.member: offer for offer in group}
        with _opened(path) as archive:
            for member in archive:
                if member.name in wanted and (file := archive.extractfile(member)) is not None:
                    yield wanted[member.name], file.read()


def _pixels(read: tuple[_Offer, bytes], short_side: int | None) -> tuple[_Offer, Pixels | None]:
    """Decode a file's bytes; None when they are no readable image."""
    offer, data = read
    try:
        pixels: Pixels = decode_image(data, least_px=None if short_side is None else 3 * (short_side // 2)).pixels
    except DecodeError:
        return offer, None
    return offer, pixels if short_side is None else reduced(pixels, short_side)


def edited(picture: Picture, family: str, strength: float, take: int = 0) -> Pixels:
    """Return the edited pixels; picture, family, strength and *take* decide the randomness."""
    rng = np.random.default_rng([name_hash(picture.name), name_hash(family), round(strength * 1000), take])
    return FAMILIES[family](picture.pixels, rng, strength)


def describe_edits(
    describe: Describe, pictures: Sequence[Picture], families: Sequence[str], *, strength: float, workers: int
) -> npt.NDArray[np.float32]:
    """Return what *describe* gives for each picture and family, float32 (N, K, F)."""
    one = partial(_describe_one, describe, families, strength)
    with ThreadPoolExecutor(workers) as pool:
        return np.stack(list(pool.map(one, pictures)))


def _describe_one(
    describe: Describe, families: Sequence[str], strength: float, picture: Picture
) -> npt.NDArray[np.float32]:
    """Return (K, F) for one picture."""
    takes = enumerate(families)
    return np.stack([describe(edited(picture, family, strength, take)) for take, family in takes])


def describe_all(describe: Describe, pictures: Sequence[Picture], *, workers: int) -> npt.NDArray[np.float32]:
    """Return what *describe* gives for each picture as it is, float32 (N, F)."""
    with ThreadPoolExecutor(workers) as pool:
        return np.stack(list(pool.map(lambda picture: describe(picture.pixels), pictures)))
