"""`twinlens migrate`."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from indexer import interrupt
from indexer.cli.options import (
    collection_options,
    encoder_options,
    pixels_option,
    report_options,
    target,
    tuning,
    where,
)
from indexer.errors import ExitCode

if TYPE_CHECKING:
    from indexer.jobs.index import Where
    from indexer.jobs.reencode import Plan

_OF_A_COPY = ("uri", "collection", "to", "to_collection", "as_json")
"""Parameters that mean something without --re-encode."""


@click.command()
@collection_options
@click.option("--to", metavar="URI", help="Where the collection is to go.  [the same place]")
@click.option("--to-collection", metavar="NAME", help="What it is to be called there.  [as it is]")
@click.option(
    "--re-encode", is_flag=True, help="Read all images again, for the encoder of this Twinlens, or --weights."
)
@click.option(
    "--without-missing", is_flag=True, help="With --re-encode: switch, although files are gone or unreadable."
)
@click.option("--radius", type=float, help="With --re-encode: the radius of the new collection.  [0.01]")
@report_options
@pixels_option
@encoder_options
def migrate(uri: str, collection: str, to: str | None, to_collection: str | None, **options: Any) -> int:  # noqa: ANN401
    """
    Copy the collection to another Milvus, or encode it anew with another encoder.

    A copy is compared with what it was made of; that one is never changed. Run it again to go on after
    an interruption. The token of another server is in the environment variable TWINLENS_TO_TOKEN.

    With --re-encode, each image is read again from where it was, judged into a new collection, and then
    the collection's name is switched to that; the old one is kept under another name until you drop it.
    If files are gone or unreadable, they are named, and nothing is switched without --without-missing.

    \b
      twinlens migrate --uri archive.db --to http://host:19530
      twinlens migrate --re-encode
    """  # noqa: D301 - click wants the character \b itself
    place = where(uri, collection)
    there = target(place, to, to_collection) if to or to_collection else None
    if options["re_encode"]:
        return _encode_anew(place, there, options)
    if there is None:
        raise click.UsageError("say where the collection is to go (--to, --to-collection), or pass --re-encode")
    _refuse_options_of_encoding()
    return _copy(place, there, as_json=options["as_json"])


def _refuse_options_of_encoding() -> None:
    """Refuse what a copy has no use for, instead of leaving it out in silence."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in _OF_A_COPY:
            raise click.UsageError(f"{option.opts[0]} is for --re-encode; leave it out, or pass --re-encode")


def _copy(place: Where, there: Where, *, as_json: bool) -> int:
    from indexer.jobs.index import open_entries
    from indexer.jobs.migrate import migrate as carry_out
    from indexer.jobs.migrate import open_target
    from indexer.report.progress import counted
    from indexer.report.text import said
    from indexer.store.door import shown

    name = f"the collection {there.collection} at {shown(there.uri)}"
    interrupt.is_raised()
    with closing(open_entries(place)) as source, closing(open_target(source, place, there)) as goal:
        total = source.count().total
        moved = carry_out(source, goal, name, lambda entries: counted(entries, total))
    if as_json:
        click.echo(json.dumps({"type": "summary"} | asdict(moved)))
    else:
        click.echo(f"{said(moved.images, 'image is', 'images are')} in {name}, {moved.written} of them new")
        click.echo(f"{moved.compared} compared bit by bit, {moved.distances} distances computed anew: all agree")
    return ExitCode.DONE


def _encode_anew(place: Where, there: Where | None, options: dict[str, Any]) -> int:
    from indexer.cli.runs import Output, carry_out, code_of
    from indexer.encode import load
    from indexer.jobs import reencode
    from indexer.jobs.index import open_entries

    encoder = load(options["weights"], options["device"])
    made = reencode.plan(place, encoder, options["radius"], there)
    if made.done:
        click.echo(
            f"the collection {place.collection} is of {encoder.spec.fingerprint} already: nothing to do", err=True
        )
        return ExitCode.DONE
    interrupt.is_raised()
    code = ExitCode.DONE
    if made.old:
        with closing(open_entries(place)) as old, reencode.open_new(made, encoder) as index:
            run = reencode.encode_anew(old, index, tuning(options))
            code = code_of(carry_out(run, Output.of(options, lambda: old.count().total)))
            lacking = reencode.absent(old, index)
            if lacking and not options["without_missing"]:
                _say_what_is_lacking(made, lacking)
                return ExitCode.REJECTED
            _switch(made, as_json=options["as_json"])  # while nobody else may write to either
    else:
        _switch(made, as_json=options["as_json"])
    return code


def _switch(made: Plan, *, as_json: bool) -> None:
    from indexer.jobs import reencode

    if made.switches:
        reencode.give_name(made)
        _say_what_was_switched(made, as_json=as_json)


def _say_what_is_lacking(made: Plan, lacking: int) -> None:
    click.echo(
        f"twinlens: the new collection {made.new.collection} lacks {lacking} images of {made.place.collection}, which"
        " stays as it is; bring their files back and run again, or pass --without-missing",
        err=True,
    )


def _say_what_was_switched(made: Plan, *, as_json: bool) -> None:
    told = {"collection": made.place.collection, "stands_for": made.new.collection, "kept_as": made.keep_as or None}
    if as_json:
        click.echo(json.dumps({"type": "switch"} | told))
        return
    kept = f"; the old one is kept as {made.keep_as}" if made.keep_as else ""
    click.echo(f"{made.place.collection} now stands for {made.new.collection}{kept}")
