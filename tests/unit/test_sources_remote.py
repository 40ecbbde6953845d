"""URLs are read through fsspec; its file system in memory stands for all others."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread

import fsspec
import pytest

from indexer.errors import ImageError, SourceError
from indexer.records import UNKNOWN, Failure, ImageRecord
from indexer.sources import SourceOptions, SourceStats, address, check_sources, member_of, open_items
from indexer.sources.ahead import AHEAD
from indexer.sources.remote import _mtime_ns_of, public
from model.extras import how_to_install


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Return the file system in memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@contextmanager
def images_by_http(when_asked: Callable[[], object] = int) -> Iterator[str]:
    """Serve the same image at any address; return where. Before it tells what is there, it does *when_asked*."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            when_asked()
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"image")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def tar() -> bytes:
    """Return a tar of an image and a note."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("m/a.jpg", "note.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"tar"))
    return file.getvalue()


def zipped() -> bytes:
    """Return a zip archive of an image."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", b"zip")
    return file.getvalue()


def found(*urls: str, options: SourceOptions | None = None) -> list[tuple[str, bytes | str]]:
    """Return URI and content, or kind of failure, of what *urls* offer."""
    offers = open_items(urls, options)
    return [(o.uri, o.kind if isinstance(o, Failure) else o.read()) for o in offers]


def test_a_folder_of_objects_is_walked_in_order(memory: fsspec.AbstractFileSystem) -> None:
    """Images at any depth come sorted by their names, under their full URLs; others are counted."""
    for name in ("b.jpg", "a/z.png", "a/b/c.gif", "B.JPG", "notes.txt"):
        memory.pipe(f"/bucket/set/{name}", name.encode())
    stats = SourceStats()
    uris = [offer.uri for offer in open_items(["memory://bucket/set/"], None, stats)]
    assert uris == [f"memory://bucket/set/{name}" for name in ("B.JPG", "a/b/c.gif", "a/z.png", "b.jpg")]
    assert stats.ignored == 1
    assert found("memory:///bucket/set")[2] == ("memory://bucket/set/a/z.png", b"a/z.png")


def test_a_single_object_is_taken_whatever_its_name(memory: fsspec.AbstractFileSystem) -> None:
    """A URL of one object gives it, with its size."""
    memory.pipe("/bucket/4711", b"image")
    (record,) = open_items(["memory://bucket/4711"])
    assert isinstance(record, ImageRecord)
    assert (record.uri, record.size, record.mtime_ns, record.read()) == ("memory://bucket/4711", 5, UNKNOWN, b"image")


def test_patterns_see_the_path_below_the_url(memory: fsspec.AbstractFileSystem) -> None:
    """Patterns match as in a folder, members of archives included."""
    for name in ("a.jpg", "thumbs/b.jpg", "c.png"):
        memory.pipe(f"/x/{name}", b"")
    memory.pipe("/x/s.tar", tar())
    options = SourceOptions(include=["*.jpg"], exclude=["thumbs/"])
    assert [uri for uri, _ in found("memory://x", options=options)] == ["memory://x/a.jpg", "memory://x/s.tar!/m/a.jpg"]


def test_remote_archives_are_read_in_place(memory: fsspec.AbstractFileSystem) -> None:
    """Tar, compressed tar and zip objects give their members, alone, in a folder, and one by one."""
    for name, data in (("a.tar", tar()), ("b.tgz", gzip.compress(tar())), ("c.zip", zipped())):
        memory.pipe(f"/x/{name}", data)
    expected = [
        ("memory://x/a.tar!/m/a.jpg", b"tar"),
        ("memory://x/b.tgz!/m/a.jpg", b"tar"),
        ("memory://x/c.zip!/a.jpg", b"zip"),
    ]
    assert found("memory://x") == expected
    assert found("memory://x/a.tar", "memory://x/b.tgz", "memory://x/c.zip") == expected
    assert found(*(uri for uri, _ in expected)) == expected
    assert found("memory://x/a.tar!/none.jpg") == [("memory://x/a.tar!/none.jpg", "missing")]


