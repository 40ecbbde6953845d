"""The command line on a real Milvus server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commandline import Twinlens
from pymilvus import MilvusClient

from indexer.store.lease_record import name_of

pytestmark = [pytest.mark.server, pytest.mark.slow]


@contextmanager
def ingesting(place: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run an ingest of a list that is not at its end yet; it holds the collection's lease."""
    command = [sys.executable, "-m", "indexer", "ingest", "-", *place, "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        client = MilvusClient(place[1])
        while not client.has_collection(name_of(place[3])):
            assert process.poll() is None
            time.sleep(0.1)
        client.close()
        yield process


def test_two_ingests_at_once(twinlens: Twinlens, server_uri: str, shared_photos: Path) -> None:
    """The second ends with exit code 4 and says who writes; queries go on, and so does the first."""
    place = ["--uri", server_uri, "--collection", "twice"]
    with ingesting(place) as first:
        second = twinlens("ingest", shared_photos, *place)
        looked = twinlens("query", shared_photos / "a-00.jpg", *place)
        out, _ = first.communicate(f"{shared_photos}\n")
    assert (second.code, second.out, looked.code, first.returncode) == (4, "", 0, 5)
    assert f"another run writes to the collection twice at {server_uri} (process {first.pid} on" in second.err
    assert '"interrupted": false' in out.splitlines()[-1]
    assert twinlens("ingest", shared_photos, *place, "--json").rows[-1]["unchanged"] == 20


def test_groups_of_a_server_are_those_of_lite(
    twinlens: Twinlens, server_uri: str, full_uri: str, shared_photos: Path, tmp_path: Path
) -> None:
    """Groups and page come out of a server as they do out of a Milvus Lite file."""
    place = ["--uri", server_uri, "--collection", "grouped"]
    twinlens("ingest", shared_photos, *place)
    assert twinlens("groups", *place, "--json").out == twinlens("groups", "--uri", full_uri, "--json").out
    twinlens("groups", *place, "--html", tmp_path / "server.html")
    twinlens("groups", "--uri", full_uri, "--html", tmp_path / "lite.html")
    assert (tmp_path / "server.html").read_bytes() == (tmp_path / "lite.html").read_bytes()
