"""Nights on real folders and a real Milvus Lite file: what is gone is marked and removed, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pictures
import pytest
from commandline import Twinlens

from indexer import ConfigError, HeldBack, Index, SourceOptions, SweepPolicy, SweepSummary, Tuning, open_index

POLICY = SweepPolicy(grace_s=100.0)
SECOND = 1_000_000_000


def night(index: Index, *sources: Path, at: int = 1, exclude: tuple[str, ...] = ()) -> SweepSummary:
    """Ingest *sources*, then sweep, *at* so many seconds."""
    run = index.ingest(list(sources), Tuning(sources=SourceOptions(exclude=exclude)))
    list(run)
    return index.sweep(run, POLICY, now_ns=at * SECOND)


def held(index: Index) -> dict[str, str | None]:
    """Return the name of each entry with its original's."""
    return {Path(e.uri).name: e.original and Path(e.original).name for e in index.store.entries()}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a folder of three photographs with a relit and two exact copies, and a tar of three others."""
    folder = pictures.folder(tmp_path / "disk", count=3)
    for path in folder.glob("z-*"):
        path.unlink()
    (folder / "c-01.jpg").rename(folder / "sure.jpg")
    pictures.tar(packable(tmp_path)).rename(folder / "shard.tar")
    return folder


def packable(tmp_path: Path, count: int = 3) -> Path:
    """Return a folder of *count* other photographs, to be packed."""
    folder = tmp_path / "shard"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(count):
        pictures.save(pictures.part(number + 8), folder / f"m-{number}.jpg")
    return folder


def test_a_copy_takes_the_place_of_its_original(disk: Path, lite_uri: str) -> None:
    """An original is deleted: marked, still found by queries, and after its grace followed by its nearest copy."""
    with open_index(lite_uri) as index:
        night(index, disk)
        (disk / "a-00.jpg").unlink()
        assert night(index, disk, at=10) == SweepSummary(1, 0, 0, 0, 0, 1, ())
        (verdict,) = index.query([disk / "b-00.png"])
        assert verdict.original == str(disk / "a-00.jpg")
        assert night(index, disk, at=109) == SweepSummary(0, 0, 0, 0, 0, 1, ())
        assert night(index, disk, at=110) == SweepSummary(0, 0, 1, 0, 1, 0, ())
        assert held(index)["b-00.png"] is None
        assert index.show(str(disk / "a-00.jpg")) is None


def test_what_is_gone_is_said_to_be(disk: Path, lite_uri: str, twinlens: Twinlens) -> None:
    """While an original's entry is kept, show, query and status tell that its file is not there, and since when."""
    gone, copy = disk / "a-00.jpg", disk / "b-00.png"
    with open_index(lite_uri) as index:
        night(index, disk)
        gone.unlink()
        night(index, disk, at=86_400)
    said, since = f"{gone}, gone since 1970-01-02", 86_400 * SECOND
    assert f"image     {said}\nis        an original\n" in twinlens("show", gone, "--uri", lite_uri).out
    assert f"is        a copy of {said}\n" in twinlens("show", copy, "--uri", lite_uri).out
    assert f"of {said}  (" in twinlens("query", copy, "--uri", lite_uri, "-v").out
    assert "\ngone         1 of them" in twinlens("status", "--uri", lite_uri).out
    shown = json.loads(twinlens("show", copy, "--uri", lite_uri, "--json").out)
    assert [shown[name] for name in ("missing_since", "original_missing_since")] == [None, since]
    assert [member["missing_since"] for member in shown["group"]][:2] == [since, None]
    assert json.loads(twinlens("show", gone, "--uri", lite_uri, "--json").out)["missing_since"] == since
    assert twinlens("query", copy, "--uri", lite_uri, "--json").rows[0]["original_missing_since"] == since
    assert json.loads(twinlens("status", "--uri", lite_uri, "--json").out)["missing"] == 1


def test_a_renamed_original_keeps_its_group(disk: Path, lite_uri: str) -> None:
    """A rename is an exact copy and a vanished original: its new name leads the group at once."""
    with open_index(lite_uri) as index:
        night(index, disk)
        before = held(index)
        (disk / "a-02.jpg").rename(disk / "renamed.jpg")
        assert night(index, disk) == SweepSummary(0, 0, 0, 1, 1, 0, ())
        del before["a-02.jpg"]
        assert held(index) == before | {"renamed.jpg": None, "b-02.png": "renamed.jpg"}
        (disk / "sure.jpg").rename(disk / "surer.jpg")
        assert night(index, disk) == SweepSummary(0, 0, 0, 1, 0, 0, ())
        assert held(index)["surer.jpg"] == "a-01.jpg"