def test_a_damaged_remote_archive_is_named(memory: fsspec.AbstractFileSystem) -> None:
    """A cut object gives what is whole, and then its own name."""
    memory.pipe("/x/a.tar", tar()[:1024])
    assert found("memory://x/a.tar")[-1] == ("memory://x/a.tar", "damaged-archive")


def test_a_missing_object_is_named(memory: fsspec.AbstractFileSystem) -> None:
    """On a list a missing URL is rejected; named on the command line, it ends the run before it starts."""
    memory.pipe("/x/a.jpg", b"")
    assert found("memory://x/b.jpg") == [("memory://x/b.jpg", "missing")]
    with pytest.raises(SourceError, match=r"memory://x/b\.jpg: Nothing is at this address"):
        check_sources(["memory://x/a.jpg", "memory://x/b.jpg"])


def test_an_object_that_vanishes_is_rejected(memory: fsspec.AbstractFileSystem) -> None:
    """An object that is gone when it is to be read is named so."""
    memory.pipe("/x/a.jpg", b"1")
    memory.pipe("/x/s.tar", tar())
    records = list(open_items(["memory://x"]))
    memory.store.clear()
    for record in records:
        assert isinstance(record, ImageRecord)
        with pytest.raises(ImageError) as caught:
            record.read()
        assert caught.value.kind == "vanished"


def test_objects_above_the_limit_are_rejected(memory: fsspec.AbstractFileSystem) -> None:
    """The listing's size is enough to refuse an object."""
    memory.pipe("/x/a.jpg", bytes(11))
    assert found("memory://x", options=SourceOptions(max_bytes=10)) == [("memory://x/a.jpg", "too-many-bytes")]


def test_changes_are_seen_by_the_next_run(memory: fsspec.AbstractFileSystem) -> None:
    """Nothing of an earlier listing is kept."""
    memory.pipe("/x/a.jpg", b"1")
    assert len(found("memory://x")) == 1
    memory.pipe("/x/b.jpg", b"2")
    assert len(found("memory://x")) == 2


def test_file_urls_are_local_paths(tmp_path: Path) -> None:
    """A file:// URL gives the same URI as the path."""
    (tmp_path / "a.jpg").write_bytes(b"1")
    assert found(f"file://{tmp_path}/a.jpg") == [(str(tmp_path / "a.jpg"), b"1")]


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, timezone.utc)


@pytest.mark.parametrize(
    "info",
    [
        {"LastModified": MOMENT},
        {"last_modified": MOMENT.astimezone(timezone(timedelta(hours=5)))},
        {"mtime": MOMENT.timestamp()},
        {"updated": "2026-01-02T03:04:05.678Z"},
    ],
)
def test_times_are_understood_however_they_are_told(info: dict[str, object]) -> None:
    """Each file system's way to tell the modification time gives the same nanoseconds."""
    assert _mtime_ns_of(info) == 1_767_323_045_678_000_000


@pytest.mark.parametrize("info", [{}, {"mtime": None}, {"updated": "yesterday"}, {"mtime": b""}])
def test_times_that_are_not_told_are_unknown(info: dict[str, object]) -> None:
    """A missing or strange time is unknown, which makes the object be read again."""
    assert _mtime_ns_of(info) == UNKNOWN


def test_passwords_stay_out_of_uris() -> None:
    """A password in a URL is for the connection only; what names images does not hold it."""
    assert public("sftp://me:secret@host/a//b/") == "sftp://me@host/a//b"
    assert public("sftp://me:sec@ret@host/a") == "sftp://me@host/a"
    assert public("sftp://me:sec/ret@host/a") == "sftp://me@host/a"
    assert public("https://secret@host/a@b") == public("https://me:secret@host/a@b") == "https://host/a@b"
    assert public("sftp://host:22/a@b") == "sftp://host:22/a@b"
    assert public("https://host/a:b@c.jpg") == "https://host/a:b@c.jpg"
    assert address("memory:///x/a.jpg") == "memory://x/a.jpg"


