"""
Thirty nights of a real archive on a real Milvus Lite: files come, change, move and go, and things go wrong.

After each night that got to its end, the collection must equal a from-scratch ingest of the same files, up to which
image of a group leads it. Pictures are chosen so that the laws leave no choice: those of one photograph lie well
within the radius of each other, those of two well outside.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest

from indexer import encode
from indexer.cli import run
from indexer.jobs.index import Index, Where, open_entries
from indexer.records import Entry
from indexer.store.memory import MemoryStore
from model import augment

NIGHTS = 30
DAY_NS = 86_400 * 10**9
START_NS = 1_790_000_000 * 10**9
GRACE_DAYS = 4
AT = "import sys; from indexer.cli import run; sys.exit(run(sys.argv[2:], lambda: int(sys.argv[1])))"
"""The command line in another process, at a time of ours."""

CONFIG = f"""
[[source]]
path = "archive"
priority = 10
[[source]]
path = "mount"
priority = 20
[reports]
unchanged = true
keep = 12
[limits]
batch_size = 4
[vanish]
grace_days = {GRACE_DAYS}
[metrics]
file = "twinlens.prom"
[log]
format = "json"
progress_s = 1e-9
"""

Groups = frozenset[frozenset[str]]


def versions(number: int) -> list[tuple[str, pictures.Pixels]]:
    """Return what may become of a photograph: an ending, and pixels."""
    pixels = pictures.part(number)
    relit = augment.brightness(pixels, np.random.default_rng(number), 0.15)
    return [(".jpg", pixels), (".webp", pixels), (".png", relit)]


def chosen(encoder: encode.Encoder, wanted: int) -> list[int]:
    """Return numbers of photographs whose versions lie near each other, and far from those of the others."""
    numbers: list[int] = []
    far: list[np.ndarray[Any, Any]] = []
    for number in range(60):
        own = np.stack(encoder.embed([pixels for _, pixels in versions(number)]))
        apart = [np.linalg.norm(own[:, None] - other, axis=-1).min() for other in far]
        if np.linalg.norm(own[:, None] - own, axis=-1).max() < 0.003 and min(apart, default=1) > 0.012:
            numbers.append(number)
            far.append(own)
    assert len(numbers) >= wanted, f"only {len(numbers)}"
    return numbers[:wanted]


@dataclass
class Archive:
    """The user's side: two folders of pictures that change, the second of them a mount that may be gone."""

    base: Path
    numbers: list[int]
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    made: int = 0
    hidden: Path = Path()

    @property
    def files(self) -> list[Path]:
        """Return all files, in a fixed order."""
        return sorted(path for name in ("archive", "mount") for path in (self.base / name).rglob("*.*"))

    def add(self, count: int) -> None:
        """Save versions of photographs under new names; a third are copies, byte by byte, of files there."""
        for _ in range(count):
            self.made += 1
            folder = self.base / self.dice.choice(["archive", "archive/sub", "mount"])
            folder.mkdir(exist_ok=True)
            if (source := self._some(1)) and self.dice.random() < 1 / 3:
                shutil.copy(source[0], folder / f"copy-{self.made:03}{source[0].suffix}")
            else:
                ending, pixels = self.dice.choice(versions(self.dice.choice(self.numbers)))
                pictures.save(pixels, folder / f"new-{self.made:03}{ending}")

    def edit(self, count: int) -> None:
        """Put another picture into files that are there."""
        for path in self._some(count):
            pictures.save(self.dice.choice(versions(self.dice.choice(self.numbers)))[1], path)

    def move(self, count: int) -> None:
        """Give files another name, perhaps in the other folder."""
        for path in self._some(count):
            self.made += 1
            path.rename(self.base / self.dice.choice(["archive", "mount"]) / f"moved-{self.made:03}{path.suffix}")

    def delete(self, count: int) -> None:
        """Delete files."""
        for path in self._some(count):
            path.unlink()

    def hide(self) -> None:
        """Put a file away, for bring_back."""
        self.hidden = self._some(1)[0]
        self.hidden.rename(self.base / "drawer")

    def bring_back(self) -> None:
        """Put the hidden file where it was, as it was."""
        (self.base / "drawer").rename(self.hidden)

    def _some(self, count: int) -> list[Path]:
        good = [path for path in self.files if not path.name.startswith("broken")]
        return self.dice.sample(good, min(count, len(good)))


