"""`twinlens query`."""

from __future__ import annotations

from typing import Any

import click

from indexer.cli.options import collection_options, encoder_options, look_option, source_options, tuning, where
from indexer.errors import ExitCode


@click.command()
@source_options
@collection_options
@click.option("--exit-code", "tell", is_flag=True, help="Exit with 10 when a copy was found.")
@look_option
@encoder_options
def query(sources: tuple[str, ...], uri: str, collection: str, tell: bool, **options: Any) -> int:  # noqa: ANN401
    """
    Tell whether images are copies of what the collection holds; nothing is stored.

    Each image is judged on its own, as if it were ingested next. A file that is in the collection
    itself is `unchanged`, with the original that it was found to be a copy of.

    \b
      twinlens query upload.jpg --exit-code; [ $? -eq 10 ] && echo "we have that one"
    """  # noqa: D301 - click wants the character \b itself
    from indexer.cli.runs import Output, carry_out, code_of
    from indexer.jobs.index import open_index
    from indexer.sources import check_sources, counter

    how = tuning(options)
    check_sources(sources)
    place = where(uri, collection)
    with open_index(place, create=False, weights=options["weights"], device=options["device"]) as index:
        run = index.query(sources, how, second_look=not options["no_second_look"])
        summary = carry_out(run, Output.of(options, counter(sources, how.sources)))
    return ExitCode.COPY_FOUND if tell and summary.copy else code_of(summary)
