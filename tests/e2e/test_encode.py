"""`twinlens encode`, as a user sees it: shards whose import is an ingest."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pictures
import pytest
from commandline import Twinlens
from outcomes import rows, told

from indexer import interrupt

SIZE = ("--shard-size", "5")


def times(folder: Path) -> dict[str, int]:
    """Return when each shard was written."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("options", [(), ("--no-second-look",)])
def test_importing_shards_is_ingesting_their_images(
    twinlens: Twinlens, shared_photos: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Verdicts, rejections among them, and rows are those of an ingest of the same sources, in the same order."""
    uris = [str(tmp_path / name) for name in ("ingest.db", "import.db")]
    encoded = twinlens("encode", shared_photos, "--out", tmp_path / "made", *SIZE, *options, "--json")
    ingested = twinlens("ingest", shared_photos, "--uri", uris[0], "--json", *options)
    imported = twinlens("import", tmp_path / "made", "--uri", uris[1], "--json", *options)
    assert (encoded.code, ingested.code, imported.code) == (5, 5, 5)
    assert told(imported.rows) == told(ingested.rows)
    assert rows(uris[0]) == rows(uris[1])
    assert [row["rejected"] for row in encoded.rows[:-1]] == [row["kind"] for row in ingested.rows[:-1]]
    assert encoded.rows[-1] | {"out": ""} == {
        "type": "summary",
        "shards": 5,
        "images": 23,
        "encoded": 20,
        "rejected": 3,
        "out": "",
    }


def test_a_second_run_writes_nothing(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Finished shards stay as they are, and what was rejected is told again."""
    command = ("encode", shared_photos, "--out", tmp_path / "made", *SIZE)
    twinlens(*command)
    before = times(tmp_path / "made")
    result = twinlens(*command)
    assert "23 images in 5 files: 0 encoded now, 3 rejected" in result.out
    assert result.out.count("rejected  ") == 3
    assert times(tmp_path / "made") == before


def test_only_what_changed_is_encoded_again(twinlens: Twinlens, tmp_path: Path) -> None:
    """A file that got other content spoils the rest of its own shard, and no other."""
    folder = pictures.folder(tmp_path / "photos", count=8)
    command = ("encode", folder, "--out", tmp_path / "made", *SIZE, "--json")
    twinlens(*command)
    before = times(tmp_path / "made")
    pictures.save(pictures.part(20), folder / "a-06.jpg")
    assert twinlens(*command).rows[-1]["encoded"] == 4
    changed = [name for name, time in times(tmp_path / "made").items() if before[name] != time]
    assert changed == ["part-000001.parquet"]
    twinlens("import", tmp_path / "made", "--uri", tmp_path / "a.db")
    twinlens("ingest", folder, "--uri", tmp_path / "b.db")
    assert rows(str(tmp_path / "a.db")) == rows(str(tmp_path / "b.db"))


@pytest.mark.slow
def test_a_killed_run_goes_on(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Killed in the middle, no shard is half there; run again, the shards are those of an unbroken run."""
    command = ["encode", str(shared_photos), "--json", *SIZE, "--threads", "1", "--out"]
    with subprocess.Popen(
        [sys.executable, "-m", "indexer", *command, str(tmp_path / "made")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(6):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert twinlens(*command, tmp_path / "made").rows[-1]["encoded"] < 20
    twinlens(*command, tmp_path / "whole")
    for name in times(tmp_path / "whole"):
        assert (tmp_path / "made" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("size", "finished", "said"),
    [(2, 2, "kept in {out}: 4 images in 2 finished files; what was"), (6, 0, "no file was finished, so nothing is")],
)
def test_an_interrupted_run_says_what_is_kept(tmp_path: Path, size: int, finished: int, said: str) -> None:
    """Ctrl-C amid the next file, here while the list of paths goes on: what is in whole files, or that none is."""
    paths = sorted(pictures.folder(tmp_path / "photos", count=5).iterdir())[:5]
    out = tmp_path / "made"
    command = [sys.executable, "-m", "indexer", "encode", "-", "--out", str(out), "--shard-size", str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.writelines(f"{path}\n" for path in paths)
        process.stdin.flush()
        while len(list(out.glob("*.parquet"))) < finished or not list(out.glob("*.partial")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert said.format(out=out) in err
    assert err.endswith(f"{interrupt.MESSAGE}\n")


def test_a_folder_of_something_else_is_refused(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Shards with other thumbnails, and more shards than the sources fill, are named; none is deleted."""
    command = ("encode", "--out", tmp_path / "made", *SIZE)
    twinlens(*command, shared_photos)
    before = times(tmp_path / "made")
    result = twinlens(*command, shared_photos, "--no-second-look")
    assert (result.code, "or with other thumbnails; name another --out" in result.err) == (2, True)
    result = twinlens(*command, shared_photos, "--exclude", "[bcz]-*")
    assert (result.code, "holds 3 shards of images that the sources offer no more" in result.err) == (2, True)
    assert times(tmp_path / "made").keys() == before.keys()


def test_ingest_names_the_command_for_descriptors(twinlens: Twinlens, tmp_path: Path) -> None:
    """Who ingests a folder of shards is told what judges them; of an empty folder nothing is said."""
    folder = pictures.folder(tmp_path / "photos", count=1)
    twinlens("encode", folder, "--out", tmp_path / "made")
    (tmp_path / "empty").mkdir()
    said = [twinlens("ingest", tmp_path / name, "--uri", tmp_path / "a.db").err for name in ("made", "empty")]
    assert said == [
        f"twinlens: {tmp_path}/made holds descriptors; judge them with: twinlens import {tmp_path}/made\n",
        "",
    ]
