"""
Measure `twinlens ingest` as a whole process, beside its limit and beside other finders of duplicates.

    python scripts/bench_ingest.py                                          # without peers
    python scripts/bench_ingest.py --peers-dir ~/.cache/twinlens-peers      # makes an environment for each there
    python scripts/bench_ingest.py --images 2000 --megapixels 0.17 --json ingest.json --picture ingest.svg
    python scripts/bench_ingest.py --images 200 --megapixels 12             # photos as a camera makes them
    python scripts/bench_ingest.py --images 16000 --runs 1 --only ingest    # memory as archives grow

All systems get the same folder of real JPEGs. Each round runs every system once, one after another, so that all meet
the same weather on a shared machine; figures are medians over the rounds. A round that does not count goes before,
on 24 images: it shows which peers work. An ingest fills an empty Milvus Lite file; `unchanged` is the same again.
Prints versions and settings first, then Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from measuring import ROOT, ProcessFailedError, Spent, median, table, timed, twinlens, versions
from peers import PEERS, Peer, PeerMissingError, environment_of, surroundings, version_of

PACKAGES = ("twinlens", "pymilvus", "milvus-lite", "faiss-cpu", "onnxruntime", "opencv-python-headless", "pillow")
WARM_UP = 24
REJECTED = 5
"""The exit code of an ingest that met images which it cannot read."""

INGEST, UNCHANGED, LIMIT = "ingest", "ingest, unchanged", "decode only, full size"

TARGETS = {LIMIT: 1 / 0.35, "Immaculate pdq": 3.0, "Immaculate sscd_distilled": 0.3, "fastdup": 0.35}
"""An ingest's wall time is to be at most so many times that of others."""


@dataclass(frozen=True, slots=True)
class System:
    """
    Something to measure.

    Attributes:
        name: as the table shows it.
        run: given the folder of pictures and a folder of its own, empty at first, returns what it took.
        after: the system that must have run before in the same folder of its own.
    """

    name: str
    run: Callable[[Path, Path], Spent]
    after: str | None = None


@dataclass(slots=True)
class Log:
    """Every run so far, by system; `stages` holds an ingest's seconds by stage, run by run."""

    runs: dict[str, list[Spent]] = field(default_factory=dict)
    stages: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def ingesting(name: str, log: Log, *options: str, after: str | None = None) -> System:
    """Return an ingest with *options*; its summary's seconds by stage go to *log*."""

    def run(folder: Path, work: Path) -> Spent:
        command = twinlens("ingest", folder, "--uri", work / "archive.db", "--json", *options)
        spent, lines = timed(command, environment={"PYTHONPATH": str(ROOT)}, fine=(0, REJECTED))
        log.stages.setdefault(name, []).append(json.loads(lines[-1])["seconds_by_stage"])
        return spent

    return System(name, run, after)


def decoding(name: str, scale: str) -> System:
    """Return the decode-only loop; its wall time is that of the loop alone."""

    def run(folder: Path, _work: Path) -> Spent:
        command: list[str | Path] = [
            sys.executable,
            ROOT / "scripts" / "decode_only.py",
            folder,
            str(os.cpu_count() or 1),
            scale,
        ]
        spent, lines = timed(command, environment={"PYTHONPATH": str(ROOT)})
        return replace(spent, wall_s=float(lines[-1]))

    return System(name, run)


def peering(peer: Peer, python: Path) -> System:
    """Return *peer* as a system."""

    def run(folder: Path, work: Path) -> Spent:
        return timed(peer.command(python, folder, work), environment=surroundings(work))[0]

    return System(peer.name, run)


def ours(log: Log, *, no_second_look: bool) -> list[System]:
    """Return the systems that need nothing but this checkout."""
    made = [
        decoding(LIMIT, "full"),
        decoding("decode only, reduced", "reduced"),
        ingesting(INGEST, log),
        ingesting(UNCHANGED, log, after=INGEST),
    ]
    return [*made, ingesting("ingest --no-second-look", log, "--no-second-look")] if no_second_look else made


def theirs(log: Log, folder: Path | None, found: dict[str, str]) -> list[System]:
    """Return the peers that can be installed in *folder*; versions go to *found*, reasons to *log*."""
    if folder is None:
        log.skipped |= {peer.name: "name a folder for its environment with --peers-dir" for peer in PEERS}
        return []
    systems = [_installed(peer, folder, log, found) for peer in PEERS]
    return [system for system in systems if system]


def _installed(peer: Peer, folder: Path, log: Log, found: dict[str, str]) -> System | None:
    try:
        python = environment_of(peer, folder)
    except PeerMissingError as error:
        log.skipped[peer.name] = str(error)
        return None
    found[peer.package] = version_of(peer, python)
    return peering(peer, python)


def rounds(systems: Sequence[System], folder: Path, count: int, log: Log) -> None:
    """Run every system once in each of *count* rounds; one that fails is skipped from then on."""
    for _ in range(count):
        with tempfile.TemporaryDirectory() as temporary:
            works = {system.name: Path(temporary, str(number)) for number, system in enumerate(systems)}
            for system in systems:
                if system.name not in log.skipped:
                    work = works[system.after or system.name]
                    work.mkdir(exist_ok=True)
                    _run_once(system, folder, work, log)
                    print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _run_once(system: System, folder: Path, work: Path, log: Log) -> None:
    try:
        log.runs.setdefault(system.name, []).append(system.run(folder, work))
    except ProcessFailedError as error:
        log.skipped[system.name] = f"fails: {error}"


