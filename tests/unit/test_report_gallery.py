"""The page of groups: where its links lead, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from indexer.records import Entry, Group
from indexer.report.gallery import _link, page
from indexer.report.groups import about_state


def entry(uri: str, original: str | None = None) -> Entry:
    """Return an entry without a picture."""
    vector = np.zeros(2, np.float32)
    return Entry(
        uri, "0" * 64, 1, 1, 4, 3, "JPEG", original, 0.001 if original else None, exact=False, descriptor=vector
    )


def text_of(copies: int) -> str:
    """Return the page of one group."""
    members = tuple(entry(f"/b{number}.jpg", "/a.jpg") for number in range(copies))
    return "".join(page([Group("/a.jpg", entry("/a.jpg"), members)], lambda _: {}, "Copies", "some"))


@pytest.mark.parametrize(("copies", "shown", "more"), [(1, 1, False), (100, 100, False), (1102, 100, True)])
def test_a_huge_group_is_cut_and_says_so(copies: int, shown: int, more: bool) -> None:
    """Of a placeholder that an archive holds a thousand times a hundred are shown, and the others are counted."""
    text = text_of(copies)
    assert text.count("<figure") == shown + 1
    assert ("<p>and 1,002 more</p>" in text) == more
    assert f"{copies:,} cop".replace(",", "") in text


@pytest.mark.parametrize(
    ("uri", "is_there", "link"),
    [
        ("/a b/ü#1?.jpg", True, "file:///a%20b/%C3%BC%231%3F.jpg"),
        ("/wow!/a.jpg", True, "file:///wow%21/a.jpg"),
        ("/gone.jpg", False, None),
        ("/a.tar!/b.jpg", None, None),
        ("https://host/a.jpg", None, "https://host/a.jpg"),
        ("https://host/a.zip!/b.jpg", None, None),
        ("s3://bucket/a.jpg", None, None),
        ("javascript:alert(1)", None, None),
        ("shop/4711", None, None),
    ],
)
def test_links_lead_where_a_browser_can_go(uri: str, is_there: bool | None, link: str | None) -> None:
    """Files that are there and web addresses are linked; archives' members, object stores, and mere names are not."""
    assert _link(uri, is_there=is_there) == link


def test_what_is_back_is_not_told_as_gone() -> None:
    """A file that a nightly run missed, and that is there now, is named without a word."""
    missed = replace(entry("/a.jpg"), missing_since=10**18)
    for there, told in ((True, ""), (False, ", gone since 2001-09-09"), (None, ", gone since 2001-09-09")):
        group = Group("/a.jpg", missed, (entry("/b.jpg", "/a.jpg"),), {"/a.jpg": there})
        assert about_state(group, "/a.jpg", missed) == told
    assert about_state(group, "/b.jpg", group.copies[0]) == ""


def test_a_group_without_its_original_is_shown() -> None:
    """Where the original's row is not there, its copies still are, under its name."""
    group = Group("/a.jpg", None, (entry("/b.jpg", "/a.jpg"),), {"/a.jpg": False})
    text = "".join(page([group], lambda _: {}, "Copies", "some"))
    assert "<h2>/a.jpg<em>, which is gone</em>, 1 copy</h2>" in text
    assert (text.count("<figure"), text.count('class="original"')) == (1, 0)
