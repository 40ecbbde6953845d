"""Folders are walked in order, once, past every kind of file that cannot be read."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.errors import ConfigError, ImageError
from indexer.records import Failure, ImageRecord
from indexer.sources import SourceOptions, SourceStats, open_items


def put(root: Path, *names: str) -> None:
    """Make files called *names* below *root*; each holds its own name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def below(root: Path, **options: object) -> list[str]:
    """Return the paths below *root* of what it offers; a failure is its kind and path."""
    offers = open_items([root], SourceOptions(**options))  # type: ignore[arg-type]
    return [told(offer).replace(f"{root.resolve()}/", "") for offer in offers]


def told(offer: ImageRecord | Failure) -> str:
    """Return an offer's name, after its kind if it failed."""
    return f"{offer.kind} {offer.uri}" if isinstance(offer, Failure) else offer.uri


def only(items: list[object], options: SourceOptions | None = None) -> ImageRecord | Failure:
    """Return the one thing that *items* offer."""
    (offer,) = open_items(items, options)  # type: ignore[arg-type]
    return offer


def test_images_come_in_the_order_of_their_names_bytes(tmp_path: Path) -> None:
    """Folders and files are sorted together, capitals first, at every level."""
    put(tmp_path, "b.jpg", "a/z.png", "a/b/c.gif", "B.JPG", "a.webp", "é.tif", "a-b.heic")
    assert below(tmp_path) == ["B.JPG", "a/b/c.gif", "a/z.png", "a-b.heic", "a.webp", "b.jpg", "é.tif"]


def test_a_record_tells_size_and_time_and_reads(tmp_path: Path) -> None:
    """A record holds the real path, size and modification time, and reads the bytes when asked."""
    put(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_123_456_789))
    record = only([tmp_path])
    assert record == ImageRecord(str(tmp_path / "a.jpg"), 5, 1_700_000_000_123_456_789, bytes)
    assert isinstance(record, ImageRecord)
    assert record.read() == b"a.jpg"
    assert record.held == 0


def test_other_files_are_ignored_and_counted(tmp_path: Path) -> None:
    """Files that are no images by their names, and what macOS leaves behind, are counted, not offered."""
    put(tmp_path, "a.jpg", "notes.txt", "no-ending", "._a.jpg", "__MACOSX/b.jpg", "jpg", "x/y.json")
    stats = SourceStats()
    assert len(list(open_items([tmp_path], None, stats))) == 1
    assert stats == SourceStats(ignored=6)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ["*.png"]}, ["a/b.png", "c.png"]),
        ({"include": ["/a/"]}, ["a/b.png", "a/d.jpg"]),
        ({"exclude": ["*.png"]}, ["a/d.jpg", "thumbs/t.jpg"]),
        ({"exclude": ["a/", "thumbs/"]}, ["c.png"]),
        ({"exclude": ["*", "!*/", "!*.png"]}, ["a/b.png", "c.png"]),
        ({"include": ["*.jpg"], "exclude": ["thumbs/"]}, ["a/d.jpg"]),
    ],
)
def test_patterns_are_gitignores(tmp_path: Path, patterns: dict[str, list[str]], expected: list[str]) -> None:
    """Include and exclude mean below the source what they mean in .gitignore."""
    put(tmp_path, "a/b.png", "a/d.jpg", "c.png", "thumbs/t.jpg")
    assert below(tmp_path, **patterns) == expected


def test_what_patterns_leave_out_is_counted(tmp_path: Path) -> None:
    """A left out folder counts once, an image once."""
    put(tmp_path, "a/b.png", "a/d.jpg", "c.png", "e.jpg")
    stats = SourceStats()
    list(open_items([tmp_path], SourceOptions(exclude=["a/", "c.png"]), stats))
    assert stats == SourceStats(excluded=2)


def test_a_pattern_that_means_nothing_is_a_configuration_error(tmp_path: Path) -> None:
    """A pattern that cannot be understood is named at once."""
    with pytest.raises(ConfigError, match="pattern"):
        open_items([tmp_path], SourceOptions(exclude=["!"]))


