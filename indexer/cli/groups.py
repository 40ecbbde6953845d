"""`twinlens groups`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TextIO

import click

from indexer import interrupt
from indexer.cli.options import collection_options, where
from indexer.errors import ConfigError

if TYPE_CHECKING:
    from indexer.records import Group
    from indexer.store.base import Store

_MOST = 1000


@click.command()
@collection_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, one for each group.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that shows them instead.")
@click.option("--most", type=click.IntRange(1), help=f"Groups on that page, at most.  [default: {_MOST}]")
def groups(uri: str, collection: str, as_json: bool, html: Path | None, most: int | None) -> None:
    """
    List what the collection holds several times: each original that has copies, and these.

    The page that --html writes shows them side by side, in small; it holds its pictures, and a click
    opens the file. An earlier page is replaced.

    \b
      twinlens groups --html copies.html
      twinlens groups --json | jq -r '.copies[].uri'
    """  # noqa: D301 - click wants the character \b itself
    from indexer.jobs.index import open_entries
    from indexer.report.gallery import BEGINS
    from indexer.targets import check_replaceable, is_special

    if html and as_json:
        raise click.UsageError("--html writes a page, --json prints; choose one of the two")
    if most and not html:
        raise click.UsageError("--most is for the page; name one with --html")
    path = html if html is None or is_special(html) else html.resolve()
    if path and not is_special(path):
        check_replaceable(path, begins=BEGINS, kind="page of groups")
    store = open_entries(where(uri, collection))
    with TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", newline="") as said:
        try:
            interrupt.is_raised()
            if path:
                _write(path, store, most or _MOST, said)
            else:
                _list(store, said, as_json=as_json)
        finally:
            store.close()  # before anything is printed: nobody knows how long that is read
        said.seek(0)
        shutil.copyfileobj(said, sys.stdout)


def _list(store: Store, out: TextIO, *, as_json: bool) -> None:
    from indexer.jobs.groups import groups, originals_with_copies
    from indexer.report.groups import group_lines, group_row
    from indexer.report.jsonl import line

    def told(group: Group) -> str:
        return (line("group", group_row(group)) if as_json else "\n".join(group_lines(group))) + "\n"

    originals = originals_with_copies(store)
    out.writelines(map(told, _counted(groups(store, originals), len(originals))))
    if not as_json:
        out.write(_summary(store, len(originals)) + "\n")


def _write(path: Path, store: Store, most: int, out: TextIO) -> None:
    from indexer.jobs.groups import groups, originals_with_copies, thumbnails
    from indexer.report.atomic import write_parts
    from indexer.report.gallery import page
    from indexer.targets import is_special

    originals = originals_with_copies(store)
    left = f"; the first {most:,} are shown here, --most shows more" if len(originals) > most else ""
    summary = _summary(store, len(originals)) + left
    shown = _counted(groups(store, originals[:most]), min(len(originals), most))
    parts = page(shown, lambda entries: thumbnails(store, entries), "Copies", summary)
    try:
        if is_special(path):
            with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(parts)
            return
        write_parts(path, parts)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name another file") from error
    out.write(f"{summary}: {path}\n")


def _counted(groups: Iterator[Group], total: int) -> Iterator[Group]:
    from indexer.report.progress import counted

    return counted(groups, total, " groups")


def _summary(store: Store, count: int) -> str:
    from indexer.report.text import about_counts, said

    counts = store.count()
    images = said(counts.total, "image", "images")
    told = f"{images}: {about_counts(counts.originals, counts.copies)}"
    return f"{told}, in {said(count, 'group', 'groups')}" if count else told
