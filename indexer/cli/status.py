"""`twinlens status`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from indexer.cli.options import collection_options, where
from indexer.records import Counts, Settings


@click.command()
@collection_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(uri: str, collection: str, as_json: bool) -> None:
    """Show what the collection is and how many images it holds."""
    from indexer.jobs.index import open_entries
    from indexer.report.text import about_counts
    from indexer.store.door import shown

    store = open_entries(where(uri, collection))
    try:
        counts, missing, settings = store.count(), store.missing(), store.settings
    finally:
        store.close()
    if as_json:
        row = {"uri": shown(uri), "collection": collection, "images": counts.total} | asdict(counts)
        row |= {"missing": missing} | asdict(settings)
        click.echo(json.dumps(row | {"advice": advice(uri, counts)}))
        return
    click.echo(f"collection   {collection} in {shown(uri)}")
    click.echo(f"images       {counts.total}: {about_counts(counts.originals, counts.copies)}")
    if missing:
        click.echo(f"gone         {missing} of them: their files were not there when a nightly run last looked")
    click.echo(f"radius       {settings.radius:g} (Euclidean)")
    click.echo(f"second look  {_about_look(settings)}")
    click.echo(f"encoder      {settings.fingerprint}, {settings.dim} dimensions")
    told = advice(uri, counts)
    if told:
        click.echo(f"advice       {told}")


def advice(uri: str, counts: Counts) -> str | None:
    """Return what to do about a Milvus Lite file that has grown too large; None when all is well."""
    from indexer.store.door import is_server
    from indexer.store.lite import SERVER_FROM

    if is_server(uri) or counts.total < SERVER_FROM:
        return None
    return (
        f"Milvus Lite slows down with {counts.total:,} images; run a Milvus server, and move the collection there:"
        " twinlens migrate --to http://…"
    )


def _about_look(settings: Settings) -> str:
    if not settings.second_look:
        return "no, the radius alone decides"
    score = f"a score of at least {settings.min_score:g}"
    if settings.strict:
        return f"strict: {score}, and at most {settings.max_changed * 100:g} % in one of two pictures only"
    return f"{score}; none is taken below distance {settings.inner_radius:.4f}"
