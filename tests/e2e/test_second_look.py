"""The second look, as a user sees it: two frames of one burst are no copies, a zoomed and mirrored one is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pictures
import pytest
from commandline import Twinlens

RADIUS = ("--radius", "0.05")
"""Wide enough that the radius alone takes any two of these pictures for copies."""


@pytest.fixture
def burst(tmp_path: Path) -> Path:
    """Return a folder: a scene, the same scene zoomed in and mirrored, and another frame in which things have moved."""
    folder = tmp_path / "burst"
    folder.mkdir()
    scene = pictures.photo("coffee.png")
    pictures.save(scene, folder / "1-scene.png")
    inner = scene[60:-60, 100:-60]
    pictures.save(inner, folder / "2-zoomed.png")
    pictures.save(scene[::-1], folder / "3-moved.png")
    return folder


def test_a_burst_is_told_apart(twinlens: Twinlens, burst: Path, lite_uri: str) -> None:
    """Both lie within the radius: the zoomed one is confirmed, with its transform; the other is a lookalike."""
    *rows, summary = twinlens("ingest", burst, "--uri", lite_uri, *RADIUS, "--json").rows
    scene, zoomed, moved = rows
    assert [row["outcome"] for row in rows] == ["unique", "copy", "unique"]
    assert (zoomed["original"], zoomed["lookalike"], zoomed["mirrored"]) == (scene["uri"], None, False)
    assert 0.5 < zoomed["score"] <= 1
    assert 1.2 < zoomed["scale"] < 1.5
    assert len(zoomed["shift"]) == 2
    assert (moved["original"], moved["score"], moved["lookalike"]) == (None, None, scene["uri"])
    assert 0 < moved["lookalike_distance"] < 0.05
    assert moved["lookalike_score"] < zoomed["score"]
    assert (summary["lookalikes"], summary["config"]["second_look"]) == (1, True)


def test_text_tells_what_was_seen(twinlens: Twinlens, burst: Path, lite_uri: str) -> None:
    """A copy's line says how it was zoomed; lookalikes are counted, and listed with -v."""
    result = twinlens("ingest", burst, "--uri", lite_uri, *RADIUS)
    assert ", zoomed to 1" in result.out
    assert "1 unique image resembles another" in result.out
    assert "\n          resembles" not in result.out
    again = twinlens("ingest", burst, "--uri", lite_uri, "-v").out
    assert f"unchanged {burst / '3-moved.png'}\n          resembles {burst / '1-scene.png'}  (distance 0.0" in again


def test_what_was_seen_is_kept(twinlens: Twinlens, burst: Path, lite_uri: str) -> None:
    """A second run and `show` tell of each image what the first run told; a query of its bytes agrees."""
    first = twinlens("ingest", burst, "--uri", lite_uri, *RADIUS, "--json").rows[:-1]
    again = twinlens("ingest", burst, "--uri", lite_uri, "--json").rows[:-1]
    assert again == [row | {"outcome": "unchanged", "original_is_there": None} for row in first]
    for row in first:
        shown = json.loads(twinlens("show", row["uri"], "--uri", lite_uri, "--json").out)
        assert {name: shown[name] for name in row if name != "type"} == {n: v for n, v in row.items() if n != "type"}
    assert "zoomed to 1" in twinlens("show", burst / "2-zoomed.png", "--uri", lite_uri).out
    assert f"resembles {burst / '1-scene.png'}" in twinlens("show", burst / "3-moved.png", "--uri", lite_uri).out


def test_without_it_the_radius_decides(twinlens: Twinlens, burst: Path, lite_uri: str) -> None:
    """A collection made with --no-second-look keeps to it, and says so."""
    for options in (("--no-second-look", *RADIUS), ()):
        *rows, summary = twinlens("ingest", burst, "--uri", lite_uri, "--json", *options).rows
        assert [row["original"] is None for row in rows] == [True, False, False]
        assert {row["score"] for row in rows} == {None}
        assert (summary["lookalikes"], summary["config"]["second_look"]) == (0, False)
    assert "the radius alone decides" in twinlens("status", "--uri", lite_uri).out


def test_a_collection_made_with_it_is_not_ingested_without(twinlens: Twinlens, burst: Path, lite_uri: str) -> None:
    """Exit code 2, and one line that says what to leave out."""
    twinlens("ingest", burst, "--uri", lite_uri)
    result = twinlens("ingest", burst, "--uri", lite_uri, "--no-second-look")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "leave out --no-second-look, or name another --collection" in result.err
    assert "a score of at least" in twinlens("status", "--uri", lite_uri).out


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """Return a folder: a scene, and the same scene with a red disc laid on it."""
    folder = tmp_path / "marked"
    folder.mkdir()
    scene = pictures.photo("coffee.png").copy()
    pictures.save(scene, folder / "1-scene.png")
    rows, columns = np.mgrid[-40:40, -40:40]
    scene[100:180, 400:480][rows**2 + columns**2 < 1600] = (200, 30, 30)
    pictures.save(scene, folder / "2-marked.png")
    return folder


