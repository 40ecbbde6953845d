"""Archives are read member by member, each member has a URI of its own, and damage loses nothing in silence."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import ImageError
from indexer.records import Failure, ImageRecord
from indexer.sources import SourceOptions, SourceStats, open_items, zipped

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.xz": lzma.compress,
    ".tar.bz2": bz2.compress,
    ".tar.zst": lambda data: zstandard.compress(data[:700]) + zstandard.compress(data[700:]),
}
Members = list[tuple[str, bytes]]
THREE: Members = [("./b.jpg", b"bee"), ("a/a.PNG", b"ay"), ("notes.txt", b"no"), ("c.webp", b"")]


def tar_of(members: Members, **options: object) -> bytes:
    """Return a plain tar of *members*."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as tar:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zip_of(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of *members*."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


def read(offer: ImageRecord | Failure) -> bytes | str:
    """Return an offer's bytes, or the kind of what is wrong with it."""
    if isinstance(offer, Failure):
        return offer.kind
    try:
        return offer.read()
    except ImageError as error:
        return error.kind


def contents(path: Path | str, **options: object) -> list[tuple[str, bytes | str]]:
    """Return name and content of each member that the archive at *path* offers."""
    offers = list(open_items([path], SourceOptions(**options)))  # type: ignore[arg-type]
    return [(offer.uri.replace(f"{path}!/", "").replace(str(path), "ARCHIVE"), read(offer)) for offer in offers]


def saved(folder: Path, name: str, data: bytes) -> Path:
    """Write *data* to a file and return its path."""
    path = folder.resolve() / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", [*PACKERS, ".zip", ".TAR"])
def test_members_are_images_in_the_archives_order(tmp_path: Path, ending: str) -> None:
    """Each kind of archive gives its images, with the archive's time, and ignores the rest."""
    pack = PACKERS.get(ending.lower())
    path = saved(tmp_path, f"x{ending}", pack(tar_of(THREE)) if pack else zip_of(THREE))
    os.utime(path, ns=(1, 1_234_567_890))
    stats = SourceStats()
    records = [offer for offer in open_items([path], None, stats) if isinstance(offer, ImageRecord)]
    assert [(r.uri, r.size, r.mtime_ns, r.read()) for r in records] == [
        (f"{path}!/b.jpg", 3, 1_234_567_890, b"bee"),
        (f"{path}!/a/a.PNG", 2, 1_234_567_890, b"ay"),
        (f"{path}!/c.webp", 0, 1_234_567_890, b""),
    ]
    assert stats.ignored == 1


def test_only_members_of_compressed_tars_are_held(tmp_path: Path) -> None:
    """What can be read again is not kept; what goes by once is, and says so."""
    held = []
    for name, data in {"a.tar": tar_of(THREE), "b.zip": zip_of(THREE), "c.tgz": gzip.compress(tar_of(THREE))}.items():
        held.append(
            [offer.held for offer in open_items([saved(tmp_path, name, data)]) if isinstance(offer, ImageRecord)]
        )
    assert held == [[0, 0, 0], [0, 0, 0], [3, 2, 0]]


def test_archives_within_folders_are_read_and_those_within_archives_are_not(tmp_path: Path) -> None:
    """An archive in a folder stands at its place in the order; one in an archive is counted."""
    saved(tmp_path, "b.tar", tar_of([("x.jpg", b"x"), ("inner.zip", zip_of(THREE))]))
    saved(tmp_path, "a.jpg", b"a")
    saved(tmp_path, "c.jpg", b"c")
    stats = SourceStats()
    names = [offer.uri.rpartition("/")[2] for offer in open_items([tmp_path], None, stats)]
    assert (names, stats.ignored) == (["a.jpg", "x.jpg", "c.jpg"], 1)


