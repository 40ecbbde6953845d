"""`twinlens export` and `twinlens import`, as a user sees them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import tables
from commandline import Twinlens

from indexer.records import Entry, Settings
from indexer.store.milvus import open_existing, open_store

Rows = dict[str, tuple[Entry, bytes, bytes]]


def rows(uri: str, collection: str = "images") -> Rows:
    """Return all that a collection holds, comparable bit by bit."""
    with closing(open_existing(uri, collection)) as store:
        return {entry.uri: (entry, entry.descriptor.tobytes(), entry.thumbnail) for entry in store.entries()}


@pytest.fixture(scope="session")
def full_rows(full_uri: str) -> Rows:
    """Return what the shared collection holds."""
    return rows(full_uri)


@pytest.fixture
def exported(twinlens: Twinlens, full_uri: str, tmp_path: Path) -> Path:
    """Return the shared collection as a Parquet file."""
    path = tmp_path / "archive.parquet"
    result = twinlens("export", path, "--uri", full_uri)
    assert (result.code, result.out) == (0, f"20 images, {path.stat().st_size:,} bytes: {path}\n")
    return path


def test_a_collection_goes_out_and_comes_back(
    twinlens: Twinlens, exported: Path, full_rows: Rows, lite_uri: str
) -> None:
    """Export, import, export again: equal rows and settings, and reports as an ingest has them."""
    result = twinlens("import", exported, "--uri", lite_uri, "--json")
    *images, summary = result.rows
    assert (result.code, summary["unique"], summary["copy"], summary["seen"]) == (0, 8, 12, 20)
    assert {row["uri"]: row["outcome"] for row in images} == {
        uri: "unique" if entry.is_original else "copy" for uri, (entry, *_) in full_rows.items()
    }
    assert rows(lite_uri) == full_rows
    again = exported.with_name("again.parquet")
    assert json.loads(twinlens("export", again, "--uri", lite_uri, "--json").out)["images"] == 20
    assert twinlens("import", again, "--uri", lite_uri, "--json").rows[-1]["unchanged"] == 20


@pytest.mark.server
@pytest.mark.slow
def test_a_server_holds_the_same(twinlens: Twinlens, exported: Path, full_rows: Rows, server_uri: str) -> None:
    """A file from Milvus Lite gives a server's collection equal rows, and comes out of it equal."""
    place = ("--uri", server_uri, "--collection", "imported")
    assert twinlens("import", exported, *place).code == 0
    assert rows(server_uri, "imported") == full_rows
    twinlens("export", exported, *place)
    assert twinlens("import", exported, *place, "--json").rows[-1]["unchanged"] == 20


def test_an_import_that_was_cut_short_goes_on(
    twinlens: Twinlens, exported: Path, full_uri: str, full_rows: Rows, lite_uri: str
) -> None:
    """What is there already is left alone, the rest is written, and the end is the same."""
    with closing(open_existing(full_uri, "images")) as store:
        settings = store.settings
    with closing(open_store(lite_uri, "images", settings)) as store:
        store.put([entry for entry, *_ in [*full_rows.values()][:7] if entry.thumbnail])
    summary = twinlens("import", exported, "--uri", lite_uri, "--json").rows[-1]
    assert (summary["unchanged"], summary["unique"] + summary["copy"]) == (7, 13)
    assert rows(lite_uri) == full_rows


def test_a_collection_of_something_else_is_left_alone(
    twinlens: Twinlens,
    exported: Path,
    shared_photos: Path,
    lite_uri: str,
) -> None:
    """One image that the file does not hold, or holds otherwise: refused, and nothing is written."""
    other = shared_photos.parent / "other.jpg"
    other.write_bytes((shared_photos / "a-00.jpg").read_bytes())
    twinlens("ingest", other, shared_photos / "a-01.jpg", "--uri", lite_uri)
    before = rows(lite_uri)
    result = twinlens("import", exported, "--uri", lite_uri)
    assert (result.code, rows(lite_uri)) == (2, before)
    assert "the collection images holds 1 entries of something else; name another collection" in result.err
    with closing(open_existing(lite_uri, "images")) as store:
        store.remove([str(other)], originals=True)
        store.mark([str(shared_photos / "a-01.jpg")], 5)
    result = twinlens("import", exported, "--uri", lite_uri)
    assert (result.code, "holds another entry of" in result.err) == (2, True)


