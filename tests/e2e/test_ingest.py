"""`twinlens ingest`, as a user sees it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pictures
from commandline import Twinlens

SUMS = ("unique", "copy", "rejected", "unchanged")


def test_every_image_has_a_row_and_the_counts_add_up(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """Law 1: a row for each file, then a summary whose parts sum up to what was seen; 5 since some are broken."""
    result = twinlens("ingest", shared_photos, "--uri", lite_uri, "--json")
    *rows, summary = result.rows
    assert (result.code, summary["type"]) == (5, "summary")
    assert [row["uri"] for row in rows] == sorted(str(path) for path in shared_photos.iterdir())
    assert [summary[name] for name in SUMS] == [8, 12, 3, 0]
    assert summary["seen"] == sum(summary[name] for name in SUMS) == len(rows)


def test_a_row_says_what_was_found(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """A relit photograph names its original and a distance inside the radius; the same bytes are exact."""
    result = twinlens("ingest", shared_photos, "--uri", lite_uri, "--json")
    rows = {Path(row["uri"]).name: row for row in result.rows[:-1]}
    original = str(shared_photos / "a-01.jpg")
    assert (rows["b-01.png"]["original"], rows["b-01.png"]["exact"]) == (original, False)
    assert 0 < rows["b-01.png"]["distance"] < 0.01
    exact = rows["c-01.jpg"]
    assert (exact["original"], exact["exact"], exact["distance"]) == (original, True, 0)
    assert (rows["a-01.jpg"]["width"], rows["a-01.jpg"]["height"]) == (200, 150)
    assert rows["z-0.jpg"]["kind"] == "empty"


def test_a_second_run_finds_all_unchanged(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """Law 4: run again, only the broken files are tried again."""
    twinlens("ingest", shared_photos, "--uri", lite_uri)
    summary = twinlens("ingest", shared_photos, "--uri", lite_uri, "--json").rows[-1]
    assert [summary[name] for name in SUMS] == [0, 0, 3, 20]


def test_text_names_copies_and_broken_files(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """Without --json, standard output lists what is worth a look, then the sums; nothing else is printed."""
    result = twinlens("ingest", shared_photos, "--uri", lite_uri)
    copy, original = shared_photos / "c-01.jpg", shared_photos / "a-01.jpg"
    assert f"copy      {copy}\n          of {original}  (same bytes)" in result.out
    assert f"rejected  {shared_photos / 'z-0.jpg'}\n          empty: " in result.out
    assert "23 images: 8 unique, 12 copies (4 exact), 3 rejected, 0 unchanged" in result.out
    assert result.err == ""


def test_a_copy_of_a_file_that_is_gone_says_so(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """Without any sweep, ingest, query and show tell that the original was moved away."""
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    twinlens("ingest", pictures.save(pictures.part(1), old), "--uri", lite_uri)
    old.rename(new)
    line = f"copy      {new}\n          of {old}, which is gone  (same bytes)"
    assert line in twinlens("query", new, "--uri", lite_uri).out
    result = twinlens("ingest", new, "--uri", lite_uri)
    assert line in result.out
    assert "1 image: 0 unique, 1 copy (1 exact, 1 of a file that is gone)" in result.out
    assert f"a copy of {old}, which is gone\n" in twinlens("show", new, "--uri", lite_uri).out


def test_a_run_over_nothing_says_so(twinlens: Twinlens, shared_photos: Path, lite_uri: str, tmp_path: Path) -> None:
    """An empty folder has no images; where patterns leave all out, it is they that are named, and how much that is."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").touch()
    none = twinlens("ingest", tmp_path / "empty", "--uri", lite_uri)
    found, seconds, other = none.out.splitlines()
    assert (none.code, found, seconds[-2:]) == (0, "no images found", " s")
    assert other == "1 file was passed over: no image by its name"
    left_out = twinlens("ingest", shared_photos, "--include", "*.xyz", "--uri", lite_uri).out.splitlines()
    assert (left_out[0], left_out[2:]) == (found, ["23 files or folders were left out by the patterns"])
    assert twinlens("encode", tmp_path / "empty", "--out", tmp_path / "made").out == "no images found\n"


