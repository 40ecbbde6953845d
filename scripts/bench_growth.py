"""
Measure what growth costs: an ingest and a query in collections that hold more and more, as whole processes.

    python scripts/bench_growth.py archive.db 1000 10000 100000
    python scripts/bench_growth.py server 1000 100000 1000000 --thumbnail-bytes 100     # starts one for the while
    python scripts/bench_growth.py look.db 10000 100000 --no-second-look                # the price of a second look

Each collection is filled once with so many random originals, with thumbnails, drawn at the encoder's own length. While
a million are filled with thumbnails, a server of version 2.3.5 grew beyond 11 GiB; searches do not read those.
On Milvus Lite each is a file of its own, beside the path that is named. Each round then ingests the same new pictures
into each collection, one after another, asks one cold `twinlens query`, and leaves the collection as it was. Medians
over the rounds; the cost of an image leaves out that of an ingest of one picture, which is the start of the program and
of the collection. `twinlens --help` is timed too, which touches nothing. With --no-second-look, each size gets a second
collection without thumbnails, where the radius alone decides; both take turns, and their ratio is told of each round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import ROOT, Place, Sheet, Spent, at_address, median, timed, twinlens, versions

PACKAGES = ("twinlens", "pymilvus", "milvus-lite", "faiss-cpu", "onnxruntime", "numpy")
SURROUNDINGS = {"PYTHONPATH": str(ROOT)}
HEAD = ("entries", "ingest of one s", "ingest s", "ms an image", "cost / at first", "query s", "peak MiB")
FILLED = ("entries", "fill s", "rows/s", "server MiB", "disk MiB")


def fill(uri: str, collection: str, count: int, thumbnail_bytes: int) -> None:
    """Add *count* random originals to *collection*, made when it is absent: without thumbnails, for no second look."""
    import numpy as np  # noqa: PLC0415 - the processes that are measured would count its memory as theirs

    from indexer.jobs.index import Where, open_index  # noqa: PLC0415 - as above
    from indexer.records import Entry  # noqa: PLC0415 - as above

    rng, thumbnail = np.random.default_rng(0), b"x" * thumbnail_bytes
    with open_index(Where(uri, collection), second_look=thumbnail_bytes > 0) as index:
        dim, scale = index.store.settings.dim, index.encoder.spec.scale
        for start in range(0, count, 1000):
            drawn = rng.standard_normal((min(1000, count - start), dim))
            vectors = (scale * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
            index.store.put(
                [
                    Entry(f"random:{n}", f"{n:064x}", 1, 1, 640, 480, "JPEG", None, None, False, vector, thumbnail)
                    for n, vector in enumerate(vectors, start)
                ]
            )


def empty(uri: str, collection: str, folder: str) -> None:
    """Delete what was ingested from *folder*; reading what there is would take longer than the rounds."""
    from indexer.jobs.index import Where, open_entries  # noqa: PLC0415 - as above

    store = open_entries(Where(uri, collection))
    written = [str(path) for path in Path(folder).rglob("*.jpg")]
    for originals in (True, False):
        store.remove(written, originals=originals)
    store.close()


def beside(task: str, *arguments: object) -> Spent:
    """Do `fill` or `empty` in a process of its own."""
    return timed([sys.executable, __file__, task, *map(str, arguments)], environment=SURROUNDINGS)[0]


def measured(command: Sequence[str | Path]) -> Spent:
    """Return what a command of `twinlens` took."""
    return timed(command, environment=SURROUNDINGS, fine=(0, 5))[0]


def one_round(uri: str, collection: str, folder: Path) -> tuple[Spent, Spent, Spent]:
    """Return what an ingest of one picture, of the others, and a query of one took."""
    place = ("--uri", uri, "--collection", collection)
    one = measured(twinlens("ingest", folder / "one", *place))
    many = measured(twinlens("ingest", folder / "many", *place))
    query = measured(twinlens("query", folder / "upload.jpg", *place))
    return one, many, query


def kept(uri: str, collection: str, folder: Path) -> tuple[Spent, Spent, Spent]:
    """Do a round, and leave the collection as it was: the round gets a copy of a file, and a server forgets it."""
    if "://" in uri:
        spent = one_round(uri, collection, folder)
        beside("empty", uri, collection, folder.resolve())
        return spent
    with tempfile.TemporaryDirectory() as temporary:
        copy = shutil.copytree(uri, Path(temporary, "copy.db"))
        return one_round(str(copy), collection, folder)


def filled(at: Place, options: argparse.Namespace) -> Sheet:
    """Make the collections, and print what each took; memory and disk are those of all so far."""
    sheet = Sheet()
    sheet.begin(*FILLED)
    for count, look in cases(options):
        spent = beside("fill", *place_of(at.uri, count, look=look), count, options.thumbnail_bytes if look else 0)
        sheet.add(told(count, look=look), spent.wall_s, count / spent.wall_s, at.held_mb(), at.disk_mb())
    print()
    return sheet


def cases(options: argparse.Namespace) -> list[tuple[int, bool]]:
    """Return how many entries each collection has, and whether it takes a second look."""
    return [
        (count, look) for count in options.counts for look in ((True, False) if options.no_second_look else (True,))
    ]


def told(count: int, *, look: bool) -> int | str:
    """Return what a collection is called in tables."""
    return count if look else f"{count}, by radius alone"


def bench(sheet: Sheet, uri: str, options: argparse.Namespace, folder: Path) -> None:
    """Print a row for each collection, and what a second look costs."""
    rounds: dict[tuple[int, bool], list[tuple[Spent, Spent, Spent]]] = {case: [] for case in cases(options)}
    for _ in range(options.runs):
        for (count, look), spent in rounds.items():
            spent.append(kept(*place_of(uri, count, look=look), folder))
    sheet.begin(*HEAD)
    first = 0.0
    for (count, look), spent in rounds.items():
        one, many, query = (median([each[place] for each in spent]) for place in range(3))
        cost = 1000 * (many.wall_s - one.wall_s) / options.images
        first = first or cost
        named = told(count, look=look)
        sheet.add(named, one.wall_s, many.wall_s, cost, cost / first, query.wall_s, round(many.peak_mb))
    for count in options.counts if options.no_second_look else ():
        print(
            compared(count, [many for _, many, _ in rounds[count, True]], [many for _, many, _ in rounds[count, False]])
        )


def compared(count: int, looking: Sequence[Spent], alone: Sequence[Spent]) -> str:
    """Return what each round's ingest at *count* entries took with a second look, as a share of that without."""
    shares = [
        (by.wall_s / without.wall_s, by.cpu_s / without.cpu_s) for by, without in zip(looking, alone, strict=True)
    ]
    walls, cpus = (", ".join(f"{share:.2f}" for share in sorted(each)) for each in zip(*shares, strict=True))
    return f"\nsecond look / radius alone at {count} entries, by round: wall {walls}; CPU {cpus}"


