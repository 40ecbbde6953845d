"""A page of HTML that shows groups of copies side by side; it holds its pictures, and needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from indexer.confirm import as_jpeg
from indexer.records import Entry, Group
from indexer.report.groups import about_state, how_it_lies
from indexer.report.text import about_gone, printable, said
from indexer.sources.naming import MEMBER_MARK

BEGINS = b"<!DOCTYPE html>\n<!-- Groups of copies, by Twinlens -->"
"""What every such page begins with."""

_MOST = 100
"""Copies of one original that are shown; a placeholder may have a hundred thousand."""

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { margin: 2em auto; max-width: 75em; padding: 0 1em }
section { border-top: 1px solid #8886; padding: .7em 0 }
h2 { font-size: 1em; margin: 0 0 .5em; overflow-wrap: anywhere }
div { display: flex; flex-wrap: wrap; gap: 1em }
figure { margin: 0; width: 11em }
img { display: block; max-width: 11em; max-height: 11em; border-radius: 3px }
figure:first-child img { outline: 3px solid #2a7de1 }
figcaption { font-size: .8em; overflow-wrap: anywhere; margin-top: .4em }
small { opacity: .7 }
em { color: #d33; font-style: normal }
"""


def page(groups: Iterable[Group], title: str, summary: str) -> Iterator[str]:
    """Yield the parts of the page."""
    yield BEGINS.decode() + f'\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
    yield f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n<p>{escape(summary)}</p>\n"
    for group in groups:
        yield _section(group)
    yield "</html>\n"


def _section(group: Group) -> str:
    head = f"{_named(group.uri)}{_alarming(about_state(group))}, {said(len(group.copies), 'copy', 'copies')}"
    figures = [] if group.original is None else [_figure(group.original, ["original"], "")]
    figures += [_figure(copy, _about(copy), about_gone(copy.missing_since)) for copy in group.copies[:_MOST]]
    more = f"<p>and {len(group.copies) - _MOST:,} more</p>\n" if len(group.copies) > _MOST else ""
    return f"<section>\n<h2>{head}</h2>\n<div>\n{''.join(figures)}</div>\n{more}</section>\n"


def _about(copy: Entry) -> list[str]:
    return [f"distance {copy.distance or 0.0:.4f}", *how_it_lies(copy)]


def _figure(entry: Entry, told: list[str], gone: str) -> str:
    """Return a picture with what is told of it; where the collection keeps none, only that."""
    source = f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(entry.thumbnail)).decode()}" if entry.thumbnail else ""
    image = f'<img src="{source}" alt="">' if source else ""
    link = _link(entry.uri)
    shown = f'<a href="{escape(link)}">{image or "open"}</a>' if link else image
    facts = f"{entry.format} {entry.width} x {entry.height}, {entry.size:,} bytes"
    name = f"{_named(entry.uri.rpartition('/')[2])}{_alarming(gone)}"
    words = f"{name}<br>{escape(', '.join(told))}<br><small>{escape(facts)}</small>"
    return f'<figure title="{_named(entry.uri)}">{shown}<figcaption>{words}</figcaption></figure>\n'


def _named(text: str) -> str:
    return escape(printable(text))


def _alarming(text: str) -> str:
    return f"<em>{escape(text)}</em>" if text else ""


def _link(uri: str) -> str | None:
    """Return where a browser finds the image; None for what only programs reach, such as an archive's members."""
    if uri.startswith(("http://", "https://")):
        return uri
    if not uri.startswith("/") or MEMBER_MARK in uri:
        return None
    return "file://" + quote(uri, errors="surrogateescape")
