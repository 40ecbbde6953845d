"""
Count how often edited JPEGs are found when they are decoded at reduced scale, by how much is left of them.

    python scripts/bench_headroom.py                                  # 300 pictures of 0.17 megapixels
    python scripts/bench_headroom.py --megapixels 1 --headrooms 3 1.4

Each picture is enlarged, edited by each of the families, and encoded again as JPEG. A row tells of two headrooms, the
original's and the copy's (see `EncoderSpec`), the share of copies within the radius, and how far a copy lies from where
the first of the headrooms puts it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from measuring import ROOT, table, timed
from PIL import Image

sys.path.insert(0, str(ROOT))

from model import Encoder, load_encoder
from model.augment import FAMILIES
from model.decode import decode_image

QUALITY = 90


def described(encoder: Encoder, jpeg: bytes, headrooms: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return the descriptors of *jpeg* by headroom, float32 (H, D)."""
    leasts = [replace(encoder.spec, headroom=headroom).least_px for headroom in headrooms]
    return encoder.embed([decode_image(jpeg, least_px=least).pixels for least in leasts])


def edited(jpeg: bytes, family: str, seed: int) -> bytes:
    """Return the picture after the strongest edit of *family*, as a JPEG again."""
    pixels = FAMILIES[family](decode_image(jpeg).pixels, np.random.default_rng([seed, len(family)]), 1.0)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def views(encoder: Encoder, headrooms: Sequence[float], numbered: tuple[int, Path]) -> npt.NDArray[np.float32]:
    """Return the descriptors of one picture and of its copies, float32 (1 + families, H, D)."""
    number, path = numbered
    jpeg = path.read_bytes()
    all_of_them = [jpeg, *(edited(jpeg, family, number) for family in FAMILIES)]
    return np.stack([described(encoder, each, headrooms) for each in all_of_them])


def rows(found: npt.NDArray[np.float32], headrooms: Sequence[float], radius: float) -> list[list[object]]:
    """Return a line for each headroom with itself, and for the first with each other; *found* is (N, 1 + F, H, D)."""
    pairs = [(place, place) for place in range(len(headrooms))] + [(0, place) for place in range(1, len(headrooms))]
    lines: list[list[object]] = []
    for original, copy in pairs:
        distances = np.linalg.norm(found[:, 1:, copy] - found[:, :1, original], axis=-1)
        moved = np.linalg.norm(found[:, :, copy] - found[:, :, 0], axis=-1)
        share = f"{np.mean(distances < radius):.4f}"
        lines.append([headrooms[original], headrooms[copy], share, float(np.median(moved)), float(moved.max())])
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Count how often edited JPEGs are found, by headroom.")
    parser.add_argument("--images", type=int, default=300, help="how many pictures (300)")
    parser.add_argument("--megapixels", type=float, default=0.17, help="enlarge each to this (0.17)")
    parser.add_argument("--headrooms", type=float, nargs="+", default=[3.0, 2.0, 1.4])
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/train", help="a tar, or a folder of them")
    options = parser.parse_args()
    encoder = load_encoder(device="cpu")
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as threads:
        folder = Path(temporary, "photos")
        size = ["--megapixels", str(options.megapixels)]
        timed([sys.executable, ROOT / "scripts" / "photos.py", options.data, folder, str(options.images), *size])
        one = partial(views, encoder, options.headrooms)
        found = np.stack(list(threads.map(one, enumerate(sorted(folder.iterdir())))))
    head = ("original's headroom", "copy's", "found", "moved by, median", "at most")
    print(table(head, rows(found, options.headrooms, encoder.spec.radius)))


if __name__ == "__main__":
    main()