def test_links_lead_to_real_paths_and_each_file_comes_once(tmp_path: Path) -> None:
    """A file that links and its own place lead to has one URI and is offered once."""
    put(tmp_path, "in/m.jpg", "out/o.jpg", "out/deep/p.jpg")
    (tmp_path / "in/a.jpg").symlink_to("m.jpg")
    (tmp_path / "in/b.jpg").symlink_to("../out/o.jpg")
    (tmp_path / "in/c.jpg").symlink_to(tmp_path / "out/o.jpg")
    (tmp_path / "in/d").symlink_to("../out/deep")
    out = str(tmp_path / "out")
    assert below(tmp_path / "in") == [f"{out}/o.jpg", f"{out}/deep/p.jpg", "m.jpg"]


def test_a_link_to_a_file_that_is_no_image_by_name_is_followed(tmp_path: Path) -> None:
    """The name of the link counts, where the file behind it would not be offered at its own place."""
    put(tmp_path, "store/4711")
    (tmp_path / "a.jpg").symlink_to("store/4711")
    assert below(tmp_path) == ["store/4711"]


def test_patterns_go_by_a_folders_own_place(tmp_path: Path) -> None:
    """A link to a folder of the same source, read before it, brings in nothing that is left out, and loses nothing."""
    for name in ("2024/a.jpg", "2024/private/s.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "2000").symlink_to("2024")
    (tmp_path / "2001").symlink_to("2024/private")
    assert below(tmp_path, exclude=["2024/private/"]) == ["2024/a.jpg"]
    assert below(tmp_path, include=["2024/*.jpg"]) == ["2024/a.jpg"]
    assert below(tmp_path, exclude=["2000/"]) == ["2024/a.jpg", "2024/private/s.jpg"]


def test_loops_of_linked_folders_end(tmp_path: Path) -> None:
    """A folder that links to its parent, and two that link to each other, are entered once."""
    put(tmp_path, "a/x.jpg", "b/y.jpg")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/b").symlink_to("../b")
    (tmp_path / "b/a").symlink_to("../a")
    assert sorted(below(tmp_path)) == ["a/x.jpg", "b/y.jpg"]


def test_the_same_folder_twice_is_walked_once(tmp_path: Path) -> None:
    """A source that an earlier one holds adds nothing."""
    put(tmp_path, "a/x.jpg", "y.jpg")
    (tmp_path / "link").symlink_to("a")
    offers = list(open_items([tmp_path, tmp_path / "a", tmp_path / "link", f"{tmp_path}/"]))
    assert [told(offer) for offer in offers] == [f"{tmp_path}/a/x.jpg", f"{tmp_path}/y.jpg"]


def test_broken_links_are_rejected(tmp_path: Path) -> None:
    """Links that dangle or lead to themselves are named if they have an image's name, ignored otherwise."""
    (tmp_path / "dangling.jpg").symlink_to("none.jpg")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "loop").symlink_to("loop")
    assert below(tmp_path) == ["broken-link dangling.jpg", "broken-link loop.png"]
    dangling, loop = (offer.reason for offer in open_items([tmp_path]) if isinstance(offer, Failure))
    assert ("does not exist" in dangling, "back to itself" in loop) == (True, True)
    assert told(only([tmp_path / "dangling.jpg"])) == f"broken-link {tmp_path}/dangling.jpg"