def photos(options: argparse.Namespace, folder: Path, count: int) -> None:
    """Make the folder of pictures, in a process of its own."""
    if not options.data.exists():
        sys.exit(f"{options.data} is missing: name a tar file of JPEGs, or a folder of such, with --data")
    size = ["--megapixels", str(options.megapixels)] if options.megapixels else []
    try:
        timed([sys.executable, ROOT / "scripts" / "photos.py", options.data, folder, str(count), *size])
    except ProcessFailedError as error:
        sys.exit(str(error))


HEAD = ("system", "wall s", "images/s", "CPU s", "peak MiB", "wall / decode only", "ingest / this")


def table_rows(medians: Mapping[str, Spent], images: int) -> list[list[object]]:
    """Return a row of figures and ratios for each system."""
    limit, own = medians.get(LIMIT), medians.get(INGEST)
    return [
        [
            name,
            spent.wall_s,
            images / spent.wall_s,
            spent.cpu_s,
            round(spent.peak_mb),
            spent.wall_s / limit.wall_s if limit else None,
            own.wall_s / spent.wall_s if own else None,
        ]
        for name, spent in medians.items()
    ]


def targets(medians: Mapping[str, Spent]) -> list[str]:
    """Return a line for each target that these figures can be held against."""
    own = medians[INGEST]
    others = {name: most for name, most in TARGETS.items() if name in medians}
    wanted = [(f"ingest / {name}", own.wall_s / medians[name].wall_s, most) for name, most in others.items()]
    if UNCHANGED in medians:
        wanted.append(("unchanged / ingest", medians[UNCHANGED].wall_s / own.wall_s, 0.05))
    wanted.append(("peak MiB of ingest", own.peak_mb, 1000.0))
    return [f"- {name}: {ratio:.3g}, at most {most:.3g}{' ✓' if ratio <= most else ''}" for name, ratio, most in wanted]


def report(options: argparse.Namespace, settings: dict[str, Any], log: Log) -> None:
    """Print the tables, and write what was asked for."""
    medians = {name: median(runs) for name, runs in log.runs.items() if name not in log.skipped}
    print(table(HEAD, table_rows(medians, options.images)))
    print("".join(f"\nskipped: {name}: {why}" for name, why in log.skipped.items()))
    for name, stages in log.stages.items():
        spent = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in stages[-1].items())
        print(f"\n{name}, thread-seconds by stage in the last round: {spent}")
    if INGEST in medians:
        print("\nWanted:\n\n" + "\n".join(targets(medians)))
    if options.json:
        figures = {name: {"median": asdict(spent), "runs": [asdict(run) for run in log.runs[name]]}
                   for name, spent in medians.items()}  # fmt: skip
        told = {"settings": settings, "systems": figures, "stages": log.stages, "skipped": log.skipped}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if options.picture:
        _draw(options.picture, {name: spent.wall_s for name, spent in medians.items()}, options)


def _draw(path: Path, walls: dict[str, float], options: argparse.Namespace) -> None:
    sys.path.insert(0, str(ROOT))
    from model.plots import draw_bars  # noqa: PLC0415 - matplotlib is an extra, and heavy

    size = f" of {options.megapixels:g} megapixels" if options.megapixels else ""
    draw_bars(path, walls, f"{options.images} JPEGs{size}, {os.cpu_count()} cores", "seconds")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description="Measure `twinlens ingest` beside its limit and other finders of duplicates."
    )
    parser.add_argument("--images", type=int, default=2000, help="how many (2000)")
    parser.add_argument("--megapixels", type=float, help="enlarge each to this, with grain; by default as they are")
    parser.add_argument("--runs", type=int, default=3, help="rounds that count (3)")
    parser.add_argument("--no-second-look", action="store_true", help="measure an ingest by the radius alone, too")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/train", help="a tar, or a folder of them")
    parser.add_argument("--peers-dir", type=Path, help="where peers' environments are, or are to be made")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only systems whose name starts so")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--picture", type=Path, help="draw the wall times to this file (.svg, .png)")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print."""
    options, log = parsed(), Log()
    found = versions(*PACKAGES)
    systems = ours(log, no_second_look=options.no_second_look)
    if not options.only or any(peer.name.startswith(tuple(options.only)) for peer in PEERS):
        systems += theirs(log, options.peers_dir, found)
    if options.only:
        systems = [system for system in systems if system.name.startswith(tuple(options.only))]
    settings = {"images": options.images, "megapixels": options.megapixels, "runs": options.runs, "versions": found}
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    with tempfile.TemporaryDirectory() as temporary:
        few, folder = Path(temporary, "few"), Path(temporary, "photos")
        photos(options, few, WARM_UP)
        rounds(systems, few, 1, log)
        log.runs.clear()
        log.stages.clear()
        photos(options, folder, options.images)
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        print(
            f"{options.images} JPEGs, {megabytes:.0f} MiB, megapixels {options.megapixels or 'as they are'};", end=" "
        )
        print(f"medians of {options.runs} rounds\n", flush=True)
        rounds(systems, folder, options.runs, log)
        shutil.rmtree(folder)
    report(options, settings, log)


if __name__ == "__main__":
    main()
