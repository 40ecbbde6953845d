"""`twinlens groups`, as a user sees it: lines, JSON Lines, and a page with pictures."""

from __future__ import annotations

import base64
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pictures
import pytest
from commandline import Twinlens
from PIL import Image

from indexer import open_index

TITLE = "<b> & 'co'.jpg"


class Page(HTMLParser):
    """The pictures, the links and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a picture's source, and where a link leads."""
        found = dict(attrs)
        self.pictures += [found.get("src") or ""] * (tag == "img")
        self.links += [found.get("href") or ""] * (tag == "a")
        assert tag != "b"

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder of a photograph with an odd name, its exact copy, and its relit one; and of a lonely one."""
    made = pictures.folder(tmp_path / "all", count=2)
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(made / "a-01.jpg", folder / TITLE)
    shutil.copy(made / "c-01.jpg", folder / "same.jpg")
    shutil.copy(made / "b-01.png", folder / "zrelit.png")
    shutil.copy(made / "a-00.jpg", folder / "other.jpg")
    return folder


def test_groups_lists_originals_with_their_copies(twinlens: Twinlens, full_uri: str, shared_photos: Path) -> None:
    """Each original that has copies comes once, by name, with these, as `show` tells them, and the sum at the end."""
    rows = twinlens("groups", "--uri", full_uri, "--json").rows
    originals = [Path(row["original"]).name for row in rows]
    assert originals == [f"a-{number:02}.jpg" for number in range(8)]
    for row in rows:
        group = json.loads(twinlens("show", row["original"], "--uri", full_uri, "--json").out)["group"]
        assert [(copy["uri"], copy["distance"]) for copy in row["copies"]] == [
            (member["uri"], member["distance"]) for member in group[1:]
        ]
        assert row["original_is_there"] is True
        assert {copy["exact"] for copy in row["copies"]} <= {True, False}
    lines = twinlens("groups", "--uri", full_uri).out.splitlines()
    assert lines[-1] == "20 images: 8 originals, 12 copies of them, in 8 groups"
    assert lines[lines.index(f"{shared_photos}/a-01.jpg") + 1] == f"  0.0000  {shared_photos}/c-01.jpg  (same bytes)"


def test_the_page_holds_the_pictures(twinlens: Twinlens, archive: Path, tmp_path: Path) -> None:
    """A page shows an original and its copies, about as they look, with links to the files; odd names harm nothing."""
    uri, html = tmp_path / "a.db", tmp_path / "copies.html"
    twinlens("ingest", archive, "--uri", uri)
    done = twinlens("groups", "--uri", uri, "--html", html)
    assert (done.code, done.out) == (0, f"4 images: 2 originals, 2 copies of them, in 1 group: {html}\n")
    page = Page(html.read_text(encoding="utf-8"))
    assert page.links == [(archive / name).as_uri() for name in (TITLE, "same.jpg", "zrelit.png")]
    assert f"{archive}/{TITLE}, 2 copies" in page.text
    for source, name in zip(page.pictures, (TITLE, "same.jpg", "zrelit.png"), strict=True):
        small = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))))
        with Image.open(archive / name) as whole:
            apart = np.asarray(whole.convert("RGB").resize(small.size)).astype(float) - np.asarray(small)
        assert np.abs(apart).mean() < 12


def test_the_page_says_what_it_leaves_out(twinlens: Twinlens, full_uri: str, tmp_path: Path) -> None:
    """With fewer groups than there are, page and command say so; the page of before is replaced."""
    html = tmp_path / "copies.html"
    twinlens("groups", "--uri", full_uri, "--html", html)
    done = twinlens("groups", "--uri", full_uri, "--html", html, "--most", "3")
    told = "in 8 groups; the first 3 are shown here, --most shows more"
    assert told in done.out
    page = Page(html.read_text(encoding="utf-8"))
    assert told in page.text
    assert [f"a-0{number}.jpg" in page.text for number in range(8)] == [True] * 3 + [False] * 5


def test_the_page_replaces_nothing_else(twinlens: Twinlens, full_uri: str, shared_photos: Path, tmp_path: Path) -> None:
    """A photograph, or a folder that is not there, is named in one line, and stays as it was."""
    beside = tmp_path / "copies.html.tmp"
    beside.write_text("mine")
    photo = shutil.copy(shared_photos / "a-00.jpg", tmp_path / "a.html")
    before = Path(photo).read_bytes()
    done = twinlens("groups", "--uri", full_uri, "--html", photo)
    assert (done.code, Path(photo).read_bytes()) == (2, before)
    assert (
        done.err
        == f"twinlens: {photo} is there and is no page of groups; name another file, or delete that one first\n"
    )
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "copies.html")
    assert twinlens("groups", "--uri", full_uri, "--html", link).code == 0
    assert (link.is_symlink(), (tmp_path / "copies.html").is_file(), beside.read_text()) == (True, True, "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "copies.html", "copies.html.tmp", "link.html"]
    absent = twinlens("groups", "--uri", full_uri, "--html", tmp_path / "none/a.html")
    assert absent.code == 2
    assert (
        absent.err == f"twinlens: cannot write {tmp_path}/none/a.html: No such file or directory; name another file\n"
    )


def test_an_original_that_is_gone_is_told(twinlens: Twinlens, archive: Path, tmp_path: Path) -> None:
    """Whose original was deleted since is the last of its kind: lines, rows and page say so."""
    uri, html = tmp_path / "a.db", tmp_path / "copies.html"
    twinlens("ingest", archive, "--uri", uri)
    (archive / TITLE).unlink()
    assert f"{archive}/{TITLE}, which is gone\n" in twinlens("groups", "--uri", uri).out
    (row,) = twinlens("groups", "--uri", uri, "--json").rows
    assert row["original_is_there"] is False
    twinlens("groups", "--uri", uri, "--html", html)
    assert "<em>, which is gone</em>" in html.read_text(encoding="utf-8")


def test_a_copy_that_is_gone_is_told(twinlens: Twinlens, archive: Path, tmp_path: Path) -> None:
    """Who deletes a copy by the page sees that it is gone, at once, and not as something to do."""
    uri = tmp_path / "a.db"
    twinlens("ingest", archive, "--uri", uri)
    (archive / "same.jpg").unlink()
    assert f"{archive}/same.jpg, which is gone  (same bytes)\n" in twinlens("groups", "--uri", uri).out
    (row,) = twinlens("groups", "--uri", uri, "--json").rows
    assert [(Path(copy["uri"]).name, copy["is_there"]) for copy in row["copies"]] == [
        ("same.jpg", False),
        ("zrelit.png", True),
    ]


def test_options_that_do_not_go_together_are_refused(twinlens: Twinlens, full_uri: str, tmp_path: Path) -> None:
    """A page is no JSON, and only a page has a limit."""
    assert twinlens("groups", "--uri", full_uri, "--json", "--html", tmp_path / "a.html").code == 2
    assert twinlens("groups", "--uri", full_uri, "--most", 3).code == 2
    assert not (tmp_path / "a.html").exists()


def test_without_pictures_the_page_has_links(twinlens: Twinlens, archive: Path, tmp_path: Path) -> None:
    """A collection without the second look keeps no pictures; the page names the files and leads to them."""
    uri, html = tmp_path / "a.db", tmp_path / "copies.html"
    twinlens("ingest", archive, "--uri", uri, "--no-second-look")
    twinlens("groups", "--uri", uri, "--html", html)
    page = Page(html.read_text(encoding="utf-8"))
    assert (page.pictures, len(page.links)) == ([], 3)


def test_a_collection_without_copies_has_no_groups(twinlens: Twinlens, shared_photos: Path, tmp_path: Path) -> None:
    """Where nothing is there twice, the sum alone is told."""
    uri = tmp_path / "a.db"
    twinlens("ingest", shared_photos / "a-00.jpg", "--uri", uri)
    assert twinlens("groups", "--uri", uri).out == "1 image: 1 original, 0 copies of them\n"
    assert twinlens("groups", "--uri", uri, "--json").out == ""


def test_a_library_lists_groups(archive: Path, tmp_path: Path) -> None:
    """`Index.groups` yields the same."""
    with open_index(tmp_path / "a.db") as index:
        list(index.ingest([archive]))
        (group,) = index.groups()
    names = [Path(copy.uri).name for copy in group.copies]
    assert (Path(group.uri).name, group.original and group.original.uri, names) == (
        TITLE, group.uri, ["same.jpg", "zrelit.png"],
    )  # fmt: skip
