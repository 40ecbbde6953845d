"""A real import is killed between two pages and started again; nothing may tell afterwards."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer.confirm import thumbnail
from indexer.exchange.collection import write_collection
from indexer.jobs.copying import PAGE
from indexer.records import Entry, Settings
from indexer.store.milvus import open_existing

SETTINGS = Settings("network@1", dim=8, radius=0.01)
A = Entry("", "a" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=np.ones(8, np.float32))


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, Entry]:
    """Return more entries than two pages hold, which are in a Parquet file, too."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 40, 40, 3), np.uint8)
    pictures = [thumbnail(pixels) for pixels in noise]
    made = [
        dataclasses.replace(A, uri=f"{n}", sha256=f"{n:064x}", thumbnail=pictures[n % len(pictures)])
        for n in range(2 * PAGE + 9)
    ]
    write_collection(tmp_path / "a.parquet", SETTINGS, iter(made), thumbnails=True)
    return {entry.uri: entry for entry in made}


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, PAGE + 1])
def test_a_killed_import_goes_on(tmp_path: Path, lite_uri: str, entries: dict[str, Entry], lines: int) -> None:
    """A row that was printed is stored; run again, it is unchanged, and in the end all rows are those of the file."""
    command = [sys.executable, "-m", "indexer", "import", str(tmp_path / "a.parquet"), "--uri", lite_uri, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert lines <= json.loads(done.stdout.splitlines()[-1])["unchanged"] <= len(entries)
    with closing(open_existing(lite_uri, "images")) as store:
        assert {entry.uri: entry for entry in store.entries()} == entries
        assert all(entry.thumbnail == entries[entry.uri].thumbnail for entry in store.entries())