def groups(entries: Iterable[Entry]) -> Groups:
    """Return the URIs of *entries* as groups, no matter who leads them."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        found.setdefault(entry.original or entry.uri, set()).add(entry.uri)
    return frozenset(frozenset(group) for group in found.values())


class Nights:
    """The program's side: runs it at a simulated time, and looks at what it left."""

    def __init__(self, base: Path, encoder: encode.Encoder) -> None:
        self.base = base
        self.encoder = encoder
        self.night = 0
        self.rows: dict[str, Entry] = {}

    def arguments(self, *options: str) -> list[str]:
        """Return what comes behind the program's name."""
        return ["batch", "--config", str(self.base / "twinlens.toml"), *options]

    def in_process(self, *options: str) -> int:
        """Run a night here, which saves two seconds of start."""
        return run(self.arguments(*options), lambda: START_NS + self.night * DAY_NS)

    def command(self, *options: str) -> list[str]:
        """Return the command line of a night in another process."""
        return [sys.executable, "-c", AT, str(START_NS + self.night * DAY_NS), *self.arguments(*options)]

    def started(self) -> subprocess.Popen[str]:
        """Start a night in another process, and return it once it reads images."""
        process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        while '"progress"' not in process.stderr.readline():
            assert process.poll() is None
        return process

    @property
    def summary(self) -> dict[str, Any]:
        """The summary of the last run that wrote one."""
        summary: dict[str, Any] = json.loads((self.base / "reports/latest/summary.json").read_text())
        return summary

    def stored(self) -> dict[str, Entry]:
        """Return all rows of the collection, and fail when a URI is there twice."""
        store = open_entries(Where(str(self.base / "twinlens.db")))
        try:
            entries = list(store.entries())
            self.settings = store.settings
        finally:
            store.close()
        assert len({entry.uri for entry in entries}) == len(entries)
        return {entry.uri: entry for entry in entries}

    def go_on(self) -> None:
        """Let the next night begin with what this one, which was cut short, has stored."""
        self.rows = self.stored()
        self.night += 1

    def from_scratch(self) -> Groups:
        """Return the groups that a first ingest of the files would find."""
        store = MemoryStore(self.settings)
        list(Index(store, self.encoder, Where()).ingest([self.base / "archive", self.base / "mount"]))
        return groups(store.entries())

    def check(self, archive: Archive, *, seen: int | None = None) -> None:
        """Hold the collection against a from-scratch ingest, and its changes against the summary."""
        before, self.rows = self.rows, self.stored()
        present = [entry for entry in self.rows.values() if entry.missing_since is None]
        assert groups(present) == self.from_scratch(), f"night {self.night}"
        told = self.summary
        assert told["seen"] == sum(told[name] for name in ("unique", "copy", "rejected", "unchanged"))
        assert told["seen"] == (len(archive.files) if seen is None else seen)
        assert sum(told["collection"].values()) == len(self.rows)
        gone, new = before.keys() - self.rows.keys(), self.rows.keys() - before.keys()
        assert len(gone) == told["sweep"]["removed"] + told["sweep"]["moved"]
        assert len(new) <= told["unique"] + told["copy"]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return an archive of 30 pictures and 2 broken files, with a configuration beside it."""
    made = Archive(tmp_path, chosen(encode.load(), 12))
    for name in ("archive", "mount"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.jpg").write_bytes(b"not a picture")
    made.add(30)
    (tmp_path / "twinlens.toml").write_text(CONFIG)
    return made


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """Return what runs nights over the archive."""
    return Nights(tmp_path, encode.load())


def quiet(nights: Nights, archive: Archive) -> None:
    """Nothing goes wrong: exit code 5, for the two broken files."""
    assert nights.in_process() == 5
    nights.check(archive)


def killed(nights: Nights, archive: Archive) -> None:
    """Kill the process amid its work: it leaves no summary, and the night after makes good."""
    archive.add(8)
    process = nights.started()
    process.kill()
    process.communicate()
    last = nights.base / "reports/runs" / max(path.name for path in (nights.base / "reports/runs").iterdir())
    assert not (last / "summary.json").exists()
    nights.go_on()
    quiet(nights, archive)


def terminated(nights: Nights, archive: Archive) -> None:
    """SIGTERM: exit code 0 or 5, a summary that says so, no sweep; the night after makes good."""
    archive.add(8)
    process = nights.started()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode in (0, 5)
    assert (nights.summary["interrupted"], nights.summary["reason"], nights.summary["sweep"]) == (True, "signal", None)
    nights.go_on()
    quiet(nights, archive)


def unmounted(nights: Nights, archive: Archive) -> None:
    """Take the mount away for two nights, the second time leaving an empty folder: exit code 3, nothing is lost."""
    mount, aside = nights.base / "mount", nights.base / "unplugged"
    for second in (False, True):
        mount.rename(aside)
        if second:
            mount.mkdir()
        assert nights.in_process() == 3
        assert nights.summary["absent"] == [str(mount)]
        if second:
            mount.rmdir()
        aside.rename(mount)
        there = len(list((nights.base / "archive").rglob("*.*")))
        nights.check(archive, seen=there + (not second))
        nights.night += 1
    quiet(nights, archive)


def full(nights: Nights, archive: Archive) -> None:
    """Fill the report's disk: exit code 3, and the night after makes good; left out where no disk can be made."""
    archive.add(4)
    mount = f"mount -t tmpfs -o size=80k none {nights.base}/reports"
    script = f'{mount} || exit 99; exec "$@"'
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", *nights.command()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 99 or done.stderr.startswith("unshare"):
        print("the night of the full disk is left out: no user name spaces here")  # noqa: T201
    else:
        assert done.returncode == 3, done.stderr
        assert "No space left on device" in done.stderr
    nights.go_on()
    quiet(nights, archive)


