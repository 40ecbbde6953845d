"""Pictures of what was measured: the only importer of matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure  # noqa: TID251 - its door

from model.augment import MAIN
from model.operating import Calibration
from model.pixels import Pixels
from model.tail import Tail

PAIRS_A_SHEET = 24


def draw_calibration(path: Path, found: Calibration, recall: Mapping[str, Mapping[str, float]]) -> None:
    """
    Draw distances of copies, by main family, and of different pictures, and the operating point.

    The second part shows the tail: the share of pairs of different pictures below a distance, and the fitted line.
    The third one shows the *recall* of gate, second look and both there, by family.
    """
    figure = Figure(figsize=(18, 2 + 0.3 * len(recall)), layout="constrained")
    whole, near, both = figure.subplots(1, 3)
    _draw_shares(both, recall)
    edges, counts = found.different
    whole.stairs(counts / counts.sum(), edges, fill=True, alpha=0.4, color="grey", label="different pictures")
    for family in MAIN:
        distances = np.clip(found.copies[family], edges[0], edges[-1])
        whole.stairs(np.histogram(distances, edges)[0] / len(distances), edges, label=f"copies: {family}")
    whole.set(xlabel="Euclidean distance", ylabel="share of pairs", title="copies and different pictures")
    for name, tail in found.tails.items():
        _draw_tail(near, name, tail)
    near.axhline(found.config.target, color="grey", linewidth=0.8)
    near.set(xlabel="Euclidean distance", ylabel="share of pairs below it", title="the nearest different pictures")
    for axes in (whole, near):
        axes.axvline(found.radius, color="black", linestyle="--", label=f"radius {found.radius:.4g}")
        axes.legend()
    figure.savefig(path)


def _draw_tail(axes: Any, name: str, tail: Tail) -> None:  # noqa: ANN401 - matplotlib is not typed
    """Draw the share below a distance, and the line that was fitted to it."""
    distances = np.array(tail.distances)
    axes.semilogy(distances, np.arange(1, len(distances) + 1) / tail.pairs, drawstyle="steps-post", label=name)
    end = distances[tail.fitted - 1]
    line = np.geomspace(end / 1.5, end, 50)
    label = f"fitted to the nearest {tail.fitted}: dimension {tail.dimension:.1f}"
    axes.semilogy(line, tail.fitted / tail.pairs * (line / end) ** tail.dimension, linestyle=":", label=label)


def draw_recall(path: Path, figures: Mapping[str, Any], rate: str) -> None:
    """Draw each system's recall by family at an equal *rate* of false positives, as bars."""
    shown = [(system["name"], system["at_equal_rates"][rate]["all"]) for system in figures["systems"]
             if "all" in system["at_equal_rates"][rate]]  # fmt: skip
    families = list(shown[0][1]["recall"]) if shown else []
    figure = Figure(figsize=(9, 2 + 0.14 * len(families) * max(1, len(shown))), layout="constrained")
    axes, height = figure.subplots(), 0.8 / max(1, len(shown))
    places = np.arange(len(families))
    for index, (name, found) in enumerate(shown):
        axes.barh(places + index * height, list(found["recall"].values()), height, label=name)
    axes.set_yticks(places + 0.4 - height / 2, families)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="recall", title=f"copies found at {rate} false positives per pair")
    if shown:
        figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path)


def draw_whole(path: Path, figures: Mapping[str, Any]) -> None:
    """Draw what gate, second look and both find of each family's copies, as bars."""
    recall = figures["recall"]
    figure = Figure(figsize=(9, 2 + 0.4 * len(recall)), layout="constrained")
    _draw_shares(figure.subplots(), recall)
    figure.savefig(path)


def _draw_shares(axes: Any, recall: Mapping[str, Mapping[str, float]]) -> None:  # noqa: ANN401 - as above
    """Draw three bars for each family of copies."""
    places = np.arange(len(recall))
    for index, head in enumerate(("gate", "look", "whole")):
        axes.barh(places + index * 0.27, [found[head] for found in recall.values()], 0.27, label=head)
    axes.set_yticks(places + 0.27, list(recall))
    axes.invert_yaxis()
    axes.set(xlabel="share of edited copies", xlim=(0, 1), title="within the radius, confirmed of these, and both")
    axes.legend(loc="lower left")


def draw_pairs(folder: Path, pairs: Sequence[tuple[str, Pixels, Pixels]]) -> None:
    """Draw titled *pairs* of pictures side by side, PAIRS_A_SHEET on each of `001.png`, `002.png`, … in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(pairs), PAIRS_A_SHEET), 1):
        figure = Figure(figsize=(16, 15), layout="constrained")
        places = figure.subplots(6, 8).reshape(-1, 2)
        for axes in figure.axes:
            axes.set(xticks=[], yticks=[], visible=False)
        for sides, (title, *both) in zip(places, pairs[start : start + PAIRS_A_SHEET], strict=False):
            sides[0].set_title(title, fontsize=6, loc="left")
            for axes, pixels in zip(sides, both, strict=True):
                axes.imshow(pixels)
                axes.set_visible(True)
        figure.savefig(folder / f"{number:03}.png")


def draw_bars(path: Path, values: Mapping[str, float], title: str, unit: str) -> None:
    """Draw a bar for each of *values*, in *unit*, with its figure beside it."""
    figure = Figure(figsize=(9, 1.2 + 0.35 * len(values)), layout="constrained")
    axes = figure.subplots()
    axes.bar_label(axes.barh(list(values), list(values.values())), fmt="{:.3g}", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(xlabel=unit, title=title)
    figure.savefig(path)
