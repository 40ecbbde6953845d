"""Entries' files are opened again wherever they were: originals first, each once, and what is gone is named."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import fsspec
import numpy as np
import pytest

from indexer.cli.options import target
from indexer.jobs.index import Where
from indexer.jobs.reencode import reopened
from indexer.records import Entry, Failure, Settings
from indexer.sources import SourceOptions, member_of
from indexer.store.memory import MemoryStore


def store(*uris: str, copies: tuple[str, ...] = ()) -> MemoryStore:
    """Return a store of originals at *uris*, and of copies of the first."""
    made = MemoryStore(Settings("network@1", 1, 0.01))
    vector = np.zeros(1, np.float32)
    roles = [(uri, None) for uri in uris] + [(uri, uris[0]) for uri in copies]
    made.put(
        [
            Entry(uri, "a" * 64, 1, 1, 1, 1, "JPEG", original, original and 0.0, exact=False, descriptor=vector)
            for uri, original in roles
        ]
    )
    return made


def found(stored: MemoryStore) -> list[tuple[str, bytes | str]]:
    """Return the name of each file that is opened, and its bytes or why there are none."""
    offers = reopened(stored, SourceOptions())
    return [(offer.uri, offer.kind if isinstance(offer, Failure) else offer.read()) for offer in offers]


def zipped(**members: bytes) -> bytes:
    """Return a zip archive."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.jpg", data)
    return buffer.getvalue()


@pytest.fixture
def remote() -> Iterator[str]:
    """Return the URL of an empty folder in fsspec's memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield "memory://bucket"
    system.store.clear()


def test_files_archives_and_urls_are_opened(tmp_path: Path, remote: str) -> None:
    """A file, a link's target, members of tar and zip, an object, and a member of a remote zip: all where they were."""
    (tmp_path / "odd name!").write_bytes(b"file")
    (tmp_path / "a.zip").write_bytes(zipped(x=b"zip x", y=b"zip y"))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("m.jpg")
        info.size = 3
        archive.addfile(info, BytesIO(b"tar"))
    fsspec.filesystem("memory").pipe({"/bucket/o.jpg": b"object", "/bucket/r.zip": zipped(z=b"remote")})
    uris = {
        str(tmp_path / "odd name!"): b"file",
        f"{remote}/o.jpg": b"object",
        f"{tmp_path}/a.tar.gz!/m.jpg": b"tar",
        f"{tmp_path}/a.zip!/x.jpg": b"zip x",
        f"{tmp_path}/a.zip!/y.jpg": b"zip y",
        f"{remote}/r.zip!/z.jpg": b"remote",
    }
    assert dict(found(store(*uris))) == uris
    assert len(found(store(*uris))) == len(uris)


def test_originals_come_first(tmp_path: Path) -> None:
    """Also those in archives come before every copy, so that who led a group can lead it again."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "z.zip").write_bytes(zipped(o=b"o", c=b"c"))
    uris = [f"{tmp_path}/z.zip!/{name}.jpg" for name in ("o", "c")]
    copies = (str(tmp_path / "a.jpg"), uris[1])
    assert [uri for uri, _ in found(store(uris[0], copies=copies))] == [uris[0], *copies]


def test_what_is_gone_is_named(tmp_path: Path, remote: str) -> None:
    """A file, a member, an archive, an object, bytes that never had a file, a file that became a folder."""
    (tmp_path / "a.zip").write_bytes(zipped(x=b"x"))
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "inner.jpg").write_bytes(b"inner")
    (tmp_path / "damaged.zip").write_bytes(b"PK no more")
    kinds = {
        f"{tmp_path}/gone.jpg": "missing",
        f"{tmp_path}/folder.jpg": "missing",
        f"{tmp_path}/gone.tar!/x.jpg": "missing",
        f"{remote}/gone.jpg": "missing",
        "sha256:" + "a" * 64: "missing",
        f"{tmp_path}/a.zip!/gone.jpg": "missing",
        f"{tmp_path}/damaged.zip!/x.jpg": "damaged-archive",
        f"{remote}/gone.zip!/x.jpg": "missing",
    }
    assert dict(found(store(*kinds))) == kinds


def test_a_member_is_told_from_a_name(tmp_path: Path) -> None:
    """The mark of a member counts where an archive is before it."""
    odd = tmp_path / "folder!" / "a.jpg"
    odd.parent.mkdir()
    odd.touch()
    (tmp_path / "a.tar").touch()
    assert member_of(str(odd)) is None
    assert member_of(f"{tmp_path}/a.tar!/b!/c.jpg") == f"{tmp_path}/a.tar"
    assert member_of("s3://bucket/a.tar!/b.jpg") == "s3://bucket/a.tar"
    assert member_of("s3://bucket/a.jpg") is None


def test_a_token_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source's token is the target's in the same place only; another's comes from a variable of its own."""
    place = Where("http://here:19530", "images", "secret")
    assert target(place, None, "other").token == "secret"
    assert target(place, "http://here:19530/", "other").token == "secret"
    assert target(place, "http://there:19530", None) == Where("http://there:19530", "images", None)
    monkeypatch.setenv("TWINLENS_TO_TOKEN", "theirs")
    assert target(place, "http://there:19530", None).token == "theirs"
