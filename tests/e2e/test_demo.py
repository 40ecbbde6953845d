"""`twinlens demo`, the first thing that a new user sees."""

from __future__ import annotations

from pathlib import Path

from commandline import Twinlens


def test_the_demo_finds_what_it_planted(twinlens: Twinlens, tmp_path: Path) -> None:
    """Every planted copy, no other, each broken file, the upload; also when it is run a second time."""
    for _ in range(2):
        result = twinlens("demo", "--folder", tmp_path / "demo")
        assert "19 of 19 planted copies found, 0 false ones, 5 of 5 broken files named." in result.out
        assert (result.code, result.err, "$ twinlens" in result.out) == (0, "", False)
    assert (tmp_path / "demo" / "found.jpg").stat().st_size > 10_000


def test_the_demo_spares_a_folder_of_the_user(twinlens: Twinlens, tmp_path: Path) -> None:
    """Law 8: a folder that the demo did not make is not replaced."""
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(b"precious")
    result = twinlens("demo", "--folder", tmp_path)
    assert (result.code, mine.read_bytes()) == (2, b"precious")
    assert "--folder" in result.err