def test_one_is_not_many(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """Sums have a singular, and of a short run only its time is told."""
    twinlens("ingest", shared_photos / "a-01.jpg", "--uri", lite_uri)
    sums, pace = twinlens("ingest", shared_photos / "c-01.jpg", "--uri", lite_uri).out.splitlines()[2:]
    assert sums == "1 image: 0 unique, 1 copy (1 exact), 0 rejected, 0 unchanged"
    assert "look up" not in pace
    assert "images       2: 1 original, 1 copy of them" in twinlens("status", "--uri", lite_uri).out


def test_a_tar_is_read_member_by_member(twinlens: Twinlens, shared_photos: Path, lite_uri: str, tmp_path: Path) -> None:
    """Members have URIs of their own, and nothing is unpacked beside the archive."""
    packed = pictures.tar(Path(shutil.copytree(shared_photos, tmp_path / "scans")))
    before = set(tmp_path.iterdir())
    rows = twinlens("ingest", packed, "--uri", lite_uri, "--json").rows
    assert rows[0]["uri"] == f"{packed}!/a-00.jpg"
    assert rows[-1]["unique"] == 8
    assert set(tmp_path.iterdir()) - before <= {Path(lite_uri)}


def test_a_changed_file_is_judged_again(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """A file that got other content is no longer what it was, and its copy finds another place."""
    folder = pictures.folder(tmp_path / "photos", count=2)
    twinlens("ingest", folder, "--uri", lite_uri)
    pictures.save(pictures.part(7), folder / "a-01.jpg")
    rows = twinlens("ingest", folder, "--uri", lite_uri, "--json").rows
    assert next(row for row in rows if row["uri"] == str(folder / "a-01.jpg"))["outcome"] == "unique"
    shown = json.loads(twinlens("show", folder / "c-01.jpg", "--uri", lite_uri, "--json").out)
    assert str(folder / "a-01.jpg") not in {member["uri"] for member in shown["group"]}
    assert len(shown["group"]) == 2


def test_a_touched_file_is_unchanged(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """A new modification time alone costs one look at the bytes, and no row."""
    folder = pictures.folder(tmp_path / "photos", count=1)
    twinlens("ingest", folder, "--uri", lite_uri)
    (folder / "a-00.jpg").touch()
    assert twinlens("ingest", folder, "--uri", lite_uri, "--json").rows[-1]["unchanged"] == 2


def test_files_are_left_as_they_are(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """Law 8: neither ingest nor query changes, moves or touches a user's file."""
    folder = pictures.folder(tmp_path / "photos", count=3)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    twinlens("ingest", folder, "--uri", lite_uri)
    twinlens("query", folder, "--uri", lite_uri)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_a_report_holds_what_is_printed(twinlens: Twinlens, shared_photos: Path, lite_uri: str, tmp_path: Path) -> None:
    """--report writes the same JSON Lines, and no unfinished file is left."""
    report = tmp_path / "report.jsonl"
    result = twinlens("ingest", shared_photos, "--uri", lite_uri, "--json", "--report", report)
    assert [json.loads(line) for line in report.read_text().splitlines()][:-1] == result.rows[:-1]
    assert not list(tmp_path.glob("*.partial"))


def test_a_report_replaces_nothing_but_a_report(
    twinlens: Twinlens, shared_photos: Path, lite_uri: str, tmp_path: Path
) -> None:
    """A photograph's name is refused before anything is done, an earlier report's is taken."""
    photo = Path(shutil.copy(shared_photos / "a-00.jpg", tmp_path / "mine.jpg"))
    result = twinlens("ingest", shared_photos, "--uri", lite_uri, "--report", photo)
    assert result.code == 2
    assert "mine.jpg is there and is no report" in result.err
    assert photo.read_bytes() == (shared_photos / "a-00.jpg").read_bytes()
    for _ in range(2):
        assert twinlens("ingest", shared_photos, "--uri", lite_uri, "--report", tmp_path / "report.jsonl").code == 5
    mine = tmp_path / "report.jsonl.partial"
    mine.write_text("mine")
    assert twinlens("ingest", shared_photos, "--uri", lite_uri, "--report", tmp_path / "report.jsonl").code == 2
    assert mine.read_text() == "mine"


def test_a_report_goes_to_a_pipe(shared_photos: Path, lite_uri: str) -> None:
    """What a name of an open pipe leads to has no name of its own; the report and the page go there all the same."""
    twinlens = [sys.executable, "-m", "indexer"]
    report = [*twinlens, "ingest", str(shared_photos / "a-00.jpg"), "--uri", lite_uri, "--report", "/dev/stderr"]
    rows = subprocess.run(report, capture_output=True, check=True, text=True).stderr.splitlines()
    assert [json.loads(row)["type"] for row in rows if row.startswith("{")] == ["image", "summary"]
    page = subprocess.run([*twinlens, "groups", "--uri", lite_uri, "--html", "/dev/stdout"], capture_output=True)  # noqa: PLW1510
    assert (page.returncode, page.stdout.rstrip()[-7:]) == (0, b"</html>")


def test_a_report_replaces_no_other_json(
    twinlens: Twinlens, shared_photos: Path, lite_uri: str, tmp_path: Path
) -> None:
    """A file that only begins alike, as GeoJSON does, is refused and stays."""
    other = tmp_path / "map.geojson"
    other.write_text('{"type": "FeatureCollection", "features": []}')
    assert twinlens("ingest", shared_photos, "--uri", lite_uri, "--report", other).code == 2
    assert other.read_text() == '{"type": "FeatureCollection", "features": []}'


def test_a_report_can_tell_of_places_that_are_not_utf8(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """A collection cannot lie in such a folder, and is refused before it is made; a report can."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    odd.mkdir()
    refused = twinlens("ingest", shared_photos / "a-00.jpg", "--uri", odd / "a.db")
    assert (refused.code, list(odd.iterdir())) == (2, [])
    assert "its whole path must be valid UTF-8" in refused.err
    report = odd / "report.jsonl"
    done = twinlens("ingest", shared_photos / "a-00.jpg", odd, "--uri", tmp_path / "a.db", "--report", report)
    assert (done.code, len(report.read_text().splitlines())) == (0, 2)


def test_a_locale_changes_no_name(shared_photos: Path, lite_uri: str, tmp_path: Path) -> None:
    """Of a folder with letters beyond ASCII, a run in an old locale finds everything unchanged."""
    folder = tmp_path / "üni"
    folder.mkdir()
    shutil.copy(shared_photos / "a-00.jpg", folder / "ä.jpg")
    command = [sys.executable, "-m", "indexer", "ingest", folder, "--uri", lite_uri, "--json"]
    old = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    first = subprocess.run(command, capture_output=True, check=True, text=True)
    again = subprocess.run(command, capture_output=True, check=True, env=old)
    rows = [json.loads(run.splitlines()[0]) for run in (first.stdout, again.stdout)]
    assert [row["outcome"] for row in rows] == ["unique", "unchanged"]
    assert rows[0]["uri"] == rows[1]["uri"] == str(folder / "ä.jpg")


def test_without_standard_input_no_list_comes(lite_uri: str) -> None:
    """Where it was closed, `-` is an empty list, and no traceback."""
    command = f"{sys.executable} -m indexer ingest - --uri {lite_uri} <&-"
    done = subprocess.run(command, shell=True, capture_output=True, check=False, text=True)
    assert (done.returncode, "Traceback" in done.stderr, "no images found" in done.stdout) == (0, False, True)


def test_paths_come_on_standard_input(shared_photos: Path, lite_uri: str) -> None:
    """`-` reads a list of paths, also one that ends in NULs; a missing one is named and the rest goes on."""
    listed = b"\0".join(str(shared_photos / name).encode() for name in ("a-00.jpg", "b-00.png", "gone.jpg"))
    command = [sys.executable, "-m", "indexer", "ingest", "-0", "-", "--uri", lite_uri, "--json"]
    done = subprocess.run(command, input=listed, capture_output=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["outcome"] for row in rows[:-1]] == ["unique", "copy", "rejected"]
    assert done.returncode == 5


def test_patterns_choose_files(twinlens: Twinlens, shared_photos: Path, lite_uri: str) -> None:
    """--include and --exclude work as in .gitignore."""
    options = ("--include", "a-*", "--include", "c-*", "--exclude", "*-03.*")
    rows = twinlens("ingest", shared_photos, "--uri", lite_uri, "--json", *options).rows
    assert {Path(row["uri"]).name[0] for row in rows[:-1]} == {"a", "c"}
    assert not [row for row in rows[:-1] if "-03" in row["uri"]]


def test_a_name_cannot_play_with_the_terminal(twinlens: Twinlens, lite_uri: str, tmp_path: Path) -> None:
    """Control characters in a file's name are escaped on the terminal, and whole in JSON."""
    name = tmp_path / "evil\x1b[2J\n.jpg"
    name.write_bytes(b"no picture")
    assert "\x1b" not in twinlens("ingest", name, "--uri", lite_uri).out
    assert twinlens("ingest", name, "--uri", lite_uri, "--json").rows[0]["uri"] == str(name)
