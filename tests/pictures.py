"""Real photographs for tests: parts of those that scikit-image ships, with edits, as real files."""

from __future__ import annotations

import shutil
import tarfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model import augment

Pixels = npt.NDArray[np.uint8]
SHIPPED = ["astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png", "rocket.jpg"]


@cache
def photo(name: str) -> Pixels:
    """Return one of scikit-image's photographs, uint8 (H, W, 3)."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "data" / name) as image:
        return np.asarray(image.convert("RGB"))


def part(number: int) -> Pixels:
    """Return the *number*-th of many different parts of the photographs, uint8 (150, 200, 3)."""
    whole = photo(SHIPPED[number % len(SHIPPED)])
    row, column = divmod(number // len(SHIPPED), 2)
    top, left = row * 150 % (whole.shape[0] - 150), column * 200 % (whole.shape[1] - 200)
    return whole[top : top + 150, left : left + 200]


def save(pixels: Pixels, path: Path) -> Path:
    """Write *pixels* in the format of the path's ending."""
    Image.fromarray(pixels).save(path, quality=90)
    return path


def folder(path: Path, count: int = 24) -> Path:
    """Fill a folder: photographs a-*.jpg, relit ones b-*.png, exact copies of every other c-*.jpg, broken z-*.jpg."""
    path.mkdir(parents=True)
    for number in range(count):
        first = save(part(number), path / f"a-{number:02}.jpg")
        relit = augment.brightness(part(number), np.random.default_rng(number), 0.3)
        save(relit, path / f"b-{number:02}.png")
        if number % 2:
            shutil.copy(first, path / f"c-{number:02}.jpg")
    for number in range(3):
        (path / f"z-{number}.jpg").write_bytes(b"not a picture" * number)
    return path


def tar(path: Path, compression: str = "") -> Path:
    """Pack a folder into a tar beside it, perhaps compressed, as by `gz`."""
    packed = path.with_suffix(f".tar.{compression}" if compression else ".tar")
    with tarfile.open(packed, f"w:{compression}") as archive:  # type: ignore[call-overload]
        for file in sorted(path.iterdir()):
            archive.add(file, file.name)
    return packed
