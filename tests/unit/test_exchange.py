"""Parquet files of collections: every field survives, files are whole or not there, and what is damaged is named."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from indexer.errors import ConfigError, SourceError
from indexer.exchange import parquet
from indexer.exchange.collection import entries_in, files_of, settings_in, write_collection
from indexer.exchange.shards import Encoded, is_same
from indexer.jobs.exchange import restore
from indexer.jobs.index import Where
from indexer.records import Entry, Failure, ImageRecord, Look, Lookalike, Settings
from indexer.store.memory import MemoryStore

SETTINGS = Settings("network@1", 3, 0.01, second_look=True, inner_radius=0.1 + 0.2, min_score=0.72, method="regions-6")
VECTOR = np.array([0.1, -1e-42, 3e38], np.float32)
COPY = Entry(
    uri="scans.tar!/Ünïcödé \n'猫'.jpg",
    sha256="a" * 64,
    size=2**62,
    mtime_ns=1_700_000_000_123_456_789,
    width=640,
    height=480,
    format="JPEG",
    original="original",
    distance=1 / 3,
    exact=True,
    descriptor=VECTOR,
    thumbnail=bytes(range(256)),
    look=Look(0.1 + 0.2, 1.28, (-1 / 3, 5e-324), mirrored=True, changed=1 / 9),
    missing_since=17,
)
UNIQUE = dataclasses.replace(
    COPY, uri="u", original=None, distance=None, exact=False, look=None, lookalike=Lookalike("l", 1 / 7, -0.25, 0.1)
)


def bits(entry: Entry) -> tuple[Entry, bytes, bytes]:
    """Return *entry*, comparable to its last bit."""
    return entry, entry.descriptor.tobytes(), entry.thumbnail


def exported(path: Path, entries: list[Entry], *, thumbnails: bool = True) -> Path:
    """Write *entries* to a file."""
    write_collection(path, SETTINGS, iter(entries), thumbnails=thumbnails)
    return path


def test_every_field_comes_back_as_it_was(tmp_path: Path) -> None:
    """A copy and a unique one with every field set, settings too, survive bit by bit."""
    plain = Entry("p", "b" * 64, -1, -1, 1, 1, "PNG", None, None, exact=False, descriptor=VECTOR, thumbnail=b"x")
    (file,) = files_of([exported(tmp_path / "all.parquet", [COPY, UNIQUE, plain])])
    assert [bits(entry) for entry in entries_in([file])] == [bits(COPY), bits(UNIQUE), bits(plain)]
    assert settings_in(file) == SETTINGS


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    """What a file system takes, an export can be called, and is imported from; where no name is, it says so."""
    path = exported(tmp_path / os.fsdecode(b"\xff.parquet"), [COPY])
    assert [bits(entry) for entry in entries_in(files_of([path]))] == [bits(COPY)]
    with pytest.raises(ConfigError, match="it is a folder; name a file"):
        exported(Path(), [COPY])


def test_a_restore_that_is_stopped_before_it_writes_says_nothing_false(tmp_path: Path) -> None:
    """Ctrl-C while a collection is compared with the files ends the run; that they differ is not claimed."""
    files, store = files_of([exported(tmp_path / "all.parquet", [COPY, UNIQUE])]), MemoryStore(SETTINGS)
    assert len(list(restore(files, store, Where("x.db")))) == 2
    stopped = restore(files, store, Where("x.db"))
    stopped.stop()
    assert list(stopped) == []


def test_files_of_before_changes_were_told_come_back(tmp_path: Path) -> None:
    """A collection exported before anything was told of what changed lacks three names, and is taken all the same."""
    table = pq.read_table(exported(tmp_path / "new.parquet", [COPY, UNIQUE]))
    metadata = {name: text for name, text in table.schema.metadata.items() if name != b"twinlens.max_changed"}
    pq.write_table(
        table.drop(["changed", "lookalike_changed"]).replace_schema_metadata(metadata), tmp_path / "old.parquet"
    )
    (file,) = files_of([tmp_path / "old.parquet"])
    assert settings_in(file) == SETTINGS
    copy, unique = entries_in([file])
    assert copy == dataclasses.replace(COPY, look=dataclasses.replace(COPY.look, changed=0.0))
    assert unique == dataclasses.replace(UNIQUE, lookalike=dataclasses.replace(UNIQUE.lookalike, changed=0.0))


def test_no_field_is_left_out() -> None:
    """The two rows of the test above set every field that an entry has, so that a new one cannot be forgotten."""
    for field in dataclasses.fields(Entry):
        told = [getattr(entry, field.name) for entry in (COPY, UNIQUE)]
        assert any(value is not None and value is not field.default for value in told), field.name


def test_a_file_is_written_and_read_in_pieces(tmp_path: Path) -> None:
    """More rows than a row group and a page hold come back in their order, from several row groups."""
    entries = [dataclasses.replace(UNIQUE, uri=f"{n}") for n in range(parquet.ROW_GROUP + parquet.PAGE + 1)]
    path = exported(tmp_path / "many.parquet", entries)
    assert pq.ParquetFile(path).num_row_groups == 2
    assert [entry.uri for entry in entries_in(files_of([path]))] == [entry.uri for entry in entries]


def test_entries_are_taken_no_further_than_a_row_group(tmp_path: Path) -> None:
    """A collection larger than memory can be exported: each row group is written before the next is read."""
    partial, sizes = tmp_path / "big.parquet.partial", []

    def entries() -> Iterator[Entry]:
        for n in range(3 * parquet.ROW_GROUP):
            if n % parquet.ROW_GROUP == 0:
                sizes.append(partial.stat().st_size)
            yield dataclasses.replace(UNIQUE, thumbnail=np.random.default_rng(n).bytes(64))

    write_collection(tmp_path / "big.parquet", SETTINGS, entries(), thumbnails=True)
    assert sizes[1] >= 64 * parquet.ROW_GROUP
    assert sizes[2] >= 2 * 64 * parquet.ROW_GROUP


def test_an_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """What was there stays as it was, and nothing unfinished lies beside it."""
    path = exported(tmp_path / "a.parquet", [UNIQUE])
    before = path.read_bytes()

    def failing() -> Iterator[Entry]:
        yield COPY
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_collection(path, SETTINGS, failing(), thumbnails=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"\xff\xd8\xff photo"), lambda path: path.mkdir()])
def test_an_export_replaces_nothing_but_an_export(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A photograph's name, given by mistake, is refused, and the photograph is as it was."""
    path = tmp_path / "cat.jpg"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigError, match=r"cat\.jpg is (there and is no Parquet file|no file that)"):
        exported(path, [UNIQUE])
    assert [*tmp_path.iterdir()] == [path]
    assert before is None or path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is not there is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot write .*no/a.parquet: No such file"):
        exported(tmp_path / "no" / "a.parquet", [UNIQUE])


