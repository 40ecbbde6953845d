"""`twinlens import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from indexer.cli.options import (
    collection_options,
    encoder_options,
    report_options,
    rule_of,
    rule_options,
    tuning,
    where,
)
from indexer.errors import ConfigError


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@report_options
@collection_options
@click.option(
    "--judge", is_flag=True, help="Judge the images of an exported collection anew, in the order of the rows."
)
@rule_options
@encoder_options
def import_(files: tuple[Path, ...], uri: str, collection: str, judge: bool, **options: Any) -> int:  # noqa: ANN401
    """
    Bring a collection back from Parquet files, or judge descriptors that were made elsewhere.

    A FILE is what `twinlens export` wrote: its entries go as they are into a collection that is empty,
    or that holds part of them from an import that was cut short. Or it holds only descriptors: then each
    row is judged as `twinlens ingest` judges an image, in the order of the rows. Of a folder, all files
    in it that end in .parquet are taken, by name. docs/exchange.md tells which columns there are.

    \b
      twinlens import archive.parquet --uri http://host:19530
      twinlens import descriptors/ --report today.jsonl
    """  # noqa: D301 - click wants the character \b itself
    from indexer.cli.runs import Output, carry_out, code_of
    from indexer.exchange.collection import files_of
    from indexer.jobs import exchange
    from indexer.jobs.index import open_index

    found, place = files_of(files), where(uri, collection)
    output = Output.of(options, lambda: sum(file.rows for file in found))
    if exchange.are_collections(found) and not judge:
        _refuse_rule(options)
        store = exchange.open_for(found, place)
        try:
            return code_of(carry_out(exchange.restore(found, store, place), output))
        finally:
            store.close()
    encoder = {name: options[name] for name in ("weights", "device")}
    with open_index(place, **rule_of(options), **encoder) as index:
        return code_of(carry_out(exchange.judge(found, index, tuning(options)), output))


def _refuse_rule(options: dict[str, Any]) -> None:
    """Refuse what would decide on copies where none are judged."""
    given = {
        "--radius": options["radius"] is not None,
        "--no-second-look": options["no_second_look"],
        "--strict": options["strict"],
    }
    for option in (name for name, is_given in given.items() if is_given):
        raise ConfigError(
            f"{option} is for images that are judged, and an exported collection comes back as it was;"
            f" leave out {option}, or judge the images anew with --judge"
        )
