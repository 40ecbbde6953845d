"""A real ingest is killed at many points and started again; nothing may tell afterwards."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pictures
import pytest

from indexer.jobs.index import Where, open_entries
from indexer.records import Entry

LINES = (0, 1, 9, 17, 30, 41, 55, 64)


def command(archive: Path, uri: str, collection: str) -> list[str]:
    """Return the command line of an ingest with small batches."""
    options = ["--uri", uri, "--collection", collection, "--batch-size", "8", "--json"]
    return [sys.executable, "-m", "indexer", "ingest", str(archive), *options]


def ingest(archive: Path, uri: str, collection: str) -> None:
    """Run an ingest to its end."""
    done = subprocess.run(command(archive, uri, collection), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 5), done.stderr


def kill_after(archive: Path, uri: str, collection: str, lines: int, delay: float) -> None:
    """Start an ingest and kill it *delay* seconds after it has printed so many *lines*."""
    process = subprocess.Popen(
        command(archive, uri, collection),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def contents(uri: str, collection: str) -> dict[str, tuple[Entry, bytes, bytes]]:
    """Return every row of a collection, comparable; a URI twice is an error."""
    store = open_entries(Where(uri, collection))
    try:
        entries = list(store.entries())
    finally:
        store.close()
    assert len({entry.uri for entry in entries}) == len(entries)
    return {entry.uri: (entry, entry.descriptor.tobytes(), entry.thumbnail) for entry in entries}


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a place for collections, on Milvus Lite and on a server."""
    if request.param == "lite":
        return str(tmp_path / "index.db")
    return str(request.getfixturevalue("server_uri"))


@pytest.mark.slow
def test_a_killed_ingest_ends_as_an_unbroken_one(uri: str, tmp_path: Path) -> None:
    """Killed at eight points and started again each time, the collection equals the unbroken one, row by row."""
    rng, name, archive = (
        random.Random(11),
        f"killed_{os.getpid()}",
        pictures.tar(pictures.folder(tmp_path / "photos")),
    )
    for lines in LINES:
        kill_after(archive, uri, name, lines, rng.uniform(0, 0.3))
    ingest(archive, uri, name)
    ingest(archive, uri, f"{name}_whole")
    assert contents(uri, name) == contents(uri, f"{name}_whole")


@pytest.mark.slow
def test_a_kill_while_originals_change_heals(uri: str, tmp_path: Path) -> None:
    """Killed while files that lead groups have changed, the run's repetition ends as an unbroken one."""
    rng, name, whole = random.Random(12), f"changed_{os.getpid()}", f"changed_{os.getpid()}_whole"
    photo_folder = pictures.folder(tmp_path / "photos")
    ingest(photo_folder, uri, name)
    ingest(photo_folder, uri, whole)
    photos = sorted(photo_folder.glob("a-*.jpg"))
    for one, other in zip(photos, photos[1:] + photos[:1], strict=True):
        shutil.copy(one, tmp_path / f"next-{other.name}")
    for photo in photos:
        shutil.move(tmp_path / f"next-{photo.name}", photo)
    for lines in (0, 3, 9, 14):
        kill_after(photo_folder, uri, name, lines, rng.uniform(0, 0.4))
    ingest(photo_folder, uri, name)
    ingest(photo_folder, uri, whole)
    assert contents(uri, name) == contents(uri, whole)