def test_patterns_see_members(tmp_path: Path) -> None:
    """Patterns match members below their archive, and below a folder the archive is part of the path."""
    path = saved(tmp_path, "s.tar", tar_of([("p/a.jpg", b"1"), ("q/b.jpg", b"2"), ("c.png", b"3")]))
    assert [name for name, _ in contents(path, include=["*.jpg"], exclude=["/q/"])] == ["p/a.jpg"]
    assert [name for name, _ in contents(path, include=["c.png"])] == ["c.png"]
    assert len(list(open_items([tmp_path], SourceOptions(exclude=["s.tar/p/"])))) == 2
    assert list(open_items([tmp_path], SourceOptions(exclude=["*.tar"]))) == []


@pytest.mark.parametrize("ending", [".tar", ".tgz", ".zip"])
def test_members_of_the_same_name_are_all_there(tmp_path: Path, ending: str) -> None:
    """The n-th member of a name is called so, whatever the others are called and whatever patterns there are."""
    members = [("a.jpg", b"1"), ("a.jpg", b"2"), ("b.jpg", b"3"), ("./a.jpg", b"4"), ("a.jpg#2", b"5"), ("b.jpg", b"6")]
    with pytest.warns(UserWarning, match="Duplicate") if ending == ".zip" else _nothing():
        data = zip_of(members) if ending == ".zip" else PACKERS[ending](tar_of(members))
    expected = [("a.jpg", b"1"), ("a.jpg#2", b"2"), ("b.jpg", b"3"), ("a.jpg#3", b"4"), ("b.jpg#2", b"6")]
    path = saved(tmp_path, f"x{ending}", data)
    found = contents(path)
    assert found == expected if ending != ".zip" else len({name for name, _ in found}) == 5
    assert contents(path, include=["b.jpg"]) == [item for item in found if item[0].startswith("b")]
    assert contents(f"{path}!/b.jpg#2") == [(f"{path}!/b.jpg#2".replace(f"{path}!/b.jpg#2", "ARCHIVE"), b"6")]


class _nothing:  # noqa: N801 - stands for contextlib.nullcontext, which pytest.warns is no kind of
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)


@given(
    st.lists(st.sampled_from(["a.jpg", "./a.jpg", "a.jpg#2.jpg", "a.jpg#2", "b.png"]) | names.map(lambda n: n + ".gif"))
)
@settings(max_examples=60, deadline=None)
def test_no_two_members_share_a_uri(tmp_path_factory: pytest.TempPathFactory, members: list[str]) -> None:
    """For any names in any order, every image is offered, each under another name, the same in every run."""
    path = saved(tmp_path_factory.mktemp("t"), "x.tar", tar_of([(name, b"x") for name in members]))
    first = [offer.uri for offer in open_items([path])]
    assert len(set(first)) == len(first) == sum(name.endswith((".jpg", ".png", ".gif")) for name in members)
    assert first == [offer.uri for offer in open_items([path])]


@pytest.mark.parametrize("ending", [".tar", ".tar.zst", ".zip"])
def test_one_member_can_be_addressed(tmp_path: Path, ending: str) -> None:
    """`archive!/member` opens just that member, even one that is no image by its name; others are missing."""
    path = saved(tmp_path, f"x{ending}", PACKERS[ending](tar_of(THREE)) if ending != ".zip" else zip_of(THREE))
    for member, data in (("a/a.PNG", b"ay"), ("b.jpg", b"bee"), ("notes.txt", b"no"), ("none.jpg", "missing")):
        (offer,) = open_items([f"{path}!/{member}"])
        assert (offer.uri, read(offer)) == (f"{path}!/{member}", data)


