"""
The commands that make and measure the encoder; they need the train extra.

    python -m model export --data ../shared/data/train --weights start.onnx
    python -m model train --recipe cpu_hours --data ../shared/data/train --out run
    python -m model export --data ../shared/data/train --trained run/weights.pt --weights candidate.onnx
    python -m model quantize --data ../shared/data/train --weights candidate.onnx --out int8.onnx
    python -m model calibrate --data ../shared/data/train --weights int8.onnx --target-fpr 7e-6 --write encoder.onnx

How it is measured: see cli_measure.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from model.calibrate import count_pairs, pictures_for
from model.cli_measure import calibrate, evaluate, whole
from model.cli_options import DATA, EXISTING, NEW_FILE, WORKERS, need, one_message
from model.data import select
from model.spec import FLOAT32_WEIGHTS

WEIGHTS = click.option(
    "--weights",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write.",
)


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
@click.option(
    "--trained",
    type=EXISTING,
    multiple=True,
    help="The weights.pt of a training run, or an encoder's file, in place of a recipe; of several, the mean.",
)
@one_message
def export(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: tuple[Path, ...],
    weights: Path,
    workers: int,
    pictures: int,
    held_out: int,
    recipe: str,
    trained: tuple[Path, ...],
) -> None:
    """Write the weights file: trunk, linear step, calibrated scale."""
    need("torch", "export")
    from model.export import RECIPES  # noqa: PLC0415 - evaluate works without torch
    from model.export import export as make  # noqa: PLC0415

    fitting = select(data, held_out=False, at_most=pictures)
    measuring = select(data, held_out=True, at_most=held_out)
    config = replace(RECIPES["trained" if trained else recipe](), workers=workers)
    _warn_of_few(len(measuring), config.target)
    spec = make(weights, fitting, measuring, config, trained)
    click.echo(f"{weights}: {spec.fingerprint}, s = {spec.scale:.6f}, {weights.stat().st_size:,} bytes")
    click.echo(f"fitted on {len(fitting):,} pictures, calibrated on {len(measuring):,} held-out ones")


def _warn_of_few(pictures: int, target: float) -> None:
    """Say so where too few held-out *pictures* make the *target* a guess from one pair."""
    needed = pictures_for(target)
    if pictures < needed:
        click.echo(
            f"s is set from the nearest pair alone: {pictures:,} held-out ones make {count_pairs(pictures):,} pairs, "
            f"too few for {target:g} of them to be one; bring {needed:,}, or set s by calibrate --write",
            err=True,
        )


@main.command()
@DATA
@click.option("--recipe", type=click.Choice(["debug_cpu", "cpu_hours", "gpu_minutes"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="For checkpoints, curve.")
@click.option("--start", type=EXISTING, default=FLOAT32_WEIGHTS, help="Begin here.  [default: the encoder in float32]")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out.")
@click.option("--until", type=click.IntRange(1), help="Leave off after this many steps, to be resumed.")
@one_message
def train(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: tuple[Path, ...], recipe: str, out: Path, start: Path, resume: bool, until: int | None
) -> None:
    """Train the whole encoder; the held-out quarter of the data only measures."""
    need("torch", "train")
    from model.learner import checkpoint_in  # noqa: PLC0415 - evaluate works without torch
    from model.recipes import RECIPES  # noqa: PLC0415
    from model.train import Run  # noqa: PLC0415
    from model.train import train as learn  # noqa: PLC0415

    config = RECIPES[recipe]()
    if resume:
        checkpoint_in(out)  # before pictures are read
    fitting = select(data, held_out=False, at_most=config.at_most)
    measuring = select(data, held_out=True, at_most=config.references)
    learn(Run(start, out, resume, until, partial(click.echo, err=True)), fitting, measuring, config)


@main.command()
@DATA
@click.option("--weights", type=EXISTING, default=FLOAT32_WEIGHTS, help="To copy.  [default: the encoder in float32]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The int8 file.")
@click.option("--pictures", type=click.IntRange(1), default=200, show_default=True, help="To take the ranges from.")
@one_message
def quantize(data: tuple[Path, ...], weights: Path, out: Path, pictures: int) -> None:
    """Write an int8 copy of a weights file; calibrate and evaluate it before use."""
    need("onnx", "quantize")
    from model.quantize import quantize as convert  # noqa: PLC0415 - evaluate works without onnx

    spec = convert(weights, out, select(data, held_out=False, at_most=pictures))
    click.echo(f"{out}: {spec.fingerprint}, {out.stat().st_size:,} bytes; its scale is not calibrated yet")


@main.command("train-pages")
@DATA
@click.option("--out", type=NEW_FILE, required=True, help="The network's file.")
@click.option("--steps", type=click.IntRange(10), default=20_000, show_default=True, help="Of gradient descent.")
@click.option("--layouts", type=click.IntRange(1), default=250, show_default=True, help="Of pages that are drawn.")
@click.option("--pictures", type=click.IntRange(1), default=1_000_000, help="To learn from, at most.")
@one_message
def train_pages(data: tuple[Path, ...], out: Path, steps: int, layouts: int, pictures: int) -> None:
    """Train the network by which the second look compares pages."""
    need("torch", "train-pages")
    from model.encoder import load_encoder  # noqa: PLC0415 - evaluate works without torch
    from model.page_network import to_onnx  # noqa: PLC0415
    from model.train_pages import PagesConfig  # noqa: PLC0415
    from model.train_pages import train_pages as learn  # noqa: PLC0415

    encoder, config = load_encoder(device="cpu"), PagesConfig(steps=steps, layouts=layouts)
    fitting, measuring = (select(data, held_out=side, at_most=pictures) for side in (False, True))
    describe, tell = (lambda pixels: encoder.embed([pixels])[0]), partial(click.echo, err=True)
    for network in learn(fitting, measuring, describe, config, tell):
        out.write_bytes(to_onnx(network))  # what there is, should the run be stopped
    click.echo(f"{out}: sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


main.add_command(evaluate)
main.add_command(calibrate)
main.add_command(whole)
