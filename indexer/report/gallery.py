"""A page of HTML that shows groups of copies side by side; it holds its pictures, and needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from urllib.parse import quote

from indexer.confirm import as_jpeg
from indexer.records import Entry, Group
from indexer.report.groups import about_state, how_it_lies
from indexer.report.text import printable, said
from indexer.sources.naming import MEMBER_MARK

BEGINS = b"<!DOCTYPE html>\n<!-- Groups of copies, by Twinlens -->"
"""What every such page begins with."""

MOST_COPIES = 100
"""Copies of one original that are shown; a placeholder may have a hundred thousand."""

Pictures = Callable[[Sequence[Entry]], Mapping[str, bytes]]
"""Returns the thumbnails of entries, by URI."""

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { margin: 2em auto; max-width: 75em; padding: 0 1em }
section { border-top: 1px solid #8886; padding: .7em 0 }
h2 { font-size: 1em; margin: 0 0 .5em; overflow-wrap: anywhere }
div { display: flex; flex-wrap: wrap; gap: 1em }
figure { margin: 0; width: 11em }
img { display: block; max-width: 11em; max-height: 11em; border-radius: 3px }
figure.original img { outline: 3px solid #2a7de1 }
figcaption { font-size: .8em; overflow-wrap: anywhere; margin-top: .4em }
small { opacity: .7 }
em { color: #d33; font-style: normal }
"""


def page(groups: Iterable[Group], pictures: Pictures, title: str, summary: str) -> Iterator[str]:
    """Yield the parts of the page; *pictures* returns what the collection holds of some entries, by URI."""
    yield BEGINS.decode() + f'\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
    yield f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(summary)}</p>\n"
    for group in groups:
        yield _section(group, pictures)
    yield "</html>\n"


def _section(group: Group, pictures: Pictures) -> str:
    copies = group.copies[:MOST_COPIES]
    shown = [*([group.original] if group.original else []), *copies]
    held = pictures(shown)
    figures = "".join(_figure(group, entry, held.get(entry.uri)) for entry in shown)
    state = _alarming(about_state(group, group.uri, group.original))
    left = len(group.copies) - len(copies)
    more = f"<p>and {left:,} more</p>\n" if left else ""
    head = f"{_named(group.uri)}{state}, {said(len(group.copies), 'copy', 'copies')}"
    return f"<section>\n<h2>{head}</h2>\n<div>\n{figures}</div>\n{more}</section>\n"


def _figure(group: Group, entry: Entry, thumbnail: bytes | None) -> str:
    """Return the picture of a member of *group* with what is told of it; where there is none, only that."""
    data = base64.b64encode(as_jpeg(thumbnail)).decode() if thumbnail else ""
    image = f'<img src="data:image/jpeg;base64,{data}" alt="">' if data else ""
    link = _link(entry.uri, is_there=group.there.get(entry.uri))
    shown = f'<a href="{escape(link)}">{image or "open"}</a>' if link else image
    name = _named(entry.uri.rpartition("/")[2]) + _alarming(about_state(group, entry.uri, entry))
    words = f"{name}<br>{escape(', '.join(_told(entry)))}<br><small>{escape(_facts(entry))}</small>"
    kind = ' class="original"' if entry.is_original else ""
    return f'<figure{kind} title="{_named(entry.uri)}">{shown}<figcaption>{words}</figcaption></figure>\n'


def _told(entry: Entry) -> list[str]:
    return ["original"] if entry.is_original else [f"distance {entry.distance or 0.0:.4f}", *how_it_lies(entry)]


def _facts(entry: Entry) -> str:
    return f"{entry.format} {entry.width} x {entry.height}, {entry.size:,} bytes"


def _named(text: str) -> str:
    return escape(printable(text))


def _alarming(text: str) -> str:
    return f"<em>{escape(text)}</em>" if text else ""


def _link(uri: str, *, is_there: bool | None) -> str | None:
    """Return where a browser finds the image; None for what only programs reach, such as an archive's members."""
    if is_there:
        return "file://" + quote(uri)
    return uri if uri.startswith(("http://", "https://")) and MEMBER_MARK not in uri else None
