"""`twinlens show`."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from indexer.cli.options import collection_options, where
from indexer.errors import ConfigError
from indexer.records import Entry, Verdict
from indexer.report.text import about_gone, about_look, about_lookalike, about_original, printable, said
from indexer.verdict import verdict_on


@click.command()
@click.argument("uri_or_path", metavar="URI")
@collection_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(uri_or_path: str, uri: str, collection: str, as_json: bool) -> None:
    """
    Show the record of one image, and its group.

    URI is a path, an archive's member (a.tar!/b.jpg) or a URL, as reports print it.
    """
    from indexer.jobs.index import group_of, open_entries
    from indexer.sources import address

    image = address(uri_or_path)
    store = open_entries(where(uri, collection))
    try:
        entry = store.get([image]).get(image)
        if entry is None:
            raise ConfigError(f"{printable(image)} is not in the collection {collection}; ingest it, or check its name")
        group = group_of(store, entry)
    finally:
        store.close()
    click.echo(json.dumps(_row(entry, group), ensure_ascii=False) if as_json else _text(entry, group))


def _row(entry: Entry, group: list[Entry]) -> dict[str, object]:
    members = [
        {"uri": e.uri, "distance": e.distance or 0.0, "exact": e.exact, "missing_since": e.missing_since} for e in group
    ]
    facts = {"mtime_ns": entry.mtime_ns, "format": entry.format, "missing_since": entry.missing_since}
    return _verdict(entry, group).as_row() | facts | {"group": members}


def _verdict(entry: Entry, group: list[Entry]) -> Verdict:
    """Return the verdict on *entry*, a member of *group*, with what became of its original."""
    from indexer.sources import is_as_indexed, is_kept

    original = next((member for member in group if member.uri == entry.original), None)
    if original is None:
        return verdict_on(entry)
    there = is_as_indexed(original.uri, original.size, original.mtime_ns)
    kept = is_kept(there, original.uri, [entry.uri])
    return replace(verdict_on(entry), original_missing_since=original.missing_since, original_is_there=kept)


def _text(entry: Entry, group: list[Entry]) -> str:
    verdict = _verdict(entry, group)
    role = f"a copy of {printable(entry.original or '')}{about_original(verdict)}"
    seen = about_look(verdict) if entry.look else about_lookalike(verdict)
    lines = [
        f"image     {_name(entry)}",
        f"is        {'an original' if entry.is_original else role}",
        f"picture   {entry.format} {entry.width} x {entry.height}, {entry.size} bytes",
        f"sha256    {entry.sha256}",
        *([f"look      {seen}"] if seen else []),
        f"group     {said(len(group), 'image', 'images')}, distances to the original:",
    ]
    return "\n".join([*lines, *(_member(member) for member in group)])


def _member(entry: Entry) -> str:
    note = " same bytes" if entry.exact and not entry.distance else ""
    return f"  {entry.distance or 0.0:.4f}  {_name(entry)}{note}"


def _name(entry: Entry) -> str:
    return printable(entry.uri) + about_gone(entry.missing_since)