def test_names_that_are_not_utf8_are_rejected(tmp_path: Path) -> None:
    """Such a name is printed with its bytes escaped, for files and for what lies in folders of such names."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_text("x")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/z\xe9"))
    put(folder, "b.jpg")
    assert below(tmp_path) == [r"bad-name z\xe9/b.jpg", r"bad-name \xff.jpg"]


def test_strange_but_valid_names_are_read(tmp_path: Path) -> None:
    """Blanks, newlines, quotes, emoji and what looks like a member are names like any other."""
    names = [" a .jpg", "b\nc.jpg", "d'\"e.jpg", "f!/g.jpg", "h\\i.jpg", "😀.png", "#2.jpg", "x" * 251 + ".jpg"]
    put(tmp_path, *names)
    assert sorted(below(tmp_path)) == sorted(names)
    record = only([tmp_path / "f!/g.jpg"])
    assert isinstance(record, ImageRecord)
    assert record.read() == b"f!/g.jpg"


def test_pipes_sockets_and_folders_with_images_names_never_block(tmp_path: Path) -> None:
    """A pipe or socket is rejected, unread, also as an archive; a folder is a folder, whatever its name is."""
    os.mkfifo(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "z.tar")
    put(tmp_path, "c.jpg/d.jpg")
    with socket.socket(socket.AF_UNIX) as server, changed_to(tmp_path):
        server.bind("b.jpg")
        assert below(tmp_path) == ["not-a-file a.jpg", "not-a-file b.jpg", "c.jpg/d.jpg", "not-a-file z.tar"]


@contextmanager
def changed_to(folder: Path) -> Iterator[None]:
    """Work in *folder* for a while."""
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def test_a_file_that_becomes_a_pipe_does_not_block(tmp_path: Path) -> None:
    """What was a file when it was listed and is a pipe when it is read is an error, not a wait."""
    put(tmp_path, "a.jpg")
    record = only([tmp_path])
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    assert error_of(record).kind == "unreadable"


def error_of(record: object) -> ImageError:
    """Return what reading *record* raises."""
    assert isinstance(record, ImageRecord)
    with pytest.raises(ImageError) as caught:
        record.read()
    return caught.value


def test_a_file_that_vanishes_is_rejected(tmp_path: Path) -> None:
    """A file that is gone when it is to be read is named so."""
    put(tmp_path, "a.jpg")
    record = only([tmp_path])
    (tmp_path / "a.jpg").unlink()
    assert error_of(record).kind == "vanished"


def test_a_file_that_grows_is_read_as_it_is_then(tmp_path: Path) -> None:
    """What was read counts, up to the limit of bytes."""
    put(tmp_path, "a.jpg")
    record = only([tmp_path], SourceOptions(max_bytes=10))
    (tmp_path / "a.jpg").write_bytes(b"0123456789")
    assert isinstance(record, ImageRecord)
    assert record.read() == b"0123456789"
    (tmp_path / "a.jpg").write_bytes(b"0123456789+")
    assert error_of(record).kind == "too-many-bytes"


def test_files_above_the_limit_are_rejected_unread(tmp_path: Path) -> None:
    """A file of too many bytes is named with their number."""
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(5 * 2**30)
    offer = only([tmp_path])
    assert isinstance(offer, Failure)
    assert (offer.kind, "5,368,709,120 bytes" in offer.reason) == ("too-many-bytes", True)


UNPRIVILEGED = """
import os, sys
from indexer.errors import ImageError, SourceError
from indexer.records import Failure
from indexer.sources import check_sources, open_items
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
root = sys.argv[1]
for offer in open_items([root]):
    try:
        print(offer.kind if isinstance(offer, Failure) else offer.read().decode(), offer.uri[len(root) + 1:])
    except ImageError as error:
        print(error.kind, offer.uri[len(root) + 1:])
try:
    check_sources([root, root + "/a.jpg", root + "/locked"])
except SourceError as error:
    print(str(error).replace(root, ""))
"""


def test_missing_permissions_reject_what_they_concern(tmp_path: Path) -> None:
    """A file and a folder without permission are named, and the walk goes on; checking names both before."""
    root = tmp_path / "r"
    put(root, "a.jpg", "b.jpg", "locked/c.jpg", "z.jpg")
    (root / "a.jpg").chmod(0)
    (root / "locked").chmod(0)
    for folder in (root, *root.parents[:3]):
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(root)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    (root / "locked").chmod(0o755)
    assert done.stdout.splitlines()[:4] == ["unreadable a.jpg", "b.jpg b.jpg", "unreadable locked", "z.jpg z.jpg"], done
    assert "/a.jpg: permission denied; /locked: permission denied" in done.stdout


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    """Six hundred folders within each other are walked."""
    deep = tmp_path
    with changed_to(tmp_path):
        for _ in range(600):
            Path("d").mkdir()
            os.chdir("d")
            deep = deep / "d"
        Path("x.jpg").write_text("x")
    assert below(tmp_path) == ["d/" * 600 + "x.jpg"]


def test_a_long_walk_is_lazy(tmp_path: Path) -> None:
    """The first image comes before the second folder is looked at."""
    put(tmp_path, "a/a.jpg", "b/b.jpg")
    offers = open_items([tmp_path])
    assert told(next(offers)).endswith("a/a.jpg")
    (tmp_path / "b/b.jpg").rename(tmp_path / "b/c.jpg")
    assert told(next(offers)).endswith("b/c.jpg")
