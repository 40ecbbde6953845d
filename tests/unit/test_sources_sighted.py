"""What a pass over sources proves of images that it did not offer."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources import Sighted, SourceOptions, SourceStats, open_items
from indexer.sources.local import is_there
from indexer.sources.sighted import Names, is_there_now


def passed(*items: object, most: int | None = None, **options: object) -> Sighted:
    """Return what a pass over *items* leaves behind when it takes at *most* so many offers."""
    stats = SourceStats()
    offers = open_items(list(items), SourceOptions(**options), stats)  # type: ignore[arg-type]
    for offer in islice(offers, most):
        stats.sighted.seen.add(offer.uri)
    return stats.sighted


def gone(sighted: Sighted, uri: object) -> bool | None:
    """Return what the pass proves of *uri*: gone, there, or neither."""
    if str(uri) in sighted.seen:
        return False
    roots = sighted.above(str(uri))
    return sighted.is_gone(str(uri), roots[0]) if roots and all(root.is_sound for root in roots) else None


def tar(path: Path, *names: str) -> Path:
    """Write a tar of images called *names*."""
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"tar"))
    return path


def zipped(path: Path, *names: str) -> Path:
    """Write a zip archive of images called *names*."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"zip")
    return path


PACKERS = [(tar, "x.tar"), (zipped, "x.zip")]
packed = pytest.mark.parametrize(("pack", "name"), PACKERS, ids=["tar", "zip"])
Pack = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with an image."""
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    (folder / "a.jpg").touch()
    return folder


@given(st.lists(st.text()), st.lists(st.text()))
def test_names_are_a_set(some: list[str], others: list[str]) -> None:
    """All that was added is there, at any time; what is common to two sets is theirs."""
    names, more = Names(), Names()
    for name in some:
        names.add(name)
        assert name in names
    for name in others:
        more.add(name)
    assert {name for name in some + others if name in names.common(more)} == set(some) & set(others)
    assert (bool(names), all(name in more for name in others)) == (bool(some), True)


def test_a_file_that_was_deleted_is_gone(root: Path) -> None:
    """A file below a folder that was read is gone when nothing is there; one that is passed over is there."""
    (root / "left-out.jpg").touch()
    sighted = passed(root, exclude=["left-out*"])
    names = ["a.jpg", "left-out.jpg", "b.jpg", "no/such/folder/b.jpg", "a.jpg/b.jpg"]
    assert [gone(sighted, root / name) for name in names] == [False, False, True, True, True]
    assert gone(sighted, root.parent / "b.jpg") is None


def test_what_cannot_be_told_is_not_gone(root: Path) -> None:
    """A look that fails for another reason than that nothing is there proves nothing."""
    (root / "loop").symlink_to("loop")
    assert gone(passed(root), root / "loop" / "b.jpg") is None
    assert is_there("x\0y") is None


@pytest.mark.parametrize("most", [0, 1])
def test_a_pass_that_was_cut_short_proves_nothing(root: Path, most: int) -> None:
    """Neither a root that was not begun nor one that was not ended is sound; both are known by name."""
    (root / "b.jpg").touch()
    sighted = passed(root, b"bytes", most=most)
    assert gone(sighted, root / "c.jpg") is None
    assert sighted.named() == [str(root)]


def test_a_root_that_is_not_there_proves_nothing(root: Path) -> None:
    """Not there, or a link to nothing: it is a root all the same, and not sound."""
    (root / "link").symlink_to("nowhere")
    for path in (root / "absent", root / "link"):
        sighted = passed(path)
        assert [r.uri for r in sighted.roots.values() if not r.is_sound] == [str(path)]
        assert gone(passed(root, path), path / "b.jpg") is None


def test_a_root_remains_until_it_is_empty(root: Path) -> None:
    """A mount point without its disk is an empty folder, which is no longer the root that was read."""
    (made,) = passed(root).roots.values()
    assert made.remains()
    (root / "a.jpg").unlink()
    assert not made.remains()


def test_a_folder_that_was_emptied_is_found_from_below(root: Path) -> None:
    """It is the nearest that is there; the root itself, a folder with any file, and a file are none."""
    (root / "disk" / "full").mkdir(parents=True)
    (root / "disk" / "full" / "readme.txt").touch()
    (root / "empty").mkdir()
    (made,) = passed(root).roots.values()
    names = ["empty", "empty/x.tar!/y", "away/x", "disk/x", "disk/full/x", "a.jpg/x", "."]
    found = [made.emptied(str(root / name)) for name in names]
    assert found == [str(root / "empty")] * 2 + [None] * 5


def test_single_files_are_no_roots(root: Path) -> None:
    """A file that is there says nothing of its neighbours; nor do bytes, and names with bytes."""
    archive = tar(root / "x.tar", "a.jpg")
    assert passed(root / "a.jpg", b"bytes", ("name", b"bytes"), f"{archive}!/a.jpg").roots == {}


@packed
@pytest.mark.parametrize("as_root", [False, True])
def test_a_member_is_gone_when_its_archive_was_read_whole_without_it(
    root: Path, pack: Pack, name: str, *, as_root: bool
) -> None:
    """Also of an archive within a folder; a member that patterns leave out, or with another ending, is there."""
    archive = pack(root / name, "a.jpg", "sub/b.jpg", "c.txt")
    sighted = passed(archive if as_root else root, exclude=["sub"])
    members = ["a.jpg", "sub/b.jpg", "c.txt", "d.jpg"]
    assert [gone(sighted, f"{archive}!/{member}") for member in members] == [False, False, False, True]


@packed
def test_members_are_gone_with_their_archive(root: Path, pack: Pack, name: str) -> None:
    """Nothing is at the archive's place; but one that patterns leave out is there, and its members may be."""
    archive = pack(root / name, "a.jpg")
    assert gone(passed(root, exclude=["x.*"]), f"{archive}!/b.jpg") is None
    archive.unlink()
    assert gone(passed(root), f"{archive}!/b.jpg") is True


