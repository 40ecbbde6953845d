"""
What a training run is made of, and the recipes: plain functions that return a full configuration.

    python -m model train --recipe cpu_hours --data ../shared/data/train --out run

A recipe decides everything but data, device and the file that the run starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from model.batch_edits import EditMix
from model.loss import LossConfig
from model.vary import Vary


@dataclass(frozen=True, slots=True)
class Curriculum:
    """How strong edits are: from *first* to 1 along a straight line, which ends after the share *ramp* of steps."""

    first: float = 0.5
    ramp: float = 0.3

    def strength(self, progress: float) -> float:
        """Return the strength when the share *progress* of the steps is done."""
        return min(1.0, self.first + (1 - self.first) * progress / self.ramp)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """
    A training run.

    Attributes:
        steps: of gradient descent.
        pictures: a step, each in its turn.
        hard: pairs a step, on top of these, that the encoder takes for alike though they are not.
        copies: of each picture, edited; the picture itself is there as it is, as an archive holds it.
        input_size: pixels of each side of the network's input while training.
        store_size: pixels of each side at which pictures wait in memory and are edited.
        at_most: pictures to learn from.
        layouts: of pages that are drawn and learned from as well (see documents).
        trunk_rate: AdamW's at its height, as a share of each weight tensor's root mean square at the start.
        linear_rate: the same for the linear step.
        frozen: blocks at the trunk's start that keep their weights, the stem with them; 0 learns everything.
        at_once: images that pass the trunk together; caches hold what a few need, and a GPU takes all of them.
        warm_up: steps in which the rates rise.
        hold: share of the steps after which the rates begin to fall.
        decay: AdamW's, of weights.
        clip: the gradient's greatest length.
        vary: which pictures of a step are made into others first, against learning by heart; hard pairs never are.
        average: steps over which the weights that are kept are averaged; 1 keeps the last ones.
        curriculum: of the edits' strength.
        mix: of the edits' kinds.
        loss: see loss.
        listed: nearest pairs that are sorted into near-copies and hard ones when a run begins or goes on.
        pairs_each: hard pairs that one picture is in at most.
        save_every: steps between checkpoints, each with a validation.
        references: held-out pictures that the validation compares.
        queries: of these that are edited, in each family.
        target: false positives per pair at which recall is read.
        threads: of torch on the CPU.
        seed: of everything drawn.
    """

    steps: int
    pictures: int
    hard: int = 8
    copies: int = 2
    input_size: int = 160
    store_size: int = 208
    at_most: int = 1_000_000
    layouts: int = 0
    trunk_rate: float = 1e-3
    linear_rate: float = 1e-3
    frozen: int = 0
    at_once: int = 20
    warm_up: int = 50
    hold: float = 0.0
    decay: float = 0.0
    clip: float = 5.0
    vary: Vary = field(default_factory=Vary)
    average: int = 1
    curriculum: Curriculum = field(default_factory=Curriculum)
    mix: EditMix = field(default_factory=EditMix)
    loss: LossConfig = field(default_factory=LossConfig)
    listed: int = 3000
    pairs_each: int = 5
    save_every: int = 200
    references: int = 2000
    queries: int = 150
    target: float = 1e-6
    threads: int = 1
    seed: int = 0


def debug_cpu() -> TrainConfig:
    """
    Return a run of less than three minutes on one core, to see that training works on a few hundred pictures.

    It learns the linear step above all: so few pictures would rather spoil a trunk.
    """
    small = LossConfig(bank=256, spread=1.0)
    return TrainConfig(
        steps=80, pictures=48, hard=0, input_size=96, store_size=128, at_most=400, trunk_rate=1e-4, linear_rate=5e-2,
        warm_up=5, loss=small, listed=64, save_every=40, references=400, queries=100, target=1e-2,
    )  # fmt: skip


def cpu_hours() -> TrainConfig:
    """
    Return a run of about an hour on two quiet cores, from an encoder that was trained before, such as on a GPU.

    230,000 pairs at 144 pixels, half of the pictures of a step in hard pairs.
    """
    return TrainConfig(
        steps=1800, pictures=32, hard=16, input_size=144, frozen=4, at_once=24, trunk_rate=1e-3, linear_rate=1e-3,
        warm_up=100, hold=0.3, curriculum=Curriculum(first=1.0), save_every=300, threads=2,
    )  # fmt: skip


def gpu_minutes() -> TrainConfig:
    """
    Return a run of 1.9 million pictures, two copies of each, for one data-centre GPU (H100 class), in about 9 minutes.

    It goes on from an encoder that was trained before; `export` then takes the mean of that one and this.
    """
    return TrainConfig(
        steps=4200, pictures=256, hard=96, layouts=100, input_size=144, at_once=4096, trunk_rate=8e-4, linear_rate=8e-4,
        warm_up=200, hold=0.4, clip=2.0, vary=Vary(share=0.5), average=1000, curriculum=Curriculum(first=1.0),
        loss=LossConfig(bank=16384), listed=16384, save_every=400, references=1200, queries=100,
    )  # fmt: skip


RECIPES: Mapping[str, Callable[[], TrainConfig]] = {
    recipe.__name__: recipe for recipe in (debug_cpu, cpu_hours, gpu_minutes)
}
