"""A real server is killed amid a real ingest; what is there in the end is what an unbroken run leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pictures
import pytest

from indexer.jobs.index import Where, open_entries
from indexer.records import Entry

pytestmark = [pytest.mark.server, pytest.mark.slow]

IMAGES = 300
SETTINGS = ("ttl=5", "end=kill")
"""Of the server: it forgets its last run after 5 s, and it ends by SIGKILL."""

RunServer = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small pictures with copies among them."""
    return pictures.folder(tmp_path_factory.mktemp("outage") / "photos", count=IMAGES * 2 // 5)


def command(photos: Path, uri: str, collection: str, batch: int = 256) -> list[str]:
    """Return the command line of an ingest."""
    place = ["--uri", uri, "--collection", collection]
    return [sys.executable, "-m", "indexer", "ingest", str(photos), *place, "--batch-size", str(batch), "--json"]


class Ingest:
    """An ingest in small batches that waits out outages of *timeout_s*, and that has printed so many *lines*."""

    def __init__(self, photos: Path, uri: str, lines: int, timeout_s: float) -> None:
        self.errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed at its end
        self.process = subprocess.Popen(
            command(photos, uri, "broken", batch=8),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | {"TWINLENS_TIMEOUT": str(timeout_s)},
        )
        assert self.process.stdout is not None
        self.lines = [self.process.stdout.readline() for _ in range(lines)]

    def goes_on(self) -> bool:
        """Return whether it has not ended."""
        return self.process.poll() is None

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Wait for its end; return its exit code, all rows that it printed, and its errors."""
        assert self.process.stdout is not None
        with self.process, self.errors:
            self.lines += self.process.stdout.readlines()
            code = self.process.wait()
            self.errors.seek(0)
            return code, [json.loads(line) for line in self.lines], self.errors.read()


def contents(uri: str, collection: str) -> dict[str, tuple[Entry, bytes, bytes]]:
    """Return every row of a collection, comparable."""
    store = open_entries(Where(uri, collection))
    try:
        return {e.uri: (e, e.descriptor.tobytes(), e.thumbnail) for e in store.entries()}
    finally:
        store.close()


def check_whole(photos: Path, uri: str) -> None:
    """Assert that the collection equals that of an unbroken run."""
    done = subprocess.run(command(photos, uri, "whole"), capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    rows = contents(uri, "broken")
    assert len(rows) >= IMAGES * 0.9
    assert rows == contents(uri, "whole")


def test_a_server_that_comes_back_in_time(photos: Path, tmp_path: Path, run_server: RunServer) -> None:
    """The run waits, goes on and tells of every image; its rows are those of an unbroken run."""
    with ExitStack() as first:
        uri = first.enter_context(run_server(*SETTINGS, folder=tmp_path))
        ingest = Ingest(photos, uri, lines=60, timeout_s=150)
    assert ingest.goes_on()
    with run_server(*SETTINGS, f"port={uri.rsplit(':', 1)[1]}", folder=tmp_path):
        code, rows, err = ingest.end()
        assert (code, err) == (5, "")
        assert sorted(row["uri"] for row in rows[:-1]) == sorted(str(photo) for photo in photos.iterdir())
        check_whole(photos, uri)


def test_a_server_that_stays_away(photos: Path, tmp_path: Path, run_server: RunServer) -> None:
    """The run ends with exit code 3 and one message; run again when the server is back, it ends as an unbroken one."""
    with ExitStack() as first:
        uri = first.enter_context(run_server(*SETTINGS, folder=tmp_path))
        ingest = Ingest(photos, uri, lines=100, timeout_s=3)
    code, rows, err = ingest.end()
    assert (code, rows[-1]["interrupted"]) == (3, True)
    assert err.startswith(f"twinlens: {uri} does not answer; is Milvus running there")
    assert len(err.splitlines()) == 1
    with run_server(*SETTINGS, f"port={uri.rsplit(':', 1)[1]}", folder=tmp_path):
        again = subprocess.run(command(photos, uri, "broken"), capture_output=True, text=True, check=False)
        assert again.returncode == 5, again.stderr
        check_whole(photos, uri)