AMISS: dict[str, tuple[str, dict[str, Any]]] = {
    "look in part": ("it has no mirrored", {"mirrored": None}),
    "look of another type": ("the score 'high', which is no double", {"score": "high"}),
    "no format": ("it has no format", {"format": None}),
    "no thumbnail": ("its thumbnail is none", {"thumbnail": b"junk"}),
    "another word": ("its outcome is 'foo'", {"outcome": "foo"}),
    "no URI": ("it has no uri", {"uri": ""}),
    "no original": ("it has no original", {"original": None}),
    "an original that is absent": ("is a copy of /nowhere.jpg, which is no original", {"original": "/nowhere.jpg"}),
}


@pytest.mark.parametrize("fault", AMISS)
def test_rows_that_are_no_entries_are_refused(twinlens: Twinlens, exported: Path, lite_uri: str, fault: str) -> None:
    """A file that a tool has edited is named with row and fault, before anything is written, and nothing crashes."""
    table = pq.read_table(exported)
    made = table.to_pylist()
    made[next(n for n, row in enumerate(made) if row["score"] is not None)].update(AMISS[fault][1])
    schema = table.schema
    if fault == "look of another type":
        made = [row | {"score": row["score"] and str(row["score"])} | {"score": "high"} for row in made]
        schema = schema.set(schema.get_field_index("score"), pa.field("score", pa.string()))
    pq.write_table(pa.Table.from_pylist(made, schema), exported)
    result = twinlens("import", exported, "--uri", lite_uri)
    assert (result.code, AMISS[fault][0] in result.err, Path(lite_uri).exists()) == (2, True, False)


def test_part_of_a_collection_is_no_collection(twinlens: Twinlens, exported: Path, lite_uri: str) -> None:
    """Without the originals, with an entry twice, or a column twice: refused, and nothing is written."""
    table = pq.read_table(exported)
    part, twice = exported.with_name("part.parquet"), exported.with_name("twice.parquet")
    pq.write_table(table.filter(pc.equal(table["outcome"], "copy")), part)
    pq.write_table(table.append_column("size", table["size"]), twice)
    for files, told in (
        ((part,), "is a copy of"),
        ((exported, exported), "comes once more"),
        ((twice,), "columns size"),
    ):
        result = twinlens("import", *files, "--uri", lite_uri)
        assert (result.code in (2, 3), told in result.err) == (True, True)
        assert not Path(lite_uri).exists()


