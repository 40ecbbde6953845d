"""
Count how many edited files are found, the whole way through the indexer, as files and at their own size.

    python scripts/bench_files.py photos/                                     # 300 of its pictures, edited
    python scripts/bench_files.py photos/ --images 100 --strength 1.5 --json found.json

The folder is ingested into a new collection. Copies of some of its pictures are made by each of the families, saved as
JPEG of quality 60 to 92, as whoever edits a picture saves it, and asked for. `model evaluate` and `whole` compare
pictures of about 208 pixels a side that were never saved again; this tells what of their figures is left of real files.
"Refuted" are those within the radius of their original, or of another, that a second look did not confirm; "beyond" is
all else, such as a copy that was rejected. A strength above 1 draws from beyond the ranges that the encoder is made
for, and is for the main families only.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from measuring import ROOT, table
from PIL import Image

sys.path.insert(0, str(ROOT))

from indexer import Outcome, Verdict, open_index
from model.augment import FAMILIES, MAIN
from model.data import name_hash
from model.decode import decode_image

QUALITY = (60, 92)
KINDS = ("found", "refuted", "beyond", "as another")


def edited(path: str, family: str, strength: float) -> bytes:
    """Return the picture at *path* after an edit of *family*, as JPEG."""
    rng = np.random.default_rng([name_hash(Path(path).name), name_hash(family)])  # wherever the folder lies
    pixels = FAMILIES[family](decode_image(path).pixels, rng, strength)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "JPEG", quality=int(rng.integers(*QUALITY, endpoint=True)))
    return out.getvalue()


def copies(paths: Sequence[str], family: str, strength: float) -> Iterator[tuple[str, bytes]]:
    """Yield a name and a copy of each picture; its own name would stand for itself."""
    names = (f"{family} of {path}" for path in paths)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield from zip(names, threads.map(partial(edited, family=family, strength=strength), paths), strict=True)


def kind_of(answer: Verdict, group: str) -> str:
    """Return which of KINDS the *answer* is to a copy of a picture of *group*, the group's original."""
    if answer.outcome is Outcome.COPY:
        return "found" if answer.original == group else "as another"
    return "refuted" if answer.lookalike else "beyond"


def measure(folder: Path, images: int, strength: float) -> tuple[dict[str, Counter[str]], Counter[str], int]:
    """Return the answers by family, the outcomes of the ingest, and how many pictures were edited."""
    with tempfile.TemporaryDirectory() as temporary, open_index(Path(temporary, "bench.db")) as index:
        seen = list(index.ingest([folder]))
        accepted = [verdict for verdict in seen if verdict.outcome is not Outcome.REJECTED]
        groups = {verdict.uri: verdict.original or verdict.uri for verdict in accepted}
        files = (uri for uri in groups if Path(uri).is_file())
        chosen = sorted(files, key=lambda uri: name_hash(Path(uri).name))[:images]
        answers: dict[str, Counter[str]] = {}
        for family in FAMILIES if strength <= 1 else MAIN:
            replies = index.query(copies(chosen, family, strength))
            answers[family] = Counter(
                kind_of(answer, groups[path]) for path, answer in zip(chosen, replies, strict=True)
            )
            print(family, dict(answers[family]), file=sys.stderr)
    return answers, Counter(verdict.outcome.value for verdict in seen), len(chosen)


def rows(answers: Mapping[str, Counter[str]], asked: int) -> list[list[object]]:
    """Return a line for each family: the share of each kind of answer."""
    return [[family, *(f"{counted[kind] / asked:.3f}" for kind in KINDS)] for family, counted in answers.items()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Count how many edited files are found.")
    parser.add_argument("folder", type=Path, help="of pictures; each is to be there once")
    parser.add_argument("--images", type=int, default=300, help="how many of them are edited (300)")
    parser.add_argument("--strength", type=float, default=1.0, help="of the edits, 1 being the whole range (1)")
    parser.add_argument("--json", type=Path, help="write the counts there, too")
    options = parser.parse_args()
    if options.images < 1 or options.strength <= 0:
        parser.error("--images takes a number from 1 on, --strength one above 0")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}; make it, or name another file")
    answers, ingested, asked = measure(options.folder, options.images, options.strength)
    if not asked:
        parser.error(f"no pictures in {options.folder}: name a folder of image files")
    print(f"{dict(ingested)} in {options.folder}; {asked} edited, at strength {options.strength:g}\n")
    print(table(("edit", *KINDS), rows(answers, asked)))
    if options.json:
        options.json.write_text(json.dumps({"asked": asked, "ingested": ingested, "answers": answers}, indent=1))


if __name__ == "__main__":
    main()