@packed
@pytest.mark.parametrize("as_root", [False, True])
def test_a_damaged_archive_proves_nothing(root: Path, pack: Pack, name: str, *, as_root: bool) -> None:
    """Its members may be in the part that cannot be read."""
    archive = pack(root / name, *(f"{n}.jpg" for n in range(20)))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2 + 100])
    sighted = passed(archive if as_root else root)
    assert gone(sighted, f"{archive}!/z.jpg") is None
    assert gone(sighted, root / "z.jpg") is (None if as_root else True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_a_tar_that_ends_in_many_zeros_proves_nothing(root: Path, pack: Callable[[bytes], bytes]) -> None:
    """A copy in the making may have its full size; one record of zeros after the end mark is what packers write."""
    whole = tar(root / "x", *(f"{n}.jpg" for n in range(40))).read_bytes()
    archive = root / ("x.tar" if pack is bytes else "x.tgz")
    for begun, proof in ((whole, True), (whole[: 20 * 1024] + bytes(1024 + 10_240), True)):
        archive.write_bytes(pack(begun))
        assert gone(passed(root), f"{archive}!/z.jpg") is proof
    archive.write_bytes(pack(whole[: 20 * 1024] + bytes(len(whole) - 20 * 1024)))
    sighted = passed(root)
    assert [gone(sighted, f"{archive}!/{n}.jpg") for n in (0, 19, 30)] == [False, False, None]


def test_a_folder_may_be_called_as_archives_mark_their_members(root: Path) -> None:
    """`wow!/` in a path is a folder's name where there is such a folder."""
    (root / "wow!").mkdir()
    (root / "wow!" / "a.jpg").touch()
    sighted = passed(root)
    assert [gone(sighted, root / "wow!" / name) for name in ("a.jpg", "b.jpg")] == [False, True]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Return the file system in memory, with an image and an archive."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    system.pipe_file("/bucket/in/a.jpg", b"bytes")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", b"zip")
    system.pipe_file("/bucket/in/x.zip", file.getvalue())
    yield system
    system.store.clear()


def test_an_object_that_was_deleted_is_gone(memory: fsspec.AbstractFileSystem) -> None:
    """The same holds of objects below a URL, and of the members of archives there."""
    memory.pipe_file("/bucket/in/left-out.jpg", b"bytes")
    sighted = passed("memory://bucket/in", exclude=["left-out*"])
    names = ["a.jpg", "left-out.jpg", "b.jpg", "x.zip!/a.jpg", "x.zip!/b.jpg", "y.zip!/a.jpg"]
    assert [gone(sighted, f"memory://bucket/in/{name}") for name in names] == [False, False, True, False, True, True]
    assert all(root.remains() for root in sighted.roots.values())


def test_a_url_that_leads_nowhere_proves_nothing(memory: fsspec.AbstractFileSystem) -> None:
    """A bucket that is not there is an unsound root, and one that cannot be asked does not tell."""
    (root,) = passed("memory://bucket/out").roots.values()
    assert (root.uri, root.is_sound) == ("memory://bucket/out", False)
    (root,) = passed("memory://bucket/in").roots.values()
    memory.store.clear()
    assert (root.remains(), root.is_there("memory://bucket/in/a.jpg")) == (False, False)


def test_a_direct_look_tells_of_local_files_alone(tmp_path: Path) -> None:
    """A file is there or gone; a member is gone with its archive, else unknown, as are addresses and given names."""
    shard, odd = tar(tmp_path / "s.tar", "a.jpg"), tmp_path / "odd!"
    odd.mkdir()
    (odd / "a.jpg").touch()
    assert [is_there_now(str(path)) for path in (odd / "a.jpg", odd / "b.jpg", tmp_path / "x!/b.jpg")] == [1, 0, 0]
    assert [is_there_now(f"{path}!/a.jpg") for path in (shard, tmp_path / "t.tar")] == [None, False]
    assert [is_there_now(uri) for uri in ("s3://bucket/a.jpg", "sha256:00", "a.jpg", "s3://b/s.tar!/a")] == [None] * 4
