"""`twinlens groups`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer import interrupt
from indexer.cli.options import collection_options, where
from indexer.errors import ConfigError

if TYPE_CHECKING:
    from indexer.records import Group
    from indexer.store.base import Store


@click.command()
@collection_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, one for each group.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page that shows them instead.")
@click.option("--most", type=click.IntRange(1), default=1000, show_default=True, help="Groups on that page, at most.")
def groups(uri: str, collection: str, as_json: bool, html: Path | None, most: int) -> None:
    """
    List what the collection holds several times: each original that has copies, and these.

    The page that --html writes shows them side by side, in small; it holds its pictures, and a click
    opens the file. An earlier page is replaced.

    \b
      twinlens groups --html copies.html
      twinlens groups --json | jq -r '.copies[].uri'
    """  # noqa: D301 - click wants the character \b itself
    from indexer.jobs.groups import groups as read  # noqa: PLC0415 - as above
    from indexer.jobs.groups import originals_with_copies  # noqa: PLC0415 - heavy, and not needed for --help
    from indexer.jobs.index import open_entries  # noqa: PLC0415 - as above
    from indexer.report.gallery import BEGINS  # noqa: PLC0415 - as above
    from indexer.targets import check_replaceable  # noqa: PLC0415 - as above

    if html:
        check_replaceable(html, begins=BEGINS, kind="page of groups")
    store = open_entries(where(uri, collection))
    try:
        interrupt.is_raised()
        originals = originals_with_copies(store)
        if html:
            _write(html, read(store, originals[:most]), _summary(store, len(originals)), len(originals), most)
        else:
            _print(read(store, originals), _summary(store, len(originals)), as_json=as_json)
    finally:
        store.close()


def _summary(store: Store, count: int) -> str:
    from indexer.report.text import about_counts, said  # noqa: PLC0415 - as above

    counts = store.count()
    images = said(counts.total, "image", "images")
    told = f"{images}: {about_counts(counts.originals, counts.copies)}"
    return f"{told}, in {said(count, 'group', 'groups')}" if count else told


def _print(read: Iterator[Group], summary: str, *, as_json: bool) -> None:
    from indexer.report.groups import group_lines, group_row  # noqa: PLC0415 - as above
    from indexer.report.jsonl import line  # noqa: PLC0415 - as above

    for group in read:
        click.echo(line("group", group_row(group)) if as_json else "\n".join(group_lines(group)))
    if not as_json:
        click.echo(summary)


def _write(path: Path, read: Iterator[Group], summary: str, count: int, most: int) -> None:
    from indexer.report.atomic import write_parts  # noqa: PLC0415 - as above
    from indexer.report.gallery import page  # noqa: PLC0415 - as above
    from indexer.report.progress import counted  # noqa: PLC0415 - as above

    left = f"; the first {most:,} are shown here, --most shows more" if count > most else ""
    try:
        write_parts(path, page(counted(read, min(count, most)), "Copies", summary + left))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name another file") from error
    click.echo(f"{summary}{left}: {path}")
