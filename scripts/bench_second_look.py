"""
Measure the second look on held-out pictures; print Markdown.

    python scripts/bench_second_look.py 300 2000

The first number says how many pictures are edited, the second how many of the nearest pairs are looked at.
Copies are edited at full strength. The nearest pairs are those of different files that the shipped encoder puts
closest together, among all held-out pictures: some are true near-copies, so what passes is listed to be looked at.
Milliseconds are processor time on one core, with both thumbnails decoded anew for each pair.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model import load_encoder
from model.augment import FAMILIES, Pixels
from model.calibrate import nearest_pairs
from model.data import DEFAULT_DATA, DataMissingError, Picture, edited, select
from model.receipts import DRAWN
from model.second_look import MIN_SCORE, Look, Thumbnail, second_look, thumbnail
from model.thumbnail import view

GROUPS = ("grocery", "cremma_medieval", "ocrd_assets", "debian_openclipart-png", "debian_libreoffice-help-common")
PAIRS = 300
"""Pairs of each hard group."""


def form(seed: int) -> Pixels:
    """Draw a form: same labels and boxes, other entries."""
    rng, font = np.random.default_rng(seed), ImageFont.load_default(size=12)
    page = Image.new("RGB", (300, 420), "white")
    draw = ImageDraw.Draw(page)
    for row in range(11):
        draw.rectangle((100, 30 + row * 34, 290, 54 + row * 34), outline="black")
        draw.text((10, 35 + row * 34), f"Field {row}", font=font, fill="black")
        entry = "".join(chr(97 + letter) for letter in rng.integers(0, 26, rng.integers(4, 24)))
        draw.text((105, 35 + row * 34), entry, font=font, fill="black")
    return np.asarray(page)


def measured(name: str, pairs: Iterable[tuple[Thumbnail, Thumbnail]]) -> list[Look]:
    """Look at *pairs*, and print a row of the table."""
    looks: list[Look] = []
    spent = 0.0
    for new, original in pairs:
        view.cache_clear()
        start = time.process_time()
        looks.append(second_look(new, original))
        spent += time.process_time() - start
    scores = np.array([look.score for look in looks])
    quantiles = " | ".join(f"{value:.2f}" for value in np.quantile(scores, [0.01, 0.5, 0.99, 1.0]))
    passed, cost = (scores >= MIN_SCORE).mean(), spent / len(looks) * 1e3
    print(f"| {name} | {len(looks)} | {passed:.4f} | {quantiles} | {cost:.2f} |", flush=True)
    return looks


def groups(pictures: Sequence[Picture]) -> dict[str, list[Pixels]]:
    """Return pictures that share a layout, a place or a style."""
    real = {name: [each.pixels for each in pictures if each.source == name] for name in GROUPS}
    drawn = {name: [page.pixels for page in draw(30)] for name, draw in DRAWN.items()}
    return real | drawn | {"forms": list(map(form, range(30)))}


def hard(name: str, members: Sequence[Pixels]) -> None:
    """Print how copies of one group's members are confirmed, and its pairs refuted, also under edits."""
    plain = [thumbnail(each) for each in members]
    rngs = map(np.random.default_rng, itertools.count())
    changed = [thumbnail(FAMILIES["combined"](each, rng, 1.0)) for each, rng in zip(members, rngs, strict=False)]
    pairs = list(itertools.combinations(range(len(members)), 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:PAIRS]
    measured(f"copies in {name}, combined", zip(changed, plain, strict=True))
    measured(f"different in {name}", [(plain[i], plain[j]) for i, j in (pairs[k] for k in chosen)])
    measured(f"different in {name}, one edited", [(changed[i], plain[j]) for i, j in (pairs[k] for k in chosen)])


def nearest(pictures: Sequence[Picture], count: int) -> None:
    """Print what becomes of the nearest pairs, and list those that pass."""
    encoder = load_encoder(device="cpu")
    blocks = [[each.pixels for each in pictures[at : at + 16]] for at in range(0, len(pictures), 16)]
    pairs = nearest_pairs(np.concatenate([encoder.embed(block) for block in blocks]), count)
    firsts, seconds = ([pictures[i] for i in side] for side in zip(*((p.first, p.second) for p in pairs), strict=True))
    both = list(zip(firsts, seconds, strict=True))
    looks = measured("nearest", [(thumbnail(a.pixels), thumbnail(b.pixels)) for a, b in both])
    measured("nearest, one edited", [(thumbnail(edited(a, "combined", 1.0)), thumbnail(b.pixels)) for a, b in both])
    print("\nNearest pairs that pass, by descending score:\n")
    for look, (first, second), pair in sorted(zip(looks, both, pairs, strict=True), key=lambda row: -row[0].score):
        if look.score >= MIN_SCORE:
            print(f"- {look.score:.2f} at {pair.distance:.4f}: {first.name} {second.name}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edits", type=int, nargs="?", default=300, help="pictures that are edited")
    parser.add_argument("near", type=int, nargs="?", default=2000, help="nearest pairs that are looked at")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        pictures = select([DEFAULT_DATA], held_out=True, at_most=100_000)
    except DataMissingError:
        sys.exit(f"no pictures at {Path(DEFAULT_DATA)}, which this benchmark reads: it needs the development data")
    some = pictures[: options.edits]
    originals = [thumbnail(each.pixels) for each in some]
    sizes = list(map(len, originals))
    print(f"Threshold {MIN_SCORE}; bytes a thumbnail: mean {np.mean(sizes):.0f}, most {max(sizes)}.\n")
    print("| pairs | number | share that passes | 1 % | median | 99 % | highest | ms a pair |")
    print("|---|---|---|---|---|---|---|---|")
    for family in FAMILIES:
        measured(family, [(thumbnail(edited(p, family, 1.0)), o) for p, o in zip(some, originals, strict=True)])
    measured("mirrored", [(thumbnail(p.pixels[:, ::-1]), o) for p, o in zip(some, originals, strict=True)])
    measured("others", zip(originals, [*originals[1:], originals[0]], strict=True))
    for name, members in groups(pictures).items():
        hard(name, members)
    nearest(pictures, options.near)


if __name__ == "__main__":
    main()
