"""`twinlens demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer.errors import ExitCode
from indexer.records import Outcome, Verdict

if TYPE_CHECKING:
    from indexer.jobs.demo import DemoArchive, Planted


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="twinlens-demo",
    show_default=True,
    help="Where to make it; an earlier demo there is replaced.",
)
def demo(folder: Path) -> int:
    """Make a small archive of edited photographs, ingest it, and show what was found."""
    from indexer.jobs.demo import draw, make
    from indexer.jobs.index import open_index

    made = make(folder)
    click.echo(
        f"{made.archive} now holds {len(made.photos)} photographs, {len(made.planted)} copies of them"
        f" (relit, zoomed, noisy, saved again) and {len(made.broken)} broken files."
    )
    database = folder / "demo.db"
    click.echo(f"Ingested into {database}; of what was planted, this was found:\n")
    with open_index(str(database)) as index:
        run = index.ingest([made.archive])
        found = {_name(verdict, made): verdict for verdict in run}
        right = _show(made, found)
        (answer,) = index.query([made.upload])
    click.echo(f"\nAsked about {made.upload}, which is in no folder there:\n")
    right &= _show_upload(made, answer)
    sheet = draw(made, [_why(found[planted.name]) for planted in made.planted], folder / "found.jpg")
    click.echo(f"\nLook at them: {sheet}")
    click.echo(
        "The commands themselves name whole paths, and know nothing of what was planted; try them:\n"
        f"  twinlens ingest {made.archive} --uri {database} -v\n"
        f"  twinlens query {made.upload} --uri {database}\n"
        f"  twinlens groups --uri {database} --html {database.with_name('copies.html')}"
    )
    click.echo(f"\n{run.summary().seconds:.1f} s for {run.summary().seen} images. Your own: twinlens ingest FOLDER")
    return ExitCode.DONE if right else ExitCode.BUG


def _name(verdict: Verdict, made: DemoArchive) -> str:
    return Path(verdict.uri).relative_to(made.archive.resolve()).as_posix()


def _original(verdict: Verdict, made: DemoArchive) -> str | None:
    return verdict.original and Path(verdict.original).relative_to(made.archive.resolve()).as_posix()


def _show(made: DemoArchive, found: dict[str, Verdict]) -> bool:
    hits = [_show_planted(planted, found[planted.name], made) for planted in made.planted]
    others = set(found) - {planted.name for planted in made.planted}
    false = sorted(name for name in others if found[name].outcome is Outcome.COPY)
    named = [name for name in made.broken if found[name].outcome is Outcome.REJECTED]
    for name in made.broken:
        click.echo(f"  {found[name].outcome.value:<8} {name:<30} {found[name].reason or ''}")
    for name in false:
        click.echo(f"  FALSE    {name:<30} taken for a copy of {_original(found[name], made)}")
    click.echo(
        f"\n{sum(hits)} of {len(made.planted)} planted copies found, {len(false)} false ones,"
        f" {len(named)} of {len(made.broken)} broken files named."
    )
    return all(hits) and not false and len(named) == len(made.broken)


def _show_planted(planted: Planted, verdict: Verdict, made: DemoArchive) -> bool:
    found = f"{planted.name} of {planted.of}"
    click.echo(f"  {verdict.outcome.value:<8} {found:<67} {_why(verdict):<16} {planted.edit}")
    return _original(verdict, made) == planted.of


def _why(verdict: Verdict) -> str:
    if verdict.exact:
        return "same bytes"
    return "NOT FOUND" if verdict.distance is None else f"distance {verdict.distance:.4f}"


def _show_upload(made: DemoArchive, answer: Verdict) -> bool:
    distance = "" if answer.distance is None else f", distance {answer.distance:.4f} (a copy is nearer than 0.01)"
    original = _original(answer, made)
    click.echo(f"  {answer.outcome.value:<8} of {original}{distance}" if original else f"  {answer.outcome.value}")
    return original == made.upload_of