def test_two_exports_of_one_collection_are_refused(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """An image that was an original in the one and is a copy in the other would be both, so neither is written."""
    folder, uri, made = tmp_path / "pics", tmp_path / "a.db", tmp_path / "n.db"
    folder.mkdir()
    for name in ("a-00.jpg", "a-01.jpg"):
        shutil.copy(shared_photos / name, folder)
    for day in ("mon", "tue"):
        twinlens("ingest", folder, "--uri", uri)
        twinlens("export", tmp_path / f"{day}.parquet", "--uri", uri)
        shutil.copy(shared_photos / "a-00.jpg", folder / "a-01.jpg")
    result = twinlens("import", tmp_path / "mon.parquet", tmp_path / "tue.parquet", "--uri", made)
    assert (result.code, "which comes once more; import one export at a time" in result.err) == (2, True)
    assert not made.exists()


def test_whole_numbers_may_have_become_floats(
    twinlens: Twinlens, exported: Path, full_rows: Rows, lite_uri: str
) -> None:
    """What a tool makes of a column that holds nulls goes back as it was."""
    table = pq.read_table(exported)
    at = table.schema.get_field_index("size")
    pq.write_table(table.set_column(at, "size", table["size"].cast(pa.float64())), exported)
    assert twinlens("import", exported, "--uri", lite_uri).code == 0
    assert rows(lite_uri) == full_rows


def test_another_rule_is_refused(twinlens: Twinlens, exported: Path, shared_photos: Path, lite_uri: str) -> None:
    """A collection that judges otherwise does not take entries as they are, but judges them."""
    twinlens("ingest", shared_photos / "a-00.jpg", "--uri", lite_uri, "--no-second-look")
    result = twinlens("import", exported, "--uri", lite_uri)
    assert (result.code, "has the second_look False" in result.err, "with --judge" in result.err) == (2, True, True)
    assert twinlens("import", exported, "--uri", lite_uri, "--judge", "--json").rows[-1]["seen"] == 20


@pytest.mark.parametrize("options", [("--no-second-look",), ("--strict",), ("--radius", "0.005")])
def test_a_rule_is_not_for_what_comes_back_as_it_was(
    twinlens: Twinlens, exported: Path, lite_uri: str, options: tuple[str, ...]
) -> None:
    """What would decide on copies is refused where none are judged, and nothing is made."""
    result = twinlens("import", exported, "--uri", lite_uri, *options)
    assert (result.code, f"leave out {options[0]}, or judge" in result.err, Path(lite_uri).exists()) == (2, True, False)


def described(full_rows: Rows) -> list[dict[str, Any]]:
    """Return the rows that an encoder elsewhere would have written of the shared photographs, in their order."""
    return [tables.row(entry) for _, (entry, *_) in sorted(full_rows.items())]


@pytest.fixture
def kept(full_uri: str) -> Settings:
    """Return the settings of the shared collection."""
    with closing(open_existing(full_uri, "images")) as store:
        return store.settings


def test_descriptors_are_judged_as_their_images(
    twinlens: Twinlens, full_rows: Rows, kept: Settings, lite_uri: str, tmp_path: Path
) -> None:
    """Rows in the order of an ingest give its collection, also when they come in two files of a folder."""
    made = described(full_rows)
    (tmp_path / "made").mkdir()
    tables.write(tmp_path / "made" / "0.parquet", made[:9], kept)
    tables.write(tmp_path / "made" / "1.parquet", made[9:], kept)
    result = twinlens("import", tmp_path / "made", "--uri", lite_uri, "--json", "--batch-size", "3")
    assert (result.code, [row["uri"] for row in result.rows[:-1]]) == (0, sorted(full_rows))
    assert rows(lite_uri) == full_rows
    assert twinlens("import", tmp_path / "made", "--uri", lite_uri, "--json").rows[-1]["unchanged"] == 20


def test_an_ingest_goes_on_where_an_import_was(
    twinlens: Twinlens, full_rows: Rows, kept: Settings, lite_uri: str, *, tmp_path: Path, shared_photos: Path
) -> None:
    """The files of imported descriptors are unchanged to an ingest."""
    twinlens("import", tables.write(tmp_path / "a.parquet", described(full_rows), kept), "--uri", lite_uri)
    assert twinlens("ingest", shared_photos, "--uri", lite_uri, "--json").rows[-1]["unchanged"] == 20


BAD: dict[str, dict[str, Any]] = {
    "bad-name": {"uri": None},
    "no-digest": {"sha256": "A" * 64},
    "wrong-dimension": {"descriptor": [0.0]},
    "not-finite": {"descriptor": [float("nan")] * 128},
    "bad-thumbnail": {"thumbnail": b"\xff" * 200},
    "bad-value": {"width": 0},
    "uri-too-long": {"uri": "x" * 9000},
}


def test_bad_rows_are_rejected_one_by_one(
    twinlens: Twinlens, full_rows: Rows, kept: Settings, lite_uri: str, tmp_path: Path
) -> None:
    """Each fault of a row has its kind, the other rows are judged, and the exit code says so."""
    good, *others = described(full_rows)
    made = [good, *(row | fault for row, fault in zip(others, BAD.values(), strict=False))]
    result = twinlens("import", tables.write(tmp_path / "a.parquet", made, kept), "--uri", lite_uri, "--json")
    assert (result.code, [row["kind"] for row in result.rows[:-1]]) == (5, [None, *BAD])
    assert all(row["reason"] for row in result.rows[1:-1])
    assert rows(lite_uri).keys() == {good["uri"]}


@pytest.mark.parametrize("name", ["fingerprint", "dim", "method"])
def test_what_was_made_otherwise_is_refused(
    twinlens: Twinlens, full_rows: Rows, kept: Settings, lite_uri: str, *, tmp_path: Path, name: str
) -> None:
    """Law 7: descriptors of another encoder, thumbnails of another method, are refused with what to do."""
    path = tables.write(tmp_path / "a.parquet", described(full_rows), kept, **{name: "7"})
    result = twinlens("import", path, "--uri", lite_uri)
    assert (result.code, f"made with the {name} 7" in result.err, "make the file anew" in result.err) == (2, True, True)
    assert rows(lite_uri) == {}


def test_pandas_reads_what_is_exported(exported: Path, full_rows: Rows) -> None:
    """The one-liner of docs/exchange.md, run as it stands there, counts the outcomes."""
    document = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    line = next(line for line in document.splitlines() if line.startswith("python -c 'import pandas"))
    code = line.removeprefix("python -c '").removesuffix("'")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=exported.parent, capture_output=True, text=True, check=True
    )
    assert {tuple(line.split()) for line in done.stdout.splitlines()} >= {("unique", "8"), ("copy", "12")}
    table = __import__("pandas").read_parquet(exported)
    assert np.stack(table["descriptor"]).shape == (len(full_rows), 128)
