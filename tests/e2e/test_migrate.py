"""`twinlens migrate`, as a user sees it: to another Milvus, and to another encoder."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pictures
import pytest
from commandline import Twinlens

from indexer.jobs import reencode
from indexer.records import Entry, Settings
from indexer.store.milvus import open_existing, open_store, stands_for
from model import load_encoder
from model.graph import body_of, with_scale, write_body

Rows = dict[str, tuple[Entry, bytes, bytes]]


def rows(uri: str, collection: str = "images") -> Rows:
    """Return all that a collection holds, comparable bit by bit."""
    with closing(open_existing(uri, collection)) as store:
        return {entry.uri: (entry, entry.descriptor.tobytes(), entry.thumbnail) for entry in store.entries()}


def settings(uri: str) -> Settings:
    """Return what is stamped on a collection."""
    with closing(open_existing(uri, "images")) as store:
        return store.settings


def test_a_collection_is_copied_to_another_file(twinlens: Twinlens, full_uri: str, lite_uri: str) -> None:
    """The target holds equal rows and the same settings, the source what it held; again, nothing is written."""
    before = rows(full_uri)
    result = twinlens("migrate", "--uri", full_uri, "--to", lite_uri, "--json")
    assert result.rows == [{"type": "summary", "images": 20, "written": 20, "compared": 20, "distances": 12}]
    assert (rows(lite_uri), rows(full_uri), settings(lite_uri)) == (before, before, settings(full_uri))
    assert twinlens("migrate", "--uri", full_uri, "--to", lite_uri, "--json").rows[0]["written"] == 0


@pytest.mark.parametrize("option", [["--report", "r.jsonl"], ["--weights", "w.onnx"], ["--radius", "0.002"], ["-v"]])
def test_a_copy_refuses_what_is_for_encoding(
    twinlens: Twinlens, full_uri: str, lite_uri: str, option: list[str]
) -> None:
    """An option that would be left out in silence is named, and nothing is made."""
    result = twinlens("migrate", "--uri", full_uri, "--to", lite_uri, *option)
    assert (result.code, "is for --re-encode" in result.err) == (2, True)
    assert not Path(lite_uri).exists()


def test_another_radius_is_no_other_encoder(twinlens: Twinlens, full_uri: str) -> None:
    """That there is nothing to do is not said of a collection with another radius than is asked for."""
    result = twinlens("migrate", "--uri", full_uri, "--re-encode", "--radius", "0.002")
    assert (result.code, "export it, and import it under another name" in result.err) == (2, True)


@pytest.mark.server
@pytest.mark.slow
def test_a_collection_goes_to_a_server_and_back(
    twinlens: Twinlens, full_uri: str, lite_uri: str, server_uri: str
) -> None:
    """Lite to server, server to server, server to Lite: the rows stay the same bit by bit."""
    there = ("--uri", server_uri, "--collection")
    assert twinlens("migrate", "--uri", full_uri, "--to", server_uri, "--to-collection", "moved").code == 0
    assert twinlens("migrate", *there, "moved", "--to-collection", "again").code == 0
    assert twinlens("migrate", *there, "again", "--to", lite_uri, "--to-collection", "images").code == 0
    assert rows(server_uri, "moved") == rows(server_uri, "again") == rows(lite_uri) == rows(full_uri)


def test_a_copy_that_was_cut_short_goes_on(twinlens: Twinlens, full_uri: str, lite_uri: str) -> None:
    """What is there and equal is left alone, and the rest is written."""
    with closing(open_store(lite_uri, "images", settings(full_uri))) as store:
        store.put([entry for entry, *_ in [*rows(full_uri).values()][5:14]])
    result = twinlens("migrate", "--uri", full_uri, "--to", lite_uri)
    assert "20 images are in the collection images at " in result.out
    assert "11 of them new\n20 compared bit by bit, 12 distances computed anew: all agree" in result.out
    assert rows(lite_uri) == rows(full_uri)


def test_a_target_that_holds_something_else_is_left_alone(
    twinlens: Twinlens, full_uri: str, lite_uri: str, tmp_path: Path
) -> None:
    """Neither another archive's collection nor the source itself is written to."""
    twinlens("ingest", pictures.folder(tmp_path / "others", count=1), "--uri", lite_uri)
    before = rows(lite_uri)
    result = twinlens("migrate", "--uri", full_uri, "--to", lite_uri)
    assert (result.code, "holds 2 entries of something else" in result.err, rows(lite_uri)) == (2, True, before)
    result = twinlens("migrate", "--uri", full_uri, "--to", f"{full_uri}/../{Path(full_uri).name}")
    assert (result.code, "is where the collection images is" in result.err) == (2, True)
    assert twinlens("migrate", "--uri", full_uri).code == 2


