"""
The commands that make and measure the encoder; they need the train extra.

    python -m model export --data ../shared/data/train
    python -m model train --recipe cpu_hours --data ../shared/data/train --out run
    python -m model export --data ../shared/data/train --trained run/weights.pt --weights candidate.onnx
    python -m model evaluate --data ../shared/data/train
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from model.data import DEFAULT_DATA, DataMissingError, select
from model.encoder import SHIPPED_WEIGHTS, load_encoder
from model.spec import EncoderLoadError

DATA = click.option(
    "--data",
    "data",
    multiple=True,
    type=click.Path(path_type=Path),
    default=[DEFAULT_DATA],
    show_default=True,
    help="A folder of pictures or tar files, or a tar file; may be given more than once.",
)
WEIGHTS = click.option(
    "--weights",
    type=click.Path(path_type=Path, dir_okay=False),
    default=SHIPPED_WEIGHTS,
    help="The weights file.  [default: the shipped one]",
)
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
WORKERS = click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")


@click.group()
def main() -> None:
    """Make and measure Twinlens's encoder."""


@main.command()
@DATA
@WEIGHTS
@WORKERS
@click.option("--pictures", type=click.IntRange(200), default=6500, show_default=True, help="To fit on, at most.")
@click.option("--held-out", type=click.IntRange(200), default=4500, show_default=True, help="To calibrate on.")
@click.option("--recipe", type=click.Choice(["tuned", "plain"]), default="tuned", show_default=True)
@click.option("--trained", type=EXISTING, help="The weights.pt of a training run, in place of a recipe.")
def export(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: tuple[Path, ...],
    weights: Path,
    workers: int,
    pictures: int,
    held_out: int,
    recipe: str,
    trained: Path | None,
) -> None:
    """Write the weights file: trunk, linear step, calibrated scale."""
    from model.export import RECIPES, WeightsMissingError  # noqa: PLC0415 - evaluate works without torch
    from model.export import export as make  # noqa: PLC0415

    try:
        fitting = select(data, held_out=False, at_most=pictures)
        measuring = select(data, held_out=True, at_most=held_out)
        config = replace(RECIPES["trained" if trained else recipe](), workers=workers)
        spec = make(weights, fitting, measuring, config, trained)
    except (DataMissingError, WeightsMissingError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{weights}: {spec.fingerprint}, s = {spec.scale:.6f}, {weights.stat().st_size:,} bytes")
    click.echo(f"fitted on {len(fitting):,} pictures, calibrated on {len(measuring):,} held-out ones")


@main.command()
@DATA
@click.option("--recipe", type=click.Choice(["debug_cpu", "cpu_hours", "gpu_half_hour"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For checkpoints, curve.")
@click.option("--start", type=EXISTING, default=SHIPPED_WEIGHTS, help="Begin here.  [default: the shipped encoder]")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out.")
@click.option("--until", type=click.IntRange(1), help="Leave off after this many steps, to be resumed.")
def train(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: tuple[Path, ...], recipe: str, out: Path, start: Path, resume: bool, until: int | None
) -> None:
    """Train the whole encoder; the held-out quarter of the data only measures."""
    from model.recipes import RECIPES  # noqa: PLC0415 - evaluate works without torch
    from model.train import Run  # noqa: PLC0415
    from model.train import train as learn  # noqa: PLC0415

    config = RECIPES[recipe]()
    try:
        fitting = select(data, held_out=False, at_most=config.at_most)
        measuring = select(data, held_out=True, at_most=config.references)
    except DataMissingError as error:
        raise click.ClickException(str(error)) from error
    tell = partial(click.echo, err=True)
    learn(Run(start, out, resume, until, tell), fitting, measuring, config)


@main.command()
@DATA
@WEIGHTS
@WORKERS
@click.option("--references", type=click.IntRange(2), default=4500, show_default=True, help="Held-out pictures.")
@click.option("--queries", type=click.IntRange(1), default=1000, show_default=True, help="Pictures that are edited.")
@click.option("--strength", "strengths", multiple=True, type=click.FloatRange(0, 1), default=[0.25, 0.5, 1.0])
@click.option("--radius", type=click.FloatRange(0, min_open=True), help="[default: the encoder's]")
@click.option("--json", "target", type=click.Path(path_type=Path, dir_okay=False), help="Also write a JSON file.")
def evaluate(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: tuple[Path, ...],
    weights: Path,
    workers: int,
    references: int,
    queries: int,
    strengths: tuple[float, ...],
    radius: float | None,
    target: Path | None,
) -> None:
    """Print recall for each kind of edit, and false positives, at the radius."""
    from model.evaluate import EvaluateConfig, as_text  # noqa: PLC0415 - so that --help is quick
    from model.evaluate import evaluate as measure  # noqa: PLC0415

    try:
        encoder = load_encoder(weights, device="cpu")
        pictures = select(data, held_out=True, at_most=references)
    except (DataMissingError, EncoderLoadError) as error:
        raise click.ClickException(str(error)) from error
    config = EvaluateConfig(queries, strengths, radius or encoder.spec.radius, workers)
    figures = measure(encoder, pictures, config)
    click.echo(as_text(figures))
    if target is not None:
        target.write_text(json.dumps(figures, indent=2) + "\n")