def test_an_unknown_kind_of_url_is_named(memory: fsspec.AbstractFileSystem) -> None:
    """Nobody knows this scheme: on a list it is rejected and the rest is read, on the command line it ends the run."""
    memory.pipe("/x/a.jpg", b"1")
    urls = ["gopherx://me:secret@host/a.jpg", "memory://x/a.jpg"]
    assert found(*urls) == [("gopherx://me@host/a.jpg", "bad-address"), ("memory://x/a.jpg", b"1")]
    with pytest.raises(SourceError, match=r"gopherx://me@host/a\.jpg: This address cannot be used .*gopherx"):
        check_sources(urls)


@pytest.mark.parametrize("listed", [False, True])
def test_addresses_are_asked_about_side_by_side(listed: bool) -> None:
    """Of a list that names a file among addresses, none of these is answered until others are asked about, too."""
    together = Barrier(4)
    with images_by_http(lambda: together.wait(20)) as base:
        items = [f"{base}/{number}.jpg" for number in range(8)]
        items.insert(4, "/nowhere/a.jpg")
        lines = SourceOptions(stdin=io.BytesIO("\n".join(items).encode()))
        offers = found("-", options=lines) if listed else found(*items)
    assert not together.broken
    assert offers == [("/nowhere/a.jpg", "missing") if "nowhere" in item else (item, b"image") for item in items]


def test_an_answer_that_does_not_come_holds_nobody_up() -> None:
    """Ctrl-C ends what waits for an address, and the process, however late the answers are."""
    code = (
        "import os, signal, sys, threading\n"
        "from indexer.sources import check_sources\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try: check_sources(sys.argv[1:])\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    env, answers = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, Event()
    with images_by_http(lambda: answers.wait(60)) as base:
        command = [sys.executable, "-c", code, f"{base}/1.jpg", f"{base}/2.jpg"]
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True)
        finally:
            answers.set()
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_what_follows_an_address_is_not_taken_too_early() -> None:
    """However long a list of addresses is, the first is offered when no more than AHEAD others were taken."""
    taken = []

    def endless(base: str) -> Iterator[str]:
        while True:
            taken.append(1)
            yield f"{base}/a.jpg"

    with images_by_http() as base, closing(open_items(endless(base))) as offers:
        next(offers)
        assert len(taken) <= AHEAD + 1


@pytest.mark.parametrize(("url", "extra"), [("s3://b/a.jpg", "s3"), ("memory://b", "remote")])
def test_a_missing_package_names_its_extra(url: str, extra: str) -> None:
    """Without fsspec, or the package for one kind of URL, the message is what to install."""
    code = (
        "import sys; sys.modules['fsspec' if sys.argv[1].startswith('m') else 's3fs'] = None\n"
        "from indexer.sources import check_sources\n"
        "try: check_sources([sys.argv[1]])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, url], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ConfigError ")
    assert how_to_install(extra) in done.stdout


def test_a_host_that_is_down_is_one_source_amiss(tmp_path: Path) -> None:
    """A file system that signs in at once, and cannot, loses nothing of what comes before and after it."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    offers = list(open_items([tmp_path / "a.jpg", "ftp://127.0.0.1:1/pictures", tmp_path / "b.jpg"]))
    assert [offer.kind if isinstance(offer, Failure) else "read" for offer in offers] == ["read", "unreachable", "read"]
    with pytest.raises(SourceError, match=r"ftp://127\.0\.0\.1:1/pictures: It cannot be reached .*; nothing was done"):
        check_sources(["ftp://127.0.0.1:1/pictures"])


def test_only_archives_have_members(tmp_path: Path) -> None:
    """What is no archive gives nothing else instead; a folder with the mark in its name can be named."""
    (tmp_path / "we!").mkdir()
    for name in ("a.jpg", "we!/b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    asked = [f"local://{tmp_path}{rest}" for rest in ("!/a.jpg", "/a.jpg!/x.jpg", "/we!/b.jpg")]
    offers = list(open_items(asked))
    told = [offer.kind if isinstance(offer, Failure) else offer.uri for offer in offers]
    assert told == ["missing", "missing", address(asked[2])]
    assert member_of(told[2]) is None
