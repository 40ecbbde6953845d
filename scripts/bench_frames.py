"""
Count which frames of videos pass for copies of each other, by how much of the picture has moved between them.

    python scripts/bench_frames.py videos/*.mp4               # two frames of each second
    python scripts/bench_frames.py videos/*.mp4 --every 2     # one in two seconds

Each frame is compared with the twenty before it. Near are those within the radius; "confirmed" and "strict" tell how
many of them the second look takes for the same, in a collection as it is by default and in one made with --strict. What
has moved is told by the frames themselves, 320 pixels wide: the share of pixels that differ by more than MOVED levels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from measuring import ROOT, table

sys.path.insert(0, str(ROOT))

from model import load_encoder
from model.encoder import Encoder
from model.grey import Grey, Pixels, blurred, resized
from model.strangers import Rule, View
from model.whole import view_of

BACK = 20
"""Each frame is compared with so many before it."""

AT_ONCE = 16
"""Frames that are held as they are."""

MOVED = 20
"""Grey levels by which a pixel differs, 320 to a row, where something has moved."""

KINDS = ((0.0, 0.001), (0.001, 0.01), (0.01, 0.03), (0.03, 1.0))
"""Shares of the picture that have moved: more than the first, at most the second."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a collection keeps of a frame, and its grey picture, float32, 320 pixels wide."""

    view: View
    grey: Grey


@dataclass(frozen=True, slots=True)
class Near:
    """Two frames within the radius: what share of the picture has moved, and whether they are confirmed."""

    moved: float
    confirmed: bool
    strict: bool


def frames(path: Path, every: float) -> Iterator[Pixels]:
    """Yield a frame of the video at *path*, uint8 RGB (H, W, 3), *every* so many seconds."""
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        sys.exit(f"{path} is no video that OpenCV can read; check its name")
    step = max(1, round((video.get(cv2.CAP_PROP_FPS) or 25) * every))
    number = 0
    while video.grab():
        if number % step == 0:
            yield cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
        number += 1


def seen(encoder: Encoder, pixels: Pixels) -> Frame:
    """Return what is compared of a frame."""
    small = resized(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32), 320, 320 * len(pixels) // pixels.shape[1]
    )
    return Frame(view_of(encoder, pixels), blurred(small, 1))


def moved(new: Grey, old: Grey) -> float:
    """Return the share of the pixels in which something has moved; specks, and light that changes, do not count."""
    apart = new - old
    spots = (np.abs(apart - np.median(apart)) > MOVED).astype(np.uint8)
    return float(cv2.morphologyEx(spots, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).mean())


def compared(encoder: Encoder, found: Sequence[Frame]) -> Iterator[Near]:
    """Yield the pairs of one video's frames that lie within the radius."""
    default, strict = (Rule.of(encoder.spec, strict=each) for each in (False, True))
    for at, new in enumerate(found):
        for old in found[max(0, at - BACK) : at]:
            distance = float(np.linalg.norm(new.view.descriptor - old.view.descriptor))
            if distance < default.radius:
                looks = (rule.look(distance, new.view, old.view) for rule in (default, strict))
                yield Near(moved(new.grey, old.grey), *looks)


def rows(pairs: Sequence[Near]) -> Iterator[list[str]]:
    """Yield a row of the table for each of KINDS."""
    for least, most in KINDS:
        mine = [pair for pair in pairs if least < pair.moved <= most or least == pair.moved == 0]
        counts = [sum(pair.confirmed for pair in mine), sum(pair.strict for pair in mine)]
        yield [f"{least:.1%} to {most:.1%}", f"{len(mine):,}", *(f"{count:,}" for count in counts)]


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--every", type=float, default=0.5, help="seconds from frame to frame")
    options = parser.parse_args()
    encoder = load_encoder(device="cpu")
    pairs: list[Near] = []
    total = 0
    with ThreadPoolExecutor(2) as pool:
        for path in options.videos:
            found: list[Frame] = []
            stream = frames(path, options.every)
            while some := list(islice(stream, AT_ONCE)):
                found += pool.map(lambda pixels: seen(encoder, pixels), some)
            total += len(found)
            pairs += compared(encoder, found)
    print(f"{total:,} frames of {len(options.videos):,} videos\n")
    print(table(["moved", "near", "confirmed", "strict"], rows(pairs)))


if __name__ == "__main__":
    main()
