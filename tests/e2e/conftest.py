"""A folder of real pictures, a fresh Milvus Lite file, and the command line in this process."""

from __future__ import annotations

from pathlib import Path

import pictures
import pytest
from commandline import Result, Twinlens

from indexer.cli import run


@pytest.fixture(scope="session")
def shared_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 8 photographs, 8 relit and 4 exact copies and 3 broken files; nobody may change it."""
    return pictures.folder(tmp_path_factory.mktemp("e2e") / "photos", count=8)


@pytest.fixture
def twinlens(capfd: pytest.CaptureFixture[str]) -> Twinlens:
    """Return what runs the command line in this process."""

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Result(code, *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def full_uri(shared_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Milvus Lite file that holds the shared photographs; nobody may write to it."""
    uri = str(tmp_path_factory.mktemp("full") / "full.db")
    assert run(["ingest", str(shared_photos), "--uri", uri]) == 5
    return uri