def test_links_and_folders_in_a_tar_are_passed_over(tmp_path: Path) -> None:
    """Links lead to members that come anyway; they are counted, folders are not."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind, name in ((tarfile.DIRTYPE, "d.jpg"), (tarfile.SYMTYPE, "s.jpg"), (tarfile.LNKTYPE, "h.jpg")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.jpg"
            tar.addfile(info)
    stats = SourceStats()
    assert list(open_items([saved(tmp_path, "x.tar", file.getvalue())], None, stats)) == []
    assert stats.ignored == 2


def test_sparse_members_are_put_together(tmp_path: Path) -> None:
    """A sparse file in a tar gives its holes as zeros."""
    info = tarfile.TarInfo("a.jpg")
    info.size = 512
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": "2000",
        "GNU.sparse.map": "0,256,1500,256",
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(b"x" * 256 + b"y" * 256))
    whole = b"x" * 256 + bytes(1244) + b"y" * 256 + bytes(244)
    for ending in (".tar", ".tgz"):
        ((_, data),) = contents(saved(tmp_path, f"x{ending}", PACKERS[ending](file.getvalue())))
        assert data == whole


@pytest.mark.parametrize("ending", PACKERS)
def test_a_cut_archive_gives_what_is_whole_and_is_named(tmp_path: Path, ending: str) -> None:
    """Members before the cut are read, the one that it hits is rejected, and so is the archive; others go on."""
    members = [(f"{n}.jpg", os.urandom(30_000)) for n in range(8)]
    data = PACKERS[ending](tar_of(members))
    saved(tmp_path, f"x{ending}", data[: len(data) // 2])
    saved(tmp_path, "z.jpg", b"z")
    found = [read(offer) for offer in open_items([tmp_path])]
    assert found[-2:] == ["damaged-archive", b"z"]
    whole = [item for item in found[:-2] if isinstance(item, bytes)]
    assert whole == [data for _, data in members[: len(whole)]]
    assert len(whole) >= (0 if ending in (".tar.bz2", ".tar.zst") else 3)  # those pack larger blocks
    assert set(found[len(whole) : -2]) <= {"truncated"}


@pytest.mark.parametrize("cut", [512 * 2, 512 * 2 + 100, 512 * 4])
def test_a_tar_cut_between_members_is_noticed(tmp_path: Path, cut: int) -> None:
    """A tar without its end mark is damaged, even if it ends where a member ends."""
    path = saved(tmp_path, "x.tar", tar_of([("a.jpg", b"1"), ("b.jpg", b"2")])[:cut])
    assert contents(path)[-1] == ("ARCHIVE", "damaged-archive")


def test_damage_within_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    """A spoilt header in the middle is reported, though tarfile takes it for the end."""
    data = bytearray(tar_of([("a.jpg", b"1"), ("b.jpg", b"2"), ("c.jpg", b"3")]))
    data[1024:1100] = b"\x55" * 76
    assert contents(saved(tmp_path, "x.tar", bytes(data))) == [("a.jpg", b"1"), ("ARCHIVE", "damaged-archive")]


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.zst", "x.tar.xz", "x.tar.bz2", "x.zip"])
@pytest.mark.parametrize("data", [b"", b"<html>404</html>" * 100, bytes(range(256)) * 20])
def test_what_is_no_archive_is_damaged(tmp_path: Path, name: str, data: bytes) -> None:
    """An empty file, a web page and garbage with an archive's name are each named once."""
    assert contents(saved(tmp_path, name, data)) == [("ARCHIVE", "damaged-archive")]


def test_an_archive_of_nothing_is_whole(tmp_path: Path) -> None:
    """Empty archives offer nothing and are not damaged."""
    assert contents(saved(tmp_path, "x.tar", tar_of([]))) == []
    assert contents(saved(tmp_path, "x.zip", zip_of([]))) == []


@pytest.mark.parametrize("ending", [".tar", ".tgz", ".zip"])
def test_members_above_the_limit_are_rejected(tmp_path: Path, ending: str) -> None:
    """A member of too many bytes is named, unread, and the next comes."""
    members = [("a.jpg", b"x" * 101), ("b.jpg", b"y" * 100)]
    path = saved(tmp_path, f"x{ending}", zip_of(members) if ending == ".zip" else PACKERS[ending](tar_of(members)))
    assert contents(path, max_bytes=100) == [("a.jpg", "too-many-bytes"), ("b.jpg", b"y" * 100)]


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    """Members and long names that claim gigabytes in a small file are refused before they fill the memory."""
    bomb = tarfile.TarInfo("a.jpg")
    bomb.size = 40 * 2**30
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 20 * 2**30
    zeros = bytes(64 * 2**20)
    tracemalloc.start()
    for number, header in enumerate((bomb, name)):
        path = saved(tmp_path, f"{number}.tgz", gzip.compress(header.tobuf() + zeros, 1))
        assert contents(path)[-1] == ("ARCHIVE", "damaged-archive")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(zeros)