@pytest.fixture(scope="session")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an encoder whose descriptors differ a little from the shipped one's."""
    path = tmp_path_factory.mktemp("weights") / "other.onnx"
    spec = load_encoder().spec
    shipped = Path(load_encoder.__code__.co_filename).parent / "weights" / "encoder.onnx"
    longer = 1.01 * spec.scale
    write_body(path, with_scale(body_of(shipped.read_bytes(), spec), longer), dataclasses.replace(spec, scale=longer))
    return path


@pytest.fixture
def archive(shared_photos: Path, tmp_path: Path) -> list[Path]:
    """Return sources of one's own: half of the photographs in a folder, the others in a tar, none broken."""
    folder = Path(shutil.copytree(shared_photos, tmp_path / "photos"))
    for broken in folder.glob("z-*"):
        broken.unlink()
    (tmp_path / "scans").mkdir()
    for number in range(4):
        for file in folder.glob(f"?-0{number}.*"):
            file.rename(tmp_path / "scans" / file.name)
    return [folder, pictures.tar(tmp_path / "scans")]


def encoded_with(twinlens: Twinlens, archive: list[Path], weights: Path, uri: str) -> Rows:
    """Return the rows of an ingest with another encoder into a collection of its own."""
    assert twinlens("ingest", *archive, "--uri", uri, "--collection", "fresh", "--weights", weights).code == 0
    return rows(uri, "fresh")


@pytest.fixture(params=["lite", pytest.param("server", marks=[pytest.mark.server, pytest.mark.slow])])
def uri(request: pytest.FixtureRequest, lite_uri: str) -> str:
    """Return where Milvus is, embedded or not."""
    return str(request.getfixturevalue("server_uri")) if request.param == "server" else lite_uri


def test_a_collection_gets_another_encoder(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, uri: str, tmp_path: Path
) -> None:
    """Its rows are those of an ingest with that encoder, its name stands for them, the old ones are kept; and back."""
    place, name = ("--uri", uri, "--collection", "photos"), "photos"
    twinlens("ingest", *archive, *place)
    old = rows(uri, name)
    refused = twinlens("query", archive[1], *place, "--weights", other_weights)
    assert (refused.code, "twinlens migrate --re-encode" in refused.err) == (2, True)
    result = twinlens("migrate", "--re-encode", *place, "--weights", other_weights, "--json")
    *_, summary, switched = result.rows
    assert (result.code, summary["seen"], summary["unique"]) == (0, 20, 8)
    fresh = encoded_with(twinlens, archive, other_weights, str(tmp_path / "fresh.db"))
    assert rows(uri, name) == fresh != old == rows(uri, switched["kept_as"])
    assert twinlens("ingest", *archive, *place, "--weights", other_weights, "--json").rows[-1]["unchanged"] == 20
    again = twinlens("migrate", "--re-encode", *place, "--weights", other_weights)
    assert (again.code, "nothing to do" in again.err) == (0, True)
    back = twinlens("migrate", "--re-encode", *place)
    assert back.out.endswith(
        f"photos now stands for {switched['kept_as']}; the old one is kept as {switched['stands_for']}\n"
    )
    assert rows(uri, name) == old
    with closing(open_existing(uri, name)) as store:
        store.remove(list(old), originals=True)


def test_a_strict_collection_stays_strict(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str, tmp_path: Path
) -> None:
    """Another encoder, and another file, make no other rule of it."""
    twinlens("ingest", archive[1], "--uri", lite_uri, "--strict")
    assert twinlens("migrate", "--re-encode", "--uri", lite_uri, "--weights", other_weights).code == 0
    assert twinlens("migrate", "--uri", lite_uri, "--to", tmp_path / "other.db").code == 0
    for uri in (lite_uri, str(tmp_path / "other.db")):
        with closing(open_existing(uri, "images")) as store:
            assert store.settings.strict