def test_a_member_that_vanished_from_its_archive(disk: Path, tmp_path: Path, lite_uri: str) -> None:
    """A tar that was packed anew without a member loses that one; one that is damaged or left out loses none."""
    whole = (disk / "shard.tar").read_bytes()
    with open_index(lite_uri) as index:
        night(index, disk)
        (disk / "shard.tar").write_bytes(whole[:700])
        assert night(index, disk) == SweepSummary(0, 0, 0, 0, 0, 0, ())
        shutil.move(pictures.tar(packable(tmp_path, 2)), disk / "shard.tar")
        assert night(index, disk, exclude=("shard.tar",)) == SweepSummary(0, 0, 0, 0, 0, 0, ())
        assert night(index, disk) == SweepSummary(1, 0, 0, 0, 0, 1, ())
        (disk / "shard.tar").write_bytes(whole)
        assert night(index, disk) == SweepSummary(0, 1, 0, 0, 0, 0, ())
        (disk / "shard.tar").unlink()
        assert night(index, disk).vanished == 3


def test_a_mount_that_is_gone_takes_no_entry_with_it(disk: Path, tmp_path: Path, lite_uri: str) -> None:
    """Law 9: the folder away, or empty as a mount point without its disk, is named; the other folder is swept."""
    (disk / "shard.tar").unlink()
    other = packable(tmp_path)
    with open_index(lite_uri) as index:
        night(index, disk, other)
        before, away = held(index), tmp_path / "away"
        disk.rename(away)
        (other / "m-1.jpg").rename(tmp_path / "m-1.jpg")
        assert night(index, disk, other, at=10) == SweepSummary(1, 0, 0, 0, 0, 1, (str(disk),))
        disk.mkdir()
        assert night(index, disk, other, at=20) == SweepSummary(0, 0, 0, 0, 0, 1, (str(disk),))
        assert held(index) == before
        disk.rmdir()
        away.rename(disk)
        (tmp_path / "m-1.jpg").rename(other / "m-1.jpg")
        assert night(index, disk, other, at=10**6) == SweepSummary(0, 1, 0, 0, 0, 0, ())
        assert held(index) == before


def test_a_run_that_was_stopped_sweeps_nothing(disk: Path, lite_uri: str) -> None:
    """Stopped or abandoned half-way, it names its sources, and marks nothing."""
    with open_index(lite_uri) as index:
        night(index, disk)
        (disk / "b-01.png").unlink()
        stopped, abandoned = index.ingest([disk, "elsewhere.tar"]), index.ingest([disk])
        for _ in stopped:
            stopped.stop()
        next(iter(abandoned))
        absent = (str(disk), str(Path("elsewhere.tar").resolve()))
        assert index.sweep(stopped, POLICY) == SweepSummary(0, 0, 0, 0, 0, 0, tuple(sorted(absent)))
        assert index.sweep(abandoned, POLICY) == SweepSummary(0, 0, 0, 0, 0, 0, (str(disk),))


def test_a_query_is_no_ground_for_a_sweep(disk: Path, lite_uri: str) -> None:
    """A query does not store what it finds under a new name, so nothing can be told to have moved."""
    with open_index(lite_uri) as index:
        night(index, disk)
        run = index.query([disk])
        list(run)
        with pytest.raises(ConfigError, match="sweep after an ingest"):
            index.sweep(run, POLICY)


def test_a_disk_that_is_not_mounted_below_its_source(tmp_path: Path, lite_uri: str) -> None:
    """Its folder is there, and empty all of a sudden: what lay below it stays, marks and all; the rest is swept."""
    source = tmp_path / "photos"
    for number in range(8):
        (source / f"disk{number // 2}" / "2024").mkdir(parents=True, exist_ok=True)
        pictures.save(pictures.part(number), source / f"disk{number // 2}" / "2024" / f"{number}.jpg")
    with open_index(lite_uri) as index:
        night(index, source)
        (source / "disk3/2024/6.jpg").unlink()
        assert night(index, source, at=1) == SweepSummary(1, 0, 0, 0, 0, 1, ())
        shutil.rmtree(source / "disk3/2024")
        (source / "disk2/2024/5.jpg").unlink()
        held = HeldBack(str(source / "disk3"), "it is there, but empty, and held 1 before")
        assert night(index, source, at=200) == SweepSummary(1, 0, 0, 0, 0, 2, (), (held,))
        run = index.ingest([source])
        list(run)
        told = index.sweep(run, SweepPolicy(100.0, at_most_share=1.0), now_ns=250 * SECOND)
        assert told == SweepSummary(1, 0, 1, 0, 0, 2, ())