def test_headers_that_lead_backwards_end(tmp_path: Path) -> None:
    """A size below zero, which would make tarfile read in a circle, is damage."""
    info = tarfile.TarInfo("b.jpg")
    info.size = -1024
    data = tar_of([("a.jpg", b"1")])[:1024] + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert contents(saved(tmp_path, "x.tar", data)) == [("a.jpg", b"1"), ("ARCHIVE", "damaged-archive")]


def test_member_names_that_are_not_utf8_are_rejected(tmp_path: Path) -> None:
    """Such a member is printed with its bytes escaped."""
    path = saved(
        tmp_path, "x.tar", tar_of([("\xe9.jpg", b"1"), ("b.jpg", b"2")], encoding="latin-1", format=tarfile.GNU_FORMAT)
    )
    assert contents(path) == [(r"\xe9.jpg", "bad-name"), ("b.jpg", b"2")]


def test_member_names_that_are_too_long_are_rejected(tmp_path: Path) -> None:
    """A name of five hundred characters is kept, one that no collection can hold is not."""
    names = ["é" * 496 + ".jpg", "x" * 9000 + ".jpg", "with blank\nand newline 😀.jpg"]
    found = contents(saved(tmp_path, "x.tar", tar_of([(name, b"1") for name in names])))
    assert found == [(names[0], b"1"), (names[1], "uri-too-long"), (names[2], b"1")]


def test_encrypted_members_are_rejected(tmp_path: Path) -> None:
    """A member that needs a password is named so."""
    data = bytearray(zip_of([("a.jpg", b"1"), ("b.jpg", b"2")]))
    data[data.index(b"PK\1\2") + 8] |= 1
    assert contents(saved(tmp_path, "x.zip", bytes(data))) == [("a.jpg", "encrypted"), ("b.jpg", b"2")]


def test_zip_members_that_are_spoilt_are_rejected(tmp_path: Path) -> None:
    """A wrong check sum, a broken stream and a wrong local header each concern their member only."""
    data = bytearray(zip_of([(f"{n}.jpg", bytes([65 + n]) * 50) for n in range(3)], zipfile.ZIP_STORED))
    data[data.index(b"A" * 50)] = 0
    data[data.rindex(b"PK\3\4")] = 0
    path = saved(tmp_path, "x.zip", bytes(data))
    assert contents(path) == [("0.jpg", "corrupt"), ("1.jpg", b"B" * 50), ("2.jpg", "corrupt")]


def test_zip_members_packed_in_an_unknown_way_are_rejected(tmp_path: Path) -> None:
    """A compression method that Python lacks is named."""
    data = bytearray(zip_of([("a.jpg", b"1")], zipfile.ZIP_STORED))
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        data[data.index(mark) + at] = 97
    assert contents(saved(tmp_path, "x.zip", bytes(data))) == [("a.jpg", "unsupported-archive")]


def test_zip_members_that_lie_about_their_size_are_bounded(tmp_path: Path) -> None:
    """A member that unpacks to more than it claims is not believed."""
    data = bytearray(zip_of([("a.jpg", bytes(2**20))]))
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        data[data.index(mark) + at :][:4] = b"\x0a\0\0\0"
        start = data.index(mark) + at
        data[start : start + 4] = b"\x0a\0\0\0"
    assert contents(saved(tmp_path, "x.zip", bytes(data))) == [("a.jpg", "corrupt")]