def test_files_that_are_gone_are_named_and_nothing_is_switched(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str
) -> None:
    """Law 9: a missing disk is no deletion, so the new collection gets the name only when it is told to."""
    twinlens("ingest", *archive, "--uri", lite_uri)
    (archive[0] / "a-05.jpg").unlink()
    (archive[0] / "b-06.png").write_bytes(b"no picture")
    archive[1].rename(archive[1].with_name("elsewhere.tar"))
    command = ("migrate", "--re-encode", "--uri", lite_uri, "--weights", other_weights)
    result = twinlens(*command, "--json")
    rejected = {row["uri"]: row["kind"] for row in result.rows[:-1] if row["outcome"] == "rejected"}
    assert (rejected[f"{archive[0]}/a-05.jpg"], rejected[f"{archive[0]}/b-06.png"]) == ("missing", "not-an-image")
    assert len([uri for uri in rejected if uri.startswith(f"{archive[1]}!/")]) == 10
    assert (result.code, "lacks 12 images of images, which stays as it is" in result.err) == (5, True)
    assert stands_for(lite_uri, "images") == "images"
    result = twinlens(*command, "--without-missing")
    assert (result.code, "images now stands for images_" in result.out) == (5, True)
    heirs = {entry.uri for entry, *_ in rows(lite_uri).values() if entry.is_original}
    assert (len(rows(lite_uri)), len(heirs & {f"{archive[0]}/b-05.png", f"{archive[0]}/c-05.jpg"})) == (8, 1)


def test_a_member_that_is_gone_is_named(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str
) -> None:
    """An archive that holds other members now gives those that are still in it, and the others are missing."""
    twinlens("ingest", archive[1], "--uri", lite_uri)
    (archive[1].with_suffix("") / "c-01.jpg").unlink()
    pictures.tar(archive[1].with_suffix(""))
    result = twinlens("migrate", "--re-encode", "--uri", lite_uri, "--weights", other_weights, "--json")
    rejected = [(row["uri"], row["kind"]) for row in result.rows[:-1] if row["outcome"] == "rejected"]
    assert (rejected, result.rows[-1]["seen"]) == ([(f"{archive[1]}!/c-01.jpg", "missing")], 10)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_queries_see_the_old_rows(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str, tmp_path: Path
) -> None:
    """Killed in the middle, the name stands for the whole old collection; run again, all is as if unbroken."""
    twinlens("ingest", *archive, "--uri", lite_uri)
    old = rows(lite_uri)
    arguments = ["--re-encode", "--uri", lite_uri, "--weights", str(other_weights), "--json", "--batch-size", "4"]
    command = [sys.executable, "-m", "indexer", "migrate", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(9):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert rows(lite_uri) == old
    result = twinlens("migrate", *arguments)
    assert (result.code, result.rows[-2]["unchanged"] >= 8) == (0, True)
    assert rows(lite_uri) == encoded_with(twinlens, archive, other_weights, str(tmp_path / "fresh.db"))


def test_a_switch_that_was_cut_short_is_finished(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str
) -> None:
    """Killed between the renaming and the naming, the next run gives the new collection its name."""
    twinlens("ingest", *archive, "--uri", lite_uri)
    command = ("migrate", "--re-encode", "--uri", lite_uri, "--weights", other_weights)
    switched = twinlens(*command, "--json").rows[-1]
    with closing(open_existing(lite_uri, "images")) as store:
        store.table.client.drop_alias("images")
    assert stands_for(lite_uri, "images") is None
    assert twinlens(*command).out == f"images now stands for {switched['stands_for']}\n"
    assert len(rows(lite_uri)) == 20


def test_names_that_are_taken_are_told_before_anything_is_done(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str
) -> None:
    """The old collection's future name must be free, else hours of encoding would end in an error."""
    twinlens("ingest", archive[1], "--uri", lite_uri)
    taken = f"images_{reencode.short(settings(lite_uri))}"
    open_store(lite_uri, taken, settings(lite_uri)).close()
    result = twinlens("migrate", "--re-encode", "--uri", lite_uri, "--weights", other_weights)
    assert (result.code, result.out, f"there is a collection {taken}" in result.err) == (2, "", True)


def test_another_place_gets_the_new_encoder_without_a_switch(
    twinlens: Twinlens, archive: list[Path], other_weights: Path, lite_uri: str, tmp_path: Path
) -> None:
    """With --to, the new collection is made there, and the old one keeps its name."""
    twinlens("ingest", archive[1], "--uri", lite_uri)
    old, there = rows(lite_uri), str(tmp_path / "there.db")
    command = ("migrate", "--re-encode", "--uri", lite_uri, "--to", there, "--weights", other_weights)
    assert twinlens(*command).code == 0
    assert (rows(lite_uri), rows(there).keys()) == (old, old.keys())
    assert settings(there).fingerprint != settings(lite_uri).fingerprint
