"""One entry takes whatever a user names: paths, members, lists, bytes; what is missing is said before all else."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.records import UNKNOWN, Failure, ImageRecord
from indexer.sources import (
    Selection,
    SourceOptions,
    address,
    check_sources,
    counter,
    glance,
    open_items,
    open_sources,
)
from indexer.sources.glancing import Glance


def tar(path: Path, *names: str) -> Path:
    """Make a tar of *names* at *path*."""
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return path


def listed(text: bytes, **options: object) -> list[str]:
    """Return the URIs, after the kinds of failures, that a list on standard input offers."""
    offers = open_items(["-"], SourceOptions(stdin=io.BytesIO(text), **options))  # type: ignore[arg-type]
    return [f"{o.kind} {o.uri}" if isinstance(o, Failure) else o.uri for o in offers]


def test_a_named_file_is_taken_whatever_its_name_and_the_patterns(tmp_path: Path) -> None:
    """A file that was named is meant."""
    (tmp_path / "upload").write_bytes(b"1")
    (record,) = open_items([tmp_path / "upload"], SourceOptions(include=["*.jpg"], exclude=["*"]))
    assert isinstance(record, ImageRecord)
    assert (record.uri, record.read()) == (str(tmp_path / "upload"), b"1")


def test_one_file_has_one_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path, one with detours, and one through links lead to the same URI."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.jpg").write_bytes(b"1")
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "l.jpg").symlink_to("d/a.jpg")
    monkeypatch.chdir(tmp_path)
    ways = ["d/a.jpg", "./link/../d/a.jpg", "link/a.jpg", "l.jpg", tmp_path / "d/a.jpg"]
    assert {offer.uri for offer in open_items(ways)} == {str(tmp_path / "d/a.jpg")}
    assert {address(str(way)) for way in ways} == {str(tmp_path / "d/a.jpg")}


def test_bytes_and_named_bytes_are_images(tmp_path: Path) -> None:
    """Bytes are named by their hash, or as the caller says; the record keeps them."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    anonymous, named, file = open_items([b"image", ("shop/4711", b"other"), tmp_path / "a.jpg"])
    assert isinstance(anonymous, ImageRecord)
    assert anonymous.uri == f"sha256:{hashlib.sha256(b'image').hexdigest()}"
    assert (anonymous.size, anonymous.mtime_ns, anonymous.held, anonymous.read()) == (5, UNKNOWN, 5, b"image")
    assert isinstance(named, ImageRecord)
    assert (named.uri, named.read(), file.uri) == ("shop/4711", b"other", str(tmp_path / "a.jpg"))
    assert address(anonymous.uri) == anonymous.uri


def test_items_are_opened_one_by_one(tmp_path: Path) -> None:
    """An endless stream of items is read only as far as its images are."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    opened = []

    def endless() -> object:
        while True:
            opened.append(1)
            yield tmp_path / "a.jpg"

    offers = open_items(endless())  # type: ignore[arg-type]
    assert [next(offers).uri, next(offers).uri] == [str(tmp_path / "a.jpg")] * 2
    assert len(opened) == 2


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n\r\n"])
def test_a_list_names_anything(tmp_path: Path, end: bytes) -> None:
    """Files, folders, archives and members may be listed, with any line ends; what is missing is rejected."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.jpg").write_bytes(b"1")
    (tmp_path / "plain").write_bytes(b"1")
    tar(tmp_path / "s.tar", "b.jpg", "c.jpg")
    names = ["plain", "f", "none.jpg", "s.tar!/c.jpg", "s.tar"]
    text = b"\xef\xbb\xbf" + end.join(os.fsencode(tmp_path / name) for name in names)
    found = [line.replace(f"{tmp_path}/", "") for line in listed(text)]
    assert found == ["plain", "f/a.jpg", "missing none.jpg", "s.tar!/c.jpg", "s.tar!/b.jpg", "s.tar!/c.jpg"]


def test_a_list_may_end_paths_in_nul(tmp_path: Path) -> None:
    """With NUL, names may hold newlines and blanks at their ends."""
    names = ["a\nb.jpg", " c.jpg "]
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    text = b"".join(os.fsencode(tmp_path / name) + b"\0" for name in names)
    assert listed(text, null_separated=True) == [str(tmp_path / name) for name in names]
    assert listed(text.rstrip(b"\0"), null_separated=True) == [str(tmp_path / name) for name in names]


def test_a_list_may_hold_names_that_are_not_utf8(tmp_path: Path) -> None:
    """Such a path is found, and rejected for its name."""
    path = os.fsencode(tmp_path) + b"/\xff.jpg"
    Path(os.fsdecode(path)).write_bytes(b"1")
    assert listed(path + b"\n") == [rf"bad-name {tmp_path}/\xff.jpg"]


