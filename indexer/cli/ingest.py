"""`twinlens ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from indexer.cli.options import (
    collection_options,
    encoder_options,
    rule_of,
    rule_options,
    source_options,
    tuning,
    where,
)


@click.command()
@source_options
@collection_options
@rule_options
@encoder_options
def ingest(sources: tuple[str, ...], uri: str, collection: str, **options: Any) -> int:  # noqa: ANN401
    """
    Read images, find the copies among them and in the collection, and store them all.

    A SOURCE is an image, a folder (with all that is in it), a .tar (also .gz .xz .bz2 .zst) or .zip
    that is read without unpacking, one member of it (a.tar!/b.jpg), a URL such as s3://bucket/prefix,
    or - for a list of such paths on standard input.

    Copies and rejected images are printed as they are found; run it again at any time: what is
    unchanged is not read again, what was cut short goes on.

    \b
      twinlens ingest photos/ --exclude 'thumbs/' --report today.jsonl
      find . -name '*.png' -print0 | twinlens ingest -0 -
    """  # noqa: D301 - click wants the character \b itself
    from indexer.cli.runs import Output, carry_out, code_of
    from indexer.jobs.index import open_index
    from indexer.sources import check_sources, counter

    how = tuning(options)
    check_sources(sources)
    place = where(uri, collection)
    encoder = {name: options[name] for name in ("weights", "device")}
    with open_index(place, **rule_of(options), **encoder) as index:
        run = index.ingest(sources, how)
        summary = carry_out(run, Output.of(options, counter(sources, how.sources)))
    if not summary.seen:
        _point_to_import(sources)
    return code_of(summary)


def _point_to_import(sources: tuple[str, ...]) -> None:
    """Say how those *sources* are judged that `twinlens encode` made."""
    from indexer.exchange.shards import path_of

    for source in sources:
        if path_of(Path(source), 0).is_file():
            click.echo(f"twinlens: {source} holds descriptors; judge them with: twinlens import {source}", err=True)
