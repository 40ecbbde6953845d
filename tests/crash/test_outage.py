"""A real server is killed amid a real ingest; what is there in the end is what an unbroken run leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

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


def command(photos: Path, uri: str, collection: str) -> list[str]:
    """Return the command line of an ingest with small batches."""
    place = ["--uri", uri, "--collection", collection]
    return [sys.executable, "-m", "indexer", "ingest", str(photos), *place, "--batch-size", "8", "--json"]


def started(photos: Path, uri: str, lines: int, timeout_s: float) -> subprocess.Popen[str]:
    """Start an ingest that waits out outages of *timeout_s*; return it when it has printed *lines*."""
    process = subprocess.Popen(
        command(photos, uri, "broken"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TWINLENS_TIMEOUT": str(timeout_s)},
    )
    assert process.stdout is not None
    assert all(process.stdout.readline() for _ in range(lines))
    return process


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
        process = started(photos, uri, lines=60, timeout_s=150)
    assert process.poll() is None
    with run_server(*SETTINGS, f"port={uri.rsplit(':', 1)[1]}", folder=tmp_path):
        out, err = process.communicate(timeout=200)
        assert (process.returncode, err) == (5, "")
        assert 60 + len(out.splitlines()) == len(list(photos.iterdir())) + 1
        check_whole(photos, uri)


def test_a_server_that_stays_away(photos: Path, tmp_path: Path, run_server: RunServer) -> None:
    """The run ends with exit code 3 and one message; run again when the server is back, it ends as an unbroken one."""
    with ExitStack() as first:
        uri = first.enter_context(run_server(*SETTINGS, folder=tmp_path))
        process = started(photos, uri, lines=100, timeout_s=3)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert '"interrupted": true' in out.splitlines()[-1]
    assert err.startswith(f"twinlens: {uri} does not answer; is Milvus running there")
    assert len(err.splitlines()) == 1
    with run_server(*SETTINGS, f"port={uri.rsplit(':', 1)[1]}", folder=tmp_path):
        again = subprocess.run(command(photos, uri, "broken"), capture_output=True, text=True, check=False)
        assert again.returncode == 5, again.stderr
        check_whole(photos, uri)
