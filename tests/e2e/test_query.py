"""`twinlens query`, `status` and `show`, as a user sees them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pictures
import pytest
from commandline import Twinlens

from indexer.cli.query import query
from indexer.cli.status import advice
from indexer.records import Counts
from indexer.store import lite
from model import augment

ROOT = Path(__file__).parents[2]


def relit(tmp_path: Path, number: int) -> Path:
    """Return a file that the collection does not hold: a relit photograph."""
    edited = augment.contrast(pictures.part(number), np.random.default_rng(9), 0.2)
    return pictures.save(edited, tmp_path / "upload.webp")


def test_a_new_upload_finds_its_original(
    twinlens: Twinlens, full_uri: str, shared_photos: Path, tmp_path: Path
) -> None:
    """A relit upload is a copy, and --exit-code says so."""
    result = twinlens("query", relit(tmp_path, 2), "--uri", full_uri, "--json", "--exit-code")
    assert (result.code, result.rows[0]["outcome"]) == (10, "copy")
    assert result.rows[0]["original"] == str(shared_photos / "a-02.jpg")


@pytest.mark.parametrize("upload", ["upload.webp", "nowhere.jpg", "new.png"])
def test_the_example_of_the_help_speaks_of_copies_alone(full_uri: str, tmp_path: Path, upload: str) -> None:
    """The line to copy from --help says that we have a copy, and not so of a file that is missing or unique."""
    relit(tmp_path, 2)
    pictures.save(pictures.photo("chelsea.png"), tmp_path / "new.png")
    (line,) = re.findall(r"^ +twinlens (query .*--exit-code.*)$", query.help or "", re.MULTILINE)
    script = f'twinlens() {{ "$PYTHON" -m indexer "$@"; }}; twinlens {line.replace("upload.jpg", upload)}'
    env = os.environ | {"PYTHON": sys.executable, "TWINLENS_URI": full_uri, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ("we have that one" in done.stdout) is (upload == "upload.webp")


def test_a_new_picture_is_unique(twinlens: Twinlens, full_uri: str, tmp_path: Path) -> None:
    """A picture that the collection does not hold is unique, with exit code 0."""
    upload = pictures.save(pictures.photo("chelsea.png"), tmp_path / "new.png")
    result = twinlens("query", upload, "--uri", full_uri, "--json", "--exit-code")
    assert (result.code, result.rows[0]["outcome"], result.rows[0]["original"]) == (0, "unique", None)


def test_a_query_writes_nothing(twinlens: Twinlens, full_uri: str, tmp_path: Path) -> None:
    """The same new picture twice is unique twice, and the counts stay."""
    before = twinlens("status", "--uri", full_uri, "--json").out
    upload = pictures.save(pictures.photo("coffee.png"), tmp_path / "new.png")
    rows = twinlens("query", upload, upload, "--uri", full_uri, "--json").rows
    assert [row["outcome"] for row in rows[:-1]] == ["unique", "unique"]
    assert twinlens("status", "--uri", full_uri, "--json").out == before


def test_an_indexed_file_is_not_its_own_copy(twinlens: Twinlens, full_uri: str, shared_photos: Path) -> None:
    """Law 3: a file that is in the collection is unchanged, whatever else is asked."""
    result = twinlens("query", shared_photos / "a-00.jpg", "--uri", full_uri, "--json", "--exit-code")
    assert (result.code, result.rows[0]["outcome"], result.rows[0]["original"]) == (0, "unchanged", None)


def test_the_same_bytes_elsewhere_are_exact(
    twinlens: Twinlens, full_uri: str, shared_photos: Path, tmp_path: Path
) -> None:
    """A renamed file is an exact copy, found by its bytes."""
    upload = tmp_path / "renamed.jpg"
    upload.write_bytes((shared_photos / "a-03.jpg").read_bytes())
    row = twinlens("query", upload, "--uri", full_uri, "--json").rows[0]
    assert (row["outcome"], row["exact"], row["distance"]) == ("copy", True, 0.0)


def test_status_tells_what_the_collection_is(twinlens: Twinlens, full_uri: str) -> None:
    """Counts, radius and encoder; as JSON, too."""
    status = json.loads(twinlens("status", "--uri", full_uri, "--json").out)
    assert (status["images"], status["originals"], status["copies"], status["radius"]) == (20, 8, 12, 0.01)
    assert "20: 8 originals, 12 copies" in twinlens("status", "--uri", full_uri).out


def test_status_advises_a_server_when_lite_is_large(twinlens: Twinlens, full_uri: str) -> None:
    """A Milvus Lite file of 100,000 images is told to move to a server; smaller ones and servers are not."""
    large = Counts(originals=60_000, copies=40_000)
    assert "100,000 images; run a Milvus server" in (advice(full_uri, large) or "")
    assert advice("http://host:19530", large) is None
    assert json.loads(twinlens("status", "--uri", full_uri, "--json").out)["advice"] is None
    assert "advice" not in twinlens("status", "--uri", full_uri).out


def test_status_prints_its_advice(twinlens: Twinlens, full_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice is a line of its own, and in the JSON."""
    monkeypatch.setattr(lite, "SERVER_FROM", 20)
    told = twinlens("status", "--uri", full_uri).out
    assert "\nadvice       Milvus Lite slows down with 20 images" in told
    assert "twinlens migrate --to" in told
    assert "server" in json.loads(twinlens("status", "--uri", full_uri, "--json").out)["advice"]


def test_show_lists_the_group(twinlens: Twinlens, full_uri: str, shared_photos: Path) -> None:
    """Asked for a copy, it shows the whole group, the original first."""
    shown = json.loads(twinlens("show", shared_photos / "b-01.png", "--uri", full_uri, "--json").out)
    names = [Path(member["uri"]).name for member in shown["group"]]
    assert (shown["outcome"], names[0], sorted(names)) == ("copy", "a-01.jpg", ["a-01.jpg", "b-01.png", "c-01.jpg"])
    assert "a copy of" in twinlens("show", shared_photos / "b-01.png", "--uri", full_uri).out