def test_a_list_is_read_as_it_comes(tmp_path: Path) -> None:
    """The first path is offered while the list is still being written."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin, os.fdopen(writer, "wb", buffering=0) as stdout:
        stdout.write(os.fsencode(tmp_path / "a.jpg") + b"\0")
        offers = open_items(["-"], SourceOptions(stdin=stdin, null_separated=True))
        assert next(offers).uri == str(tmp_path / "a.jpg")


def test_standard_input_is_the_default(tmp_path: Path) -> None:
    """Without another stream, `-` reads the process's own standard input."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    code = "from indexer.sources import open_items; print(*(o.uri for o in open_items(['-'])))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=f"{tmp_path}/a.jpg\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == f"{tmp_path}/a.jpg\n"


def test_all_missing_sources_are_named_before_anything_is_read(tmp_path: Path) -> None:
    """One message names every source that is not there, and what is there is not read."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    sources = [tmp_path / name for name in ("a.jpg", "x", "y.tar", "dangling.jpg", "y.tar!/b.jpg", "a.jpg!/b.jpg")]
    with pytest.raises(SourceError) as caught:
        open_sources(sources)
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert message == (
        "cannot read x: there is no such file or folder; y.tar: there is no such file or folder; "
        "dangling.jpg: there is no such file or folder; y.tar!/b.jpg: there is no such file or folder; "
        "a.jpg: it is no .tar or .zip archive; nothing was done"
    )


def test_sources_that_are_there_pass(tmp_path: Path) -> None:
    """Files, folders, archives, members and standard input are all right."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    tar(tmp_path / "s.tar", "b.jpg")
    sources = [tmp_path, tmp_path / "a.jpg", tmp_path / "s.tar", f"{tmp_path}/s.tar!/b.jpg"]
    check_sources([*sources, "-"])
    assert len({offer.uri for offer in open_sources(sources)}) == 2


def test_images_are_counted_where_that_is_cheap(tmp_path: Path) -> None:
    """Folders and plain archives are counted; lists, URLs and compressed tars are not."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    tar(tmp_path / "s.tar", "b.jpg", "c.jpg", "d.txt")
    count = counter([tmp_path], SourceOptions(exclude=["c.jpg"]))
    assert count is not None
    assert count() == 2
    assert counter([tmp_path, "-"], SourceOptions()) is None
    assert counter([tar(tmp_path / "s.tgz", "b.jpg")], SourceOptions()) is None


def test_addresses_are_uris(tmp_path: Path) -> None:
    """What a user types for a member, or for a file that is gone, is what was stored."""
    tar(tmp_path / "s.tar", "b.jpg")
    (tmp_path / "l.tar").symlink_to("s.tar")
    assert address(f"{tmp_path}/l.tar!/./b.jpg") == f"{tmp_path}/s.tar!/b.jpg"
    assert address(f"file://{tmp_path}/gone.jpg") == f"{tmp_path}/gone.jpg"
    assert address("s3://bucket/a.jpg") == "s3://bucket/a.jpg"


def test_each_selection_has_its_own_patterns(tmp_path: Path) -> None:
    """They replace those that hold for all."""
    for name in ("a/x.jpg", "a/x.png", "b/x.jpg", "b/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    items = [Selection(tmp_path / "b", include=("*.png",)), Selection(tmp_path / "a", exclude=("*.png",)), tmp_path]
    offers = open_items(items, SourceOptions(include=["nothing"]))
    assert [offer.uri for offer in offers] == [str(tmp_path / "b/x.png"), str(tmp_path / "a/x.jpg")]


def test_selections_with_the_same_patterns_do_not_offer_a_folder_twice(tmp_path: Path) -> None:
    """What an earlier one met, a later one does not offer again."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jpg").touch()
    offers = open_items([Selection(tmp_path / "a"), Selection(tmp_path)])
    assert [offer.uri for offer in offers] == [str(tmp_path / "a/x.jpg")]


@pytest.mark.parametrize(("seconds", "found"), [(60, Glance(3, complete=True)), (0, Glance(1, complete=False))])
def test_a_glance_ends_in_time(tmp_path: Path, seconds: float, found: Glance) -> None:
    """It counts images only, and says when it did not count them all."""
    for name in ("a.jpg", "b.jpg", "c.png", "notes.txt"):
        (tmp_path / name).touch()
    assert glance(Selection(tmp_path), seconds) == found


def test_a_glance_sees_what_a_run_would_reject_unread(tmp_path: Path) -> None:
    """A link that leads nowhere is counted apart from the images, and named with its reason."""
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").symlink_to("nowhere")
    seen = glance(Selection(tmp_path), 60)
    assert (seen.images, seen.refused, seen.first.partition(": ")[0]) == (1, 1, str(tmp_path / "b.jpg"))