def place_of(uri: str, count: int, *, look: bool = True) -> tuple[str, str]:
    """Return the URI and the collection of so many entries: a file of its own, or a collection on the server."""
    name = f"growth_{count}" if look else f"growth_{count}_radius"
    mine = Path(uri).with_name(f"{Path(uri).stem}{name.removeprefix('growth')}.db")
    return (uri, name) if "://" in uri else (str(mine), name)


def pictures(data: Path, folder: Path, count: int) -> None:
    """Make the pictures to ingest: one, many, and an upload that is the first of these with other bytes."""
    if not data.exists():
        sys.exit(f"{data} is missing: name a tar file of JPEGs, or a folder of such, with --data")
    timed([sys.executable, ROOT / "scripts" / "photos.py", data, folder / "many", str(count + 1)])
    (folder / "one").mkdir()
    first = (folder / "many" / "000000.jpg").rename(folder / "one" / "000000.jpg")
    (folder / "upload.jpg").write_bytes(first.read_bytes() + b"other bytes, same picture")


def main(arguments: Sequence[str]) -> None:
    """Measure and print; or do one of the tasks that need a process of their own."""
    task, *rest = arguments or [""]
    if task == "fill":
        uri, collection, *numbers = rest
        fill(uri, collection, *map(int, numbers))
    elif task == "empty":
        uri, collection, folder = rest
        empty(uri, collection, folder)
    else:
        _measure(arguments)


def _measure(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Measure ingests and queries in collections of growing size.")
    parser.add_argument("uri", help="a Milvus Lite file that does not exist yet, a server's address, or `server`")
    parser.add_argument("counts", type=int, nargs="+", help="entries")
    parser.add_argument("--images", type=int, default=1000, help="how many pictures to ingest (1000)")
    parser.add_argument("--thumbnail-bytes", type=int, default=2500, help="of each entry that is filled (2500)")
    parser.add_argument("--runs", type=int, default=3, help="rounds (3)")
    parser.add_argument("--no-second-look", action="store_true", help="measure collections by the radius alone, too")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/train", help="a tar, or a folder of them")
    parser.add_argument("--json", type=Path, help="write the table to this file, too")
    options, found = parser.parse_args(arguments), versions(*PACKAGES)
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    with tempfile.TemporaryDirectory() as temporary:
        pictures(options.data, Path(temporary), options.images)
        helped = median([measured(twinlens("--help")) for _ in range(5)])
        print(f"twinlens --help: {helped.wall_s:.2f} s; {options.images} pictures, medians of {options.runs} rounds\n")
        sheet = Sheet()
        with at_address(options.uri) as place:
            made = filled(place, options)
            bench(sheet, place.uri, options, Path(temporary))
        if options.json:
            told = {"arguments": list(arguments), "versions": found, "help_s": helped.wall_s}
            told |= {"filled": made.rows, "rows": sheet.rows}
            options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