def test_a_mark_is_seen_through_and_told(twinlens: Twinlens, marked: Path, lite_uri: str) -> None:
    """A picture with a sticker on it is a copy, and its line says how much differs: 2 % of 400 x 600 pixels."""
    result = twinlens("ingest", marked, "--uri", lite_uri, *RADIUS)
    assert "1 unique, 1 copy" in result.out
    assert re.search(r"2-marked\.png\n +of .*1-scene\.png  \(distance 0\.0\d+, (1\.\d|2\.\d) % differs\)", result.out)


def test_a_strict_collection_takes_no_marked_picture(twinlens: Twinlens, marked: Path, lite_uri: str) -> None:
    """There it is a lookalike, whatever its score; a picture without marks, made smaller, is a copy."""
    pictures.save(pictures.photo("coffee.png")[::2, ::2], marked / "3-small.png")
    *rows, summary = twinlens("ingest", marked, "--uri", lite_uri, *RADIUS, "--strict", "--json").rows
    assert [row["original"] for row in rows] == [None, None, rows[0]["uri"]]
    assert (rows[1]["lookalike"], rows[2]["changed"]) == (rows[0]["uri"], 0)
    assert rows[1]["lookalike_score"] >= summary["config"]["min_score"]
    assert 0.01 < rows[1]["lookalike_changed"] < 0.03
    shown = twinlens("show", marked / "2-marked.png", "--uri", lite_uri).out
    assert re.search(r"\d % differs: not a copy", shown)
    assert "second look  strict: a score of at least 0." in twinlens("status", "--uri", lite_uri).out


def test_a_collection_is_strict_from_the_start_or_never(twinlens: Twinlens, marked: Path, lite_uri: str) -> None:
    """A later --strict is refused in one line; without a second look there is nothing that could be strict."""
    twinlens("ingest", marked, "--uri", lite_uri)
    result = twinlens("ingest", marked, "--uri", lite_uri, "--strict")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "was made not to be strict, and keeps to it; leave out --strict" in result.err
    result = twinlens("ingest", marked, "--uri", lite_uri + "2.db", "--strict", "--no-second-look")
    assert (result.code, "leave out one of the two" in result.err) == (2, True)


def test_what_was_exported_goes_back_to_a_collection_that_is_as_strict(
    twinlens: Twinlens, marked: Path, lite_uri: str, tmp_path: Path
) -> None:
    """Another one refuses it, import and migrate alike, in a line that says why."""
    other = str(tmp_path / "other.db")
    twinlens("ingest", marked, "--uri", lite_uri, "--strict")
    twinlens("ingest", marked, "--uri", other)
    twinlens("export", tmp_path / "strict.parquet", "--uri", lite_uri)
    result = twinlens("import", tmp_path / "strict.parquet", "--uri", other)
    assert (result.code, "the collection images is not strict" in result.err) == (2, True)
    result = twinlens("migrate", "--uri", lite_uri, "--to", other)
    assert (result.code, "confirms copies by other numbers than images" in result.err) == (2, True)


def test_a_query_may_go_without(twinlens: Twinlens, burst: Path, lite_uri: str, tmp_path: Path) -> None:
    """Nothing is written, so each query may choose."""
    twinlens("ingest", burst / "1-scene.png", "--uri", lite_uri, *RADIUS)
    upload = pictures.save(np.ascontiguousarray(pictures.photo("coffee.png")[::-1]), tmp_path / "upload.png")
    looked, plain = (
        twinlens("query", upload, "--uri", lite_uri, "--json", *options).rows for options in ((), ("--no-second-look",))
    )
    assert (looked[0]["outcome"], looked[0]["lookalike"]) == ("unique", str(burst / "1-scene.png"))
    assert (plain[0]["outcome"], plain[0]["original"]) == ("copy", str(burst / "1-scene.png"))
    assert [rows[-1]["config"]["second_look"] for rows in (looked, plain)] == [True, False]


def test_a_copy_that_is_promoted_is_compared_by_its_stored_thumbnail(
    twinlens: Twinlens, burst: Path, lite_uri: str
) -> None:
    """When an original's file has changed and its copy's is gone, later images are confirmed against the copy."""
    twinlens("ingest", burst, "--uri", lite_uri, *RADIUS)
    scene, zoomed = burst / "1-scene.png", burst / "2-zoomed.png"
    zoomed.unlink()
    pictures.save(pictures.photo("chelsea.png"), scene)
    twinlens("ingest", burst, "--uri", lite_uri)
    pictures.save(np.ascontiguousarray(pictures.photo("coffee.png")[60:-60, 100:-60][::2, ::2]), burst / "4-small.png")
    row = twinlens("ingest", burst, "--uri", lite_uri, "--json").rows[2]
    assert (Path(row["uri"]).name, row["original"]) == ("4-small.png", str(zoomed))
