"""Whoever deletes copies goes by what their rows tell of the originals' files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Twinlens


def emptied(folder: Path, _: Path) -> None:
    """Cut the original to nothing."""
    (folder / "b.jpg").write_bytes(b"")


def overwritten(folder: Path, other: Path) -> None:
    """Put another picture in the place of the original."""
    shutil.copy(other, folder / "b.jpg")


def swapped(folder: Path, other: Path) -> None:
    """Let two originals take each other's names."""
    shutil.copy2(other, folder / "c.jpg")
    (folder / "b.jpg").rename(folder / "d.jpg")
    (folder / "c.jpg").rename(folder / "b.jpg")


def linked(folder: Path, _: Path) -> None:
    """Let the original's name lead to its copy."""
    (folder / "b.jpg").unlink()
    shutil.copy2(folder / "a.jpg", folder.parent / "elsewhere.jpg")
    (folder / "b.jpg").symlink_to(folder.parent / "elsewhere.jpg")


@pytest.mark.parametrize("change", [emptied, overwritten, swapped, linked])
def test_no_changed_file_passes_for_the_original(
    twinlens: Twinlens, shared_photos: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    """A copy's row never says that its original is there when that name holds another file than was indexed."""
    folder, uri = tmp_path / "pics", tmp_path / "a.db"
    folder.mkdir()
    shutil.copy2(shared_photos / "a-00.jpg", folder / "b.jpg")
    twinlens("ingest", folder, "--uri", uri)
    upload = shutil.copy(shared_photos / "a-00.jpg", tmp_path / "upload.jpg")
    assert twinlens("query", upload, "--uri", uri, "--json").rows[0]["original_is_there"] is True
    shutil.copy2(shared_photos / "a-00.jpg", folder / "a.jpg")
    change(folder, shared_photos / "a-01.jpg")
    assert twinlens("query", upload, "--uri", uri, "--json").rows[0]["original_is_there"] is None
    told = {Path(row["uri"]).name: row for row in twinlens("ingest", folder, "--uri", uri, "--json").rows[:-1]}
    assert (Path(told["a.jpg"]["original"]).name, told["a.jpg"]["original_is_there"]) == ("b.jpg", None)
    for row in twinlens("groups", "--uri", uri, "--json").rows:
        assert row["original_is_there"] is (None if row["original"] == str(folder / "b.jpg") else True)


def test_a_file_is_no_copy_of_itself_that_could_go(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Where two names lead to one file, no row says that the other one is there to be kept."""
    folder, uri = tmp_path / "pics", tmp_path / "a.db"
    folder.mkdir()
    shutil.copy2(shared_photos / "a-00.jpg", folder / "a.jpg")
    shutil.copy2(shared_photos / "a-00.jpg", folder / "c.jpg")
    (folder / "b.jpg").hardlink_to(folder / "a.jpg")
    rows = twinlens("ingest", folder, "--uri", uri, "--json").rows[:-1]
    assert [row["original_is_there"] for row in rows] == [None, None, True]
    assert [row["outcome"] for row in rows] == ["unique", "copy", "copy"]
    (group,) = twinlens("groups", "--uri", uri, "--json").rows
    assert group["original_is_there"] is None
    shown = [twinlens("show", folder / name, "--uri", uri, "--json").rows[0] for name in ("b.jpg", "c.jpg")]
    assert [row["original_is_there"] for row in shown] == [None, True]