def doubled(nights: Nights, archive: Archive) -> None:
    """Start a second run amid the first: exit code 4, nothing is left by it, and the first is not disturbed."""
    archive.add(8)
    first = nights.started()
    first.send_signal(signal.SIGSTOP)
    folders = set((nights.base / "reports/runs").iterdir())
    second = subprocess.run(nights.command(), capture_output=True, text=True, check=False)
    assert set((nights.base / "reports/runs").iterdir()) == folders  # the first deletes older ones at its end
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert (second.returncode, second.stderr.count("\n"), first.returncode) == (4, 1, 5)
    nights.check(archive)


def limited(nights: Nights, archive: Archive) -> None:
    """Allow two images a run: nights are cut short until all is done, and only then is there a sweep."""
    archive.add(8)
    for _ in range(9):
        assert nights.in_process("--max-images", "2") == 5
        if not nights.summary["interrupted"]:
            break
        assert (nights.summary["reason"], nights.summary["sweep"]) == ("max_images", None)
        nights.go_on()
    nights.check(archive)


SCHEDULE: dict[int, Callable[[Nights, Archive], None]] = {
    4: killed,
    8: terminated,
    12: unmounted,
    18: full,
    22: doubled,
    25: limited,
}
"""Nights in which something goes wrong; the others are quiet."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_nights(nights: Nights, archive: Archive) -> None:
    """Whatever happened, the collection holds what a from-scratch ingest would find, and the summaries add up."""
    sums: dict[str, int] = {}
    while nights.night < NIGHTS:
        if nights.night:
            archive.add(archive.dice.randrange(3))
            archive.edit(archive.dice.randrange(2))
            archive.move(archive.dice.randrange(3))
            archive.delete(archive.dice.randrange(3))
        if nights.night in (15, 17):
            archive.hide() if nights.night == 15 else archive.bring_back()
        SCHEDULE.get(nights.night, quiet)(nights, archive)
        for name, count in nights.summary["sweep"].items():
            sums[name] = sums.get(name, 0) + count if isinstance(count, int) else 0
        nights.night += 1
    assert all(sums[name] > 0 for name in ("vanished", "returned", "removed", "moved", "promoted")), sums
    outcomes = [json.loads(line) for line in _listed(nights)]
    did = [run for run in outcomes if run.get("exit_code") in (0, 5)]
    assert (len(did) <= 12, len(outcomes) - len(did) <= 12) == (True, True)  # so many of each kind are kept
    _forget_all_that_is_gone(nights, archive)


def _listed(nights: Nights) -> list[str]:
    command = [sys.executable, "-m", "indexer", "runs", "--config", str(nights.base / "twinlens.toml"), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _forget_all_that_is_gone(nights: Nights, archive: Archive) -> None:
    """After a quiet week, nothing is left of what vanished."""
    nights.night += GRACE_DAYS + 1
    quiet(nights, archive)
    assert {path for path in nights.rows if nights.rows[path].missing_since is not None} == set()
