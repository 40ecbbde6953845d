"""`twinlens export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from indexer import interrupt
from indexer.cli.options import collection_options, where


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@collection_options
@click.option("--no-thumbnails", is_flag=True, help="Leave the thumbnails out: smaller, but it cannot be imported.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(file: Path, uri: str, collection: str, no_thumbnails: bool, as_json: bool) -> None:
    """
    Write the whole collection to a Parquet file, for analysis or for `twinlens import`.

    A row for each image, with its verdict and its descriptor; a FILE that is there is replaced when the
    new one is whole.

    \b
      twinlens export archive.parquet
      python -c 'import pandas; print(pandas.read_parquet("archive.parquet").groupby("outcome").size())'
    """  # noqa: D301 - click wants the character \b itself
    from indexer.jobs.exchange import export as carry_out
    from indexer.jobs.index import open_entries
    from indexer.report.progress import counted
    from indexer.report.text import said

    store = open_entries(where(uri, collection))
    try:
        total = store.count().total
        interrupt.is_raised()
        count = carry_out(store, file, lambda entries: counted(entries, total), thumbnails=not no_thumbnails)
    finally:
        store.close()
    size = file.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(file), "images": count, "bytes": size}, ensure_ascii=False))
    else:
        click.echo(f"{said(count, 'image', 'images')}, {size:,} bytes: {file}")