def test_a_folder_is_its_files_by_name(tmp_path: Path) -> None:
    """Files that end in .parquet, those that a tool hides left out; a folder without any is an error."""
    for name in ("b.parquet", "a.parquet", "_metadata.parquet", ".hidden.parquet", "c.txt"):
        exported(tmp_path / name, [UNIQUE])
    assert [file.path.name for file in files_of([tmp_path])] == ["a.parquet", "b.parquet"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty holds no file that ends in .parquet"):
        files_of([tmp_path / "empty"])


def test_a_file_without_thumbnails_does_not_go_back(tmp_path: Path) -> None:
    """Where thumbnails confirm copies, a file without is refused before anything is written."""
    (file,) = files_of([exported(tmp_path / "a.parquet", [UNIQUE], thumbnails=False)])
    with pytest.raises(ConfigError, match="exported without thumbnails"):
        settings_in(file)


@pytest.mark.parametrize("part", [slice(4), slice(2000), slice(0)])
def test_what_is_no_parquet_is_named(tmp_path: Path, part: slice) -> None:
    """A file that is cut off, or was never one, is an error that names it."""
    path = exported(tmp_path / "a.parquet", [UNIQUE])
    path.write_bytes(path.read_bytes()[part])
    with pytest.raises(SourceError, match=r"a.parquet is no Parquet file, or is damaged"):
        files_of([path])


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    """Bytes that rot in the middle end the reading with an error, not with wrong rows or a bug."""
    rows = [dataclasses.replace(UNIQUE, uri=f"{n}", thumbnail=np.random.default_rng(n).bytes(99)) for n in range(500)]
    path = exported(tmp_path / "a.parquet", rows)
    data = bytearray(path.read_bytes())
    data[-20_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a.parquet is no Parquet file, or is damaged"):
        list(entries_in(files_of([path])))


@pytest.mark.parametrize(
    ("row", "offer", "same"),
    [
        (Encoded("a", 5, 7), ImageRecord("a", 5, 7, bytes), True),
        (Encoded("a", 5, 7), ImageRecord("a", -1, 7, bytes), True),
        (Encoded("a", 5, 7), ImageRecord("b", 5, 7, bytes), False),
        (Encoded("a", 5, 7), ImageRecord("a", 6, 7, bytes), False),
        (Encoded("a", 5, -1), ImageRecord("a", 5, -1, bytes), False),
        (Encoded("a", 5, 7, kind="truncated"), ImageRecord("a", 5, 7, bytes), True),
        (Encoded("a", 5, 7, kind="unreadable"), ImageRecord("a", 5, 7, bytes), False),
        (Encoded("a", 5, 7, kind="too-many-pixels"), ImageRecord("a", 5, 7, bytes), False),
        (Encoded("a", 5, 7, kind="unsupported-format"), ImageRecord("a", 5, 7, bytes), False),
        (Encoded("a", -1, -1, kind="missing"), Failure("a", "missing", ""), True),
        (Encoded("a", 5, 7), Failure("a", "missing", ""), False),
    ],
)
def test_a_row_is_kept_when_its_file_is_surely_the_same(
    row: Encoded, offer: ImageRecord | Failure, *, same: bool
) -> None:
    """Name, size and time decide, where they are told; what a limit or a missing library rejected is tried again."""
    assert is_same(row, offer) is same


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (b"twinlens.version", b"2", "of a later Twinlens"),
        (b"twinlens.dim", b"true", "twinlens.dim is 'true', no int"),
        (b"twinlens.radius", b"near", "twinlens.radius is 'near', no float"),
        (b"twinlens.fingerprint", None, "lacks twinlens.fingerprint"),
    ],
)
def test_metadata_that_is_amiss_is_named(tmp_path: Path, key: bytes, value: bytes | None, message: str) -> None:
    """Settings that are missing or cannot be understood are an error that names the key."""
    path = exported(tmp_path / "a.parquet", [UNIQUE])
    table = pq.read_table(path)
    told = {name: text for name, text in (table.schema.metadata | {key: value}).items() if text is not None}
    pq.write_table(table.replace_schema_metadata(told), path)
    with pytest.raises(ConfigError, match=message):
        settings_in(files_of([path])[0])
