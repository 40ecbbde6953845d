"""`twinlens encode`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer import interrupt
from indexer.cli.options import encoder_options, tuning, unjudged_source_options
from indexer.errors import ConfigError, ExitCode, SourceError

if TYPE_CHECKING:
    from indexer.encode import Encoder
    from indexer.exchange.shards import Encoded
    from indexer.jobs.encoding import Encode
    from indexer.jobs.index import Tuning
    from indexer.records import Settings


@click.command()
@unjudged_source_options
@click.option(
    "--out", required=True, metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), help="Of the files."
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Images of one file. A run that is cut short keeps whole files alone.",
)
@click.option("--no-second-look", is_flag=True, help="Leave the thumbnails out, for a collection without second look.")
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Encode on the Ray cluster at host:port, or on processes of this machine: local.",
)
@encoder_options
def encode(sources: tuple[str, ...], out: Path, shard_size: int, **options: Any) -> int:  # noqa: ANN401
    """
    Decode and encode images without a database, into Parquet files that import judges.

    SOURCEs are those of ingest. The files part-000000.parquet … in FOLDER hold the images in the order of
    the sources; `twinlens import FOLDER` then gives the verdicts that an ingest of the sources would have
    given. Rejected images are printed, and named again by import.

    Run it again to go on: what is in a finished file and untouched since is not read again; of a file
    that was not finished, all is.

    With --ray the workers of a cluster read, decode and encode, each in a process of its own (at most
    --threads of them); the files and their order are the same.

    \b
      twinlens encode photos/ --out descriptors/
      twinlens encode s3://bucket/photos --out descriptors/ --ray head:6379
      twinlens import descriptors/
    """  # noqa: D301 - click wants the character \b itself
    from indexer.encode import load
    from indexer.jobs.encoding import Shards, prepare
    from indexer.jobs.index import settings_for
    from indexer.report.progress import counted
    from indexer.sources import check_sources, open_items

    how = tuning(options)
    check_sources(sources)
    prepare(out)
    encoder = load(options["weights"], _device(options))
    settings = settings_for(encoder.spec, None, not options["no_second_look"])
    with _encoding(encoder, settings, how, options) as work:
        shards = Shards(out, settings, work, shard_size)
        interrupt.is_raised()
        with _saying_what_is_kept(out):
            for image in counted(shards.fill(open_items(sources, how.sources)), None):
                _print(image, as_json=options["as_json"])
    _sum_up(asdict(shards.sums), out, as_json=options["as_json"])
    return ExitCode.REJECTED if shards.sums.rejected else ExitCode.DONE


def _device(options: dict[str, Any]) -> Any:  # noqa: ANN401 - what click has checked
    """Return where to encode; on a cluster always on CPUs, so that its machines give the same bits."""
    if options["ray"] is None:
        return options["device"]
    if options["device"] == "cuda":
        raise ConfigError("--ray encodes on CPUs; leave out --device cuda, or --ray")
    return "cpu"


def _encoding(
    encoder: Encoder, settings: Settings, how: Tuning, options: dict[str, Any]
) -> AbstractContextManager[Encode]:
    if options["ray"] is None:
        from indexer.jobs.encoding import here

        return nullcontext(here(settings, encoder, how))
    from indexer.jobs.cluster import Recipe, on_cluster

    weights = options["weights"] and str(Path(options["weights"]).absolute())
    return on_cluster(options["ray"], Recipe(settings, weights, how.max_pixels), options["threads"])


@contextmanager
def _saying_what_is_kept(out: Path) -> Iterator[None]:
    """Say on Ctrl-C what the same command will find done: files appear when they are whole."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(SourceError):  # a damaged file is the next run's to report
            click.echo(_kept(out), err=True)
        raise


def _kept(out: Path) -> str:
    from indexer.exchange.shards import held_by
    from indexer.report.text import said

    files, images = held_by(out)
    if not files:
        return "no file was finished, so nothing is kept; a smaller --shard-size finishes the first one sooner"
    held = f"{said(images, 'image', 'images')} in {said(files, 'finished file', 'finished files')}"
    return f"kept in {out}: {held}; what was encoded for the next file will be encoded again"


def _print(image: Encoded, *, as_json: bool) -> None:
    from indexer.records import Outcome, Verdict
    from indexer.report import jsonl, progress, text

    if as_json:
        row = {"uri": image.uri, "rejected": image.kind, "reason": image.reason}
        progress.say(jsonl.line("image", row))
    elif image.kind is not None:
        progress.say(text.verdict_line(Verdict(image.uri, Outcome.REJECTED, kind=image.kind, reason=image.reason)))


def _sum_up(sums: dict[str, int], out: Path, *, as_json: bool) -> None:
    from indexer.report import jsonl
    from indexer.report.text import said

    if as_json:
        click.echo(jsonl.line("summary", sums | {"out": str(out)}))
        return
    images, files = said(sums["images"], "image", "images"), said(sums["shards"], "file", "files")
    told = f"{images} in {files}: {sums['encoded']} encoded now, {sums['rejected']} rejected"
    click.echo(told if sums["images"] else "no images found")
