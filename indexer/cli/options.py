"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from indexer.errors import ConfigError

if TYPE_CHECKING:
    from indexer.jobs.index import Tuning, Where

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


collection_options = _all(
    click.option(
        "--uri",
        envvar="TWINLENS_URI",
        default="twinlens.db",
        show_default=True,
        help="Milvus Lite folder (ends in .db) or server address.  [env: TWINLENS_URI]",
    ),
    click.option("--collection", default="images", show_default=True, help="Name of the collection."),
)

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: every image, then the summary.")
_THREADS = click.option(
    "--threads", type=click.IntRange(1), default=None, help="Threads that encode.  [default: all cores]"
)
_REPORT: tuple[Callable[[Any], Any], ...] = (
    _JSON,
    click.option("--report", type=click.Path(dir_okay=False), help="Write the same JSON Lines to this file."),
    click.option("--verbose", "-v", is_flag=True, help="Also print the images that are no copies."),
    _THREADS,
    click.option(
        "--batch-size",
        type=click.IntRange(1, 4096),
        default=512,
        show_default=True,
        help="Images per search.",
    ),
)

report_options = _all(*_REPORT)

pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=200_000_000,
    show_default=True,
    help="Reject images with more pixels.",
)

_SOURCES: tuple[Callable[[Any], Any], ...] = (
    click.argument("sources", nargs=-1, required=True, metavar="SOURCE…"),
    click.option("--include", multiple=True, metavar="PATTERN", help="Take only these (as in .gitignore)."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave these out (as in .gitignore)."),
    click.option("-0", "--null", is_flag=True, help="With source -: paths end in NUL, not in a newline."),
)

source_options = _all(*_SOURCES, *_REPORT, pixels_option)

unjudged_source_options = _all(*_SOURCES, _JSON, _THREADS, pixels_option)

encoder_options = _all(
    click.option("--weights", type=click.Path(), help="Another encoder's file (see `python -m model`)."),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to encode.",
    ),
)


look_option = click.option(
    "--no-second-look",
    is_flag=True,
    help="Let the radius alone decide, without looking at the pictures again; to ingest, for a new collection.",
)

rule_options = _all(
    click.option("--radius", type=float, help="Distance below which images are copies, for a new collection.  [0.01]"),
    look_option,
    click.option(
        "--strict",
        is_flag=True,
        help="Take pictures for different where a spot of the part that both show is in one only, as a logo or a thing"
        " that moved; for a new collection.",
    ),
)


def rule_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what rule_options say, as `open_index` takes it: None leaves it to a collection that is there."""
    second_look = False if options["no_second_look"] else None
    return {"radius": options["radius"], "second_look": second_look, "strict": options["strict"] or None}


def where(uri: str, collection: str) -> Where:
    """
    Return the place that the options name; how it is reached comes from the environment alone.

    Raises:
        ConfigError: TWINLENS_TIMEOUT is no number of seconds above 0.
    """
    from indexer.jobs.index import Where
    from indexer.store.access import Tls

    tls = {name: os.environ.get(f"TWINLENS_TLS_{name.upper()}", "") for name in ("ca", "cert", "key", "name")}
    place = Where(uri, collection, os.environ.get("TWINLENS_TOKEN"), tls=Tls(**tls))
    return replace(place, timeout_s=_seconds("TWINLENS_TIMEOUT", place.timeout_s))


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{variable} is {text!r}; set it to seconds above 0, or unset it")
    return seconds


def target(place: Where, uri: str | None, collection: str | None) -> Where:
    """Return the place that --to and --to-collection name; another server's token is in TWINLENS_TO_TOKEN."""
    from indexer.jobs.migrate import same_place
    from indexer.store.access import Tls

    there = replace(place, uri=uri or place.uri, collection=collection or place.collection)
    if same_place(place, there):
        return there
    return replace(there, token=os.environ.get("TWINLENS_TO_TOKEN"), tls=Tls(ca=place.tls.ca))


def tuning(options: dict[str, Any]) -> Tuning:
    """Return what the source options, or the report options alone, say."""
    from indexer.decode import MAX_PIXELS
    from indexer.jobs.index import Tuning
    from indexer.sources import SourceOptions
    from indexer.stream import Limits
    from model.cores import usable_cores

    limits = Limits(workers=options["threads"] or usable_cores(), batch=options.get("batch_size", 512))
    chosen = {"include": "include", "exclude": "exclude", "null_separated": "null"}
    sources = SourceOptions(**{name: options[option] for name, option in chosen.items() if option in options})
    return Tuning(limits, options.get("max_pixels", MAX_PIXELS), sources)
