"""Milvus Lite: one process at a time, damaged files, memory, and what is left on disk."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from indexer.errors import ConfigError, LockHeld, StoreError
from indexer.records import Counts, Entry, Matrix, Settings
from indexer.store import engine, lite
from indexer.store.milvus import MilvusStore, open_existing, open_store

SETTINGS = Settings("network@1", dim=16, radius=0.01)
OPEN_AND_WAIT = """
import sys
from indexer.store.milvus import open_existing
store = open_existing(sys.argv[1], "images")
print("open", flush=True)
sys.stdin.read()
"""


def descriptors(count: int) -> Matrix:
    """Return *count* vectors that are far from each other."""
    return np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)


def filled(uri: str, count: int) -> MilvusStore:
    """Return a store at *uri* with *count* originals."""
    store = open_store(uri, "images", SETTINGS)
    store.put(
        [
            Entry(f"{n}", f"{n:064x}", 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=vector)
            for n, vector in enumerate(descriptors(count))
        ]
    )
    return store


def found(store: MilvusStore, count: int) -> list[str]:
    """Return what each of the originals that `filled` wrote finds."""
    return [match.uri for hits in store.near(descriptors(count)) for match in hits.matches]


def test_bytes_that_are_written_during_a_look_up_stay_known(lite_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two keys with the same bytes the one whose row has others by now is forgotten, not the one that just came."""
    monkeypatch.setattr(lite, "SCANS_FIRST", 0)
    store = filled(lite_uri, 1)
    (old,) = store.entries()
    assert store.with_bytes([old.sha256]).keys() == {old.sha256}
    store.put([dataclasses.replace(old, sha256="f" * 64)])
    get = store.table.get

    def with_another_write(*arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = get(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(store.table, "get", get)
        store.put([dataclasses.replace(old, uri="new")])
        return found

    monkeypatch.setattr(store.table, "get", with_another_write)
    assert store.with_bytes([old.sha256])[old.sha256].uri == "new"
    store.close()


def test_segments_stay_small_and_hold_what_counts(lite_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge is bounded, so that memory is; a collection that is written again and again does not grow for it."""
    monkeypatch.setattr(lite, "FLUSH_ROWS", 8)
    monkeypatch.setattr(engine, "SEGMENT_ROWS", 32)
    store = open_store(lite_uri, "images", SETTINGS)
    entries = [
        Entry(f"{n}", f"{n:064x}", 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=vector)
        for n, vector in enumerate(descriptors(200))
    ]

    def written_in_eights() -> list[int]:
        for start in range(0, 200, 8):
            store.put(entries[start : start + 8])
        return [pq.ParquetFile(path).metadata.num_rows for path in Path(lite_uri).glob("**/data/*.parquet")]

    assert (max(written_in_eights()) <= 32, found(store, 200)) == (True, [f"{n}" for n in range(200)])
    assert max(sum(written_in_eights()) for _ in range(6)) < 3 * 200 + 6 * 32
    monkeypatch.setattr(engine, "UNCOUNTED", 10**9)
    monkeypatch.setattr(engine, "MOST_TINY", 40)
    monkeypatch.setattr(engine, "TINY", 2)
    assert max(len(written_in_eights()) for _ in range(6)) < 90
    assert (store.count(), found(store, 200)) == (Counts(200, 0), [f"{n}" for n in range(200)])
    store.close()


def test_another_process_is_told_who_holds_the_file(lite_uri: str) -> None:
    """While one process has the file open, another gets LockHeld; afterwards it can open it."""
    filled(lite_uri, 3).close()
    command = [sys.executable, "-c", OPEN_AND_WAIT, lite_uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LockHeld, match=r"archive\.db is open in another process.*http:// address as --uri"):
            open_existing(lite_uri, "images")
        holder.communicate()
    assert holder.returncode == 0
    with closing(open_existing(lite_uri, "images")) as store:
        assert store.count() == Counts(3, 0)


def test_closing_twice_or_one_of_two_keeps_the_other_open(lite_uri: str) -> None:
    """A file is released by the last of its stores, and closing one again does nothing."""
    first = filled(lite_uri, 3)
    second = open_existing(lite_uri, "images")
    first.close()
    first.close()
    assert second.count() == Counts(3, 0)
    second.close()
    assert Path(lite_uri) not in lite._HELD


def test_a_killed_writer_leaves_what_it_wrote(lite_uri: str) -> None:
    """What a put returned for is there after SIGKILL, and the file is free."""
    script = "import sys, os, signal; sys.path.insert(0, sys.argv[2]); from test_lite import filled;"
    script += "store = filled(sys.argv[1], 700); os.kill(os.getpid(), signal.SIGKILL)"
    ended = subprocess.run([sys.executable, "-c", script, lite_uri, str(Path(__file__).parent)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with closing(open_existing(lite_uri, "images")) as store:
        assert (store.count(), found(store, 700)) == (Counts(700, 0), [f"{n}" for n in range(700)])


WRITE_AND_DIE = """
import os, sys
import numpy as np
from indexer.records import Entry, Settings
from indexer.store.milvus import open_store
store = open_store(sys.argv[1], "images", Settings("network@1", dim=16, radius=0.01))
for uri in "ab":
    vector = np.zeros(16, np.float32)
    store.put([Entry(uri, "0" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=vector)])
os._exit(9)
"""


def test_a_write_that_a_kill_cut_short_is_dropped_in_silence(lite_uri: str) -> None:
    """What was whole is there again, and no library tells of the rest on standard error."""
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, lite_uri], check=False)
    (log,) = Path(lite_uri).glob("collections/images/wal/wal_data_*")
    log.write_bytes(log.read_bytes()[:-40])
    reading = "import sys; from indexer.store.milvus import open_existing as o; print(o(sys.argv[1], 'images').count())"
    done = subprocess.run([sys.executable, "-c", reading, lite_uri], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("Counts(originals=1, copies=0)\n", "")


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_damaged_index_files_are_rebuilt(lite_uri: str, size: int) -> None:
    """Index files that a crash cut off anywhere are rebuilt on opening, and everything is found."""
    filled(lite_uri, 1100).close()
    indexes = list(Path(lite_uri).glob("**/*.idx"))
    assert indexes
    for index in indexes:
        index.write_bytes(index.read_bytes()[:size])
    with closing(open_existing(lite_uri, "images")) as store:
        assert found(store, 1100) == [f"{n}" for n in range(1100)]


def test_a_damaged_file_is_named(lite_uri: str) -> None:
    """A data file that cannot be read is an error with the path and the way out, not a traceback."""
    filled(lite_uri, 600).close()
    for data in Path(lite_uri).glob("**/*.parquet"):
        data.write_bytes(b"nonsense")
    with pytest.raises(StoreError, match=r"archive\.db"):
        open_existing(lite_uri, "images")
    assert Path(lite_uri) not in lite._HELD


def test_a_file_of_the_other_generation_is_recognised(tmp_path: Path) -> None:
    """A file of Milvus Lite 2.x is refused with what it is, and not touched."""
    path = tmp_path / "old.db"
    path.write_bytes(b"SQLite format 3\x00rest")
    with pytest.raises(ConfigError, match=r"made by Milvus Lite 2\.x, whose files 3\.x cannot read"):
        open_store(str(path), "images", SETTINGS)
    assert path.read_bytes() == b"SQLite format 3\x00rest"


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A regular file where the folder should be is refused, and not touched."""
    path = tmp_path / "notes.db"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a file, not a Milvus Lite folder"):
        open_store(str(path), "images", SETTINGS)
    assert path.read_text(encoding="utf-8") == "mine"


def test_folders_on_the_way_are_made_only_for_writing(tmp_path: Path) -> None:
    """`open_store` makes the parents of a path; looking at what is not there makes nothing."""
    path = tmp_path / "a" / "b" / "archive.db"
    with pytest.raises(ConfigError, match="there is no Milvus Lite file"):
        open_existing(str(path), "images")
    assert list(tmp_path.iterdir()) == []
    open_store(str(path), "images", SETTINGS).close()
    assert path.is_dir()


def test_a_path_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A parent that is a file is a configuration error."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make"):
        open_store(str(tmp_path / "file" / "archive.db"), "images", SETTINGS)


def test_one_file_by_two_names_is_shared(tmp_path: Path) -> None:
    """A path through a symbolic link is the same file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with closing(filled(str(tmp_path / "real" / "archive.db"), 3)):  # noqa: SIM117
        with closing(open_existing(str(tmp_path / "link" / "archive.db"), "images")) as store:
            assert store.count() == Counts(3, 0)


def test_queries_are_split_by_what_is_not_indexed(lite_uri: str) -> None:
    """The more rows wait for the index, the fewer vectors one search carries; then they are indexed."""
    with closing(filled(lite_uri, 500)) as store:
        table = store.table
        assert table.most_queries(128) < table.most_queries(16)
        assert 8 * 128 * 500 * table.most_queries(128) <= lite.SEARCH_BYTES
        assert found(store, 500) == [f"{n}" for n in range(500)]
        few = store.get([f"{n}" for n in range(12)]).values()
        store.put([dataclasses.replace(entry, width=2) for entry in few])
        assert table.most_queries(128) == 512


def test_a_write_whose_wait_was_cut_short_is_found_by_its_bytes(lite_uri: str) -> None:
    """Ctrl-C ends the wait for the engine, not its work: where the store stays open, the row counts as the others."""
    with closing(open_store(lite_uri, "images", SETTINGS)) as store:
        written = store.table.client.upsert

        def interrupted(*args: object, **options: object) -> None:
            written(*args, **options)
            raise KeyboardInterrupt

        store.table.client.upsert = interrupted
        entry = Entry("a", "a" * 64, 1, 1, 1, 1, "JPEG", None, None, exact=False, descriptor=descriptors(1)[0])
        with pytest.raises(KeyboardInterrupt):
            store.put([entry])
        assert store.with_bytes(["a" * 64]) == {"a" * 64: entry}
