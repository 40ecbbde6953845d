"""
The demo's archive: real photographs that scikit-image ships, real edits of them, and files that are broken.

It may import Pillow and `model.augment`, because it makes pictures; nothing else in `indexer` may.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps  # noqa: TID251 - makes the demo's pictures

from indexer.errors import ConfigError
from model import augment
from model.extras import how_to_install

Pixels = npt.NDArray[np.uint8]
Edit = Callable[[Pixels, np.random.Generator], Pixels]

PHOTOS = [
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
]


@dataclass(frozen=True, slots=True)
class Planted:
    """A copy that was put into the archive: the file *name*, the photograph it is *of*, and what was done to it."""

    name: str
    of: str
    edit: str


@dataclass(frozen=True, slots=True)
class DemoArchive:
    """What was made: the *archive* folder, an *upload* that is a copy of *upload_of*, and what is in them."""

    archive: Path
    upload: Path
    upload_of: str
    photos: tuple[str, ...]
    planted: tuple[Planted, ...]
    broken: tuple[str, ...]


EDITS: dict[str, tuple[str, Edit]] = {
    "relit": ("light and colours changed", partial(augment.colour, strength=0.6)),
    "zoomed": ("zoomed in and cropped", partial(augment.zoom_crop, strength=0.2)),
    "noisy": ("noise added", partial(augment.noise, strength=0.4)),
}


def make(folder: Path) -> DemoArchive:
    """
    Make the demo's archive below *folder*; what an earlier demo left there is replaced.

    Raises:
        ConfigError: scikit-image is missing, or *folder* holds something else.

    """
    mark = folder / ".made-by-twinlens-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise ConfigError(f"{folder} holds other files; name an empty or a new folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()
    archive = folder / "archive"
    for name in ("photos", "shared", "broken"):
        (archive / name).mkdir(parents=True)
    photos = {Path(name).stem: _photo(name) for name in PHOTOS}
    for stem, pixels in photos.items():
        _save(pixels, archive / "photos" / f"{stem}.jpg", quality=92)
    planted = _plant(photos, archive)
    upload = folder / "upload.webp"
    _save(EDITS["relit"][1](photos["coffee"], np.random.default_rng(5)), upload, quality=80)
    names = tuple(f"photos/{stem}.jpg" for stem in photos)
    return DemoArchive(archive, upload, "photos/coffee.jpg", names, planted, _break(archive))


def _photo(name: str) -> Pixels:
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ConfigError(f"the demo takes its photographs from scikit-image: {how_to_install('demo')}")
    with Image.open(Path(spec.origin).parent / "data" / name) as image:
        return np.asarray(image.convert("RGB"))


def _save(pixels: Pixels, path: Path, quality: int) -> None:
    Image.fromarray(pixels).save(path, quality=quality)


def _plant(photos: dict[str, Pixels], archive: Path) -> tuple[Planted, ...]:
    """Give each photograph one edited copy, some a re-saved one, and one an exact one."""
    planted = []
    for number, (stem, pixels) in enumerate(photos.items()):
        kind = list(EDITS)[number % len(EDITS)]
        text, edit = EDITS[kind]
        name = f"shared/{stem}-{kind}.png"
        _save(edit(pixels, np.random.default_rng(number)), archive / name, quality=0)
        planted.append(Planted(name, f"photos/{stem}.jpg", text))
    for stem in ("astronaut", "chelsea", "rocket"):
        name = f"shared/{stem}-resaved.webp"
        _save(photos[stem], archive / name, quality=60)
        planted.append(Planted(name, f"photos/{stem}.jpg", "saved again as WebP"))
    shutil.copy(archive / "photos" / "moon.jpg", archive / "shared" / "moon-copy.jpg")
    return (*planted, Planted("shared/moon-copy.jpg", "photos/moon.jpg", "the same file"))


def _break(archive: Path) -> tuple[str, ...]:
    whole = (archive / "photos" / "coffee.jpg").read_bytes()
    broken = {
        "empty.jpg": b"",
        "truncated.jpg": whole[: len(whole) // 2],
        "page-not-found.jpg": b"<!DOCTYPE html><title>404 Not Found</title>",
        "notes.png": b"These are notes, not a picture.\n",
        "scrambled.png": bytes(range(256)) * 8,
    }
    for name, data in broken.items():
        (archive / "broken" / name).write_bytes(data)
    return tuple(f"broken/{name}" for name in broken)


def draw(made: DemoArchive, captions: Sequence[str], path: Path) -> Path:
    """Draw each planted copy beneath its photograph, with its caption, and write the sheet to *path*."""
    columns, cell = 5, 190
    rows = -(-len(made.planted) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * 2 * cell), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (planted, caption) in enumerate(zip(made.planted, captions, strict=True)):
        left, top = number % columns * cell, number // columns * 2 * cell
        for offset, name in ((0, planted.of), (cell - 30, planted.name)):
            with Image.open(made.archive / name) as image:
                small = ImageOps.contain(image.convert("RGB"), (cell - 10, cell - 40))
            sheet.paste(small, (left + (cell - small.width) // 2, top + 5 + offset))
        pen.multiline_text((left + 5, top + 2 * cell - 55), f"{planted.edit}\n{caption}", fill="black")
    sheet.save(path, quality=90)
    return path