@pytest.mark.parametrize("ending", [".tar", ".zip"])
def test_members_are_read_from_many_threads(tmp_path: Path, ending: str) -> None:
    """Records of one archive, read by eight threads after the source has moved on, give their own bytes."""
    members = [(f"{n}.jpg", os.urandom(5000) + bytes(5000)) for n in range(120)]
    path = saved(tmp_path, f"x{ending}", zip_of(members) if ending == ".zip" else tar_of(members))
    records = list(open_items([path]))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, records)) == [data for _, data in members]


def test_many_zips_take_few_file_handles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of more archives than may be open are all read, from many threads; one that was exchanged is told."""
    monkeypatch.setattr(zipped, "MOST_OPEN", 2)
    for number in range(8):
        saved(tmp_path, f"{number}.zip", zip_of([(f"{n}.jpg", bytes([number, n])) for n in range(3)]))
    records = list(open_items([tmp_path]))
    handles = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert sum(handle.startswith(str(tmp_path)) for handle in handles) == 2
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, records)) == [bytes([number, n]) for number in range(8) for n in range(3)]
    saved(tmp_path, "0.zip", zip_of([("1.jpg", b"new")]))
    (tmp_path / "1.zip").unlink()
    kinds = [read(records[at]) for at in (6, 9, 12, 15, 0, 0, 3)]
    assert kinds[-3:] == ["vanished"] * 3


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip"])
def test_records_can_be_read_in_another_process(tmp_path: Path, ending: str) -> None:
    """What a cluster's worker gets of a record gives the same bytes, or says that the archive is not there."""
    path = saved(tmp_path, f"x{ending}", PACKERS[ending](tar_of(THREE)) if ending in PACKERS else zip_of(THREE))
    sent = pickle.dumps(list(open_items([path])))
    assert list(map(read, pickle.loads(sent))) == [b"bee", b"ay", b""]
    os.utime(path, ns=(1, 1))
    sent = pickle.dumps(list(open_items([path])))
    path.unlink()
    gone = {".tar": "vanished", ".tar.gz": b"bee", ".zip": "unreadable"}
    assert read(pickle.loads(sent)[0]) == gone[ending]


def test_an_archive_is_closed_when_its_last_record_is_gone(tmp_path: Path) -> None:
    """No file stays open once nobody can read from it any more."""
    path = saved(tmp_path, "x.zip", zip_of(THREE))
    records = list(open_items([path]))
    assert open_files(path) == 1
    del records
    assert open_files(path) == 0


def open_files(path: Path) -> int:
    """Return how many descriptors of this process lead to *path*."""
    return [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()].count(str(path))


def test_a_tar_that_changes_under_the_reader_is_not_misread(tmp_path: Path) -> None:
    """A member is not read from an archive that is no longer the one that was listed."""
    path = saved(tmp_path, "x.tar", tar_of(THREE))
    record, *_ = open_items([path])
    saved(tmp_path, "x.tar", tar_of([("other.jpg", b"other"), *THREE]))
    assert read(record) == "vanished"
    path.unlink()
    assert read(record) == "vanished"


def test_a_tar_of_many_members_keeps_no_headers(tmp_path: Path) -> None:
    """The memory that listing takes grows by far less than a header per member."""
    path = saved(tmp_path, "x.tar", tar_of([(f"folder/of/images/{n:08}.jpg", b"") for n in range(6000)]))
    tracemalloc.start()
    assert sum(1 for _ in open_items([path])) == 6000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 200


@given(
    st.sampled_from([*PACKERS, ".zip"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
@settings(max_examples=150, deadline=None)
def test_hostile_archives_raise_nothing(
    tmp_path_factory: pytest.TempPathFactory, ending: str, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever bytes are changed in or cut from an archive, members and failures come out, and no exception."""
    data = bytearray(zip_of(THREE) if ending == ".zip" else PACKERS[ending](tar_of(THREE)))
    for at, value in changes:
        data[at % len(data)] = value
    del data[cut:]
    path = saved(tmp_path_factory.mktemp("h"), f"x{ending}", bytes(data))
    for offer in open_items([path], SourceOptions(max_bytes=2**20)):
        read(offer)
