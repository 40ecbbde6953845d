"""
Trains the whole encoder, trunk and linear step, on pictures and their edited copies.

    python -m model train --recipe cpu_hours --data ../shared/data/train --out run
    python -m model train --recipe cpu_hours --data ../shared/data/train --out run --resume
    python -m model export --trained run/weights.pt --data ../shared/data/train --weights candidate.onnx

The run starts from an encoder's float32 file (`float32.onnx`, which the shipped int8 file was made from, if none is
named) and never sees the held-out quarter, on which its curve, `curve.csv`, is read. One code path for CPU and CUDA.
On the CPU, glibc gives the memory of every batch back to the system and fetches it anew;
MALLOC_TRIM_THRESHOLD_=16000000000 MALLOC_TOP_PAD_=100000000 MALLOC_MMAP_THRESHOLD_=4000000000 in the environment make
a step up to three times as fast.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID251 - one of its doors

from model.augment import MAIN
from model.batch_edits import reduce
from model.batches import Shelf, batch, nearest_of_shelf, neighbours, shelve, spread
from model.calibrate import operating_distance
from model.data import WORKERS, Picture, edited
from model.documents import documents
from model.graph import named, read_model, spec_of, weights_of
from model.learner import Learner
from model.network import SiameseEncoder, layout_of
from model.pairs import Looks
from model.preprocess import SMOOTH, to_square
from model.recipes import TrainConfig

CURVE = "curve.csv"
COLUMNS = ("step", "loss", "images_per_s", *MAIN)
NONE_HARD = torch.empty(0, 2, dtype=torch.int64)
CHUNK = 512
"""Images at a time where nothing is learned."""


@dataclass(frozen=True, slots=True)
class Validation:
    """
    Held-out pictures and copies of them, made once by the edits and the preprocessing that serving is measured with.

    Attributes:
        images: uint8 (R + families x Q, 3, size, size): the references, then each family's copies of the first Q.
        looks: of the references.
        queries: Q.
    """

    images: torch.Tensor
    looks: Looks
    queries: int


@dataclass(frozen=True, slots=True)
class Run:
    """
    What of a run is no matter of its recipe.

    Attributes:
        start: the encoder's file to begin from.
        out: the folder for checkpoints and curve.
        resume: go on from the checkpoint in *out*.
        until: leave off after this step, to be resumed; at the last step, if None.
        tell: takes the lines of progress.
    """

    start: Path
    out: Path
    resume: bool = False
    until: int | None = None
    tell: Callable[[str], None] = print


@dataclass(frozen=True, slots=True)
class Progress:
    """What one line of the curve says: step, mean loss since the last line, images a second, recall by family."""

    step: int
    loss: float
    images_per_s: float
    recall: tuple[float, ...]

    def __str__(self) -> str:
        """Return the progress line."""
        recall = "  ".join(f"{name} {value:.3f}" for name, value in zip(MAIN, self.recall, strict=True))
        return f"step {self.step:6d}  loss {self.loss:7.4f}  {self.images_per_s:6.1f} images/s  {recall}"


def train(run: Run, fitting: Sequence[Picture], held_out: Sequence[Picture], config: TrainConfig) -> None:
    """
    Train on *fitting*; *held_out* only draws the curve.

    Raises:
        CheckpointError: it is to be resumed, and there is no checkpoint of such a run.
        EncoderLoadError: the start is no encoder's float32 file.
        TooFewPairsError: nearly all held-out pictures are near-copies.
    """
    torch.set_num_threads(config.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shelf = shelve([*fitting, *documents(config.layouts)], config.store_size, device, WORKERS)
    validation = validation_of(held_out, config)
    learner = _learner(run.start, shelf, config, device)
    if run.resume:
        learner.resume(run.out)
    run.tell(f"{len(shelf):,} pictures on {device}")
    if not run.resume:
        _record(run, Progress(0, 0.0, 0.0, recall(learner, validation, config)))
    checked = cache(shelf.looks.alike)
    for part in _parts(learner.step, run.until or config.steps, config.save_every):
        near = nearest_of_shelf(_clean(learner, shelf), shelf.looks, config.listed)
        known = neighbours(shelf.looks, checked, near, WORKERS)
        hard = spread(known.hard, config.pairs_each)
        losses, began = [], time.monotonic()
        losses += [learner.learn(batch(shelf, hard, step, config), known.alike) for step in part]
        rate = len(part) * (config.pictures + 2 * config.hard) * (1 + config.copies) / (time.monotonic() - began)
        learner.save(run.out)
        _record(run, Progress(part.stop, float(np.mean(losses)), rate, recall(learner, validation, config)))


def _parts(done: int, steps: int, save_every: int) -> Iterator[range]:
    """Yield the steps that are left, cut at the checkpoints."""
    while done < steps:
        end = min(steps, done - done % save_every + save_every)
        yield range(done, end)
        done = end


def _record(run: Run, progress: Progress) -> None:
    """Tell a line of the curve and append it to the file; step 0 begins a new file."""
    run.tell(str(progress))
    run.out.mkdir(parents=True, exist_ok=True)
    with (run.out / CURVE).open("w" if progress.step == 0 else "a", newline="") as file:
        writer = csv.writer(file)
        if progress.step == 0:
            writer.writerow(COLUMNS)
        writer.writerow([progress.step, f"{progress.loss:.5f}", f"{progress.images_per_s:.1f}", *progress.recall])


def _learner(start: Path, shelf: Shelf, config: TrainConfig, device: torch.device) -> Learner:
    """Return the run's state before its first step."""
    with named("cannot begin from", start):
        model = read_model(start.read_bytes())
        spec, weights = spec_of(model), weights_of(model)
    network = SiameseEncoder(layout_of(spec.architecture, spec.dim))
    network.load_state_dict({name: torch.from_numpy(values) for name, values in weights.items()}, strict=False)
    learner = Learner(network, spec, config, device)
    learner.begin(batch(shelf, NONE_HARD.to(device), 0, config))
    return learner


def _describe(learner: Learner, images: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return unit descriptors, float32 (B, D), of uint8 images of the network's size."""
    with torch.inference_mode():
        parts = [learner.describe(part.to(learner.device).float()) for part in images.split(CHUNK)]
    descriptors: npt.NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return descriptors


def _clean(learner: Learner, shelf: Shelf) -> torch.Tensor:
    """Return the unit descriptors of all pictures as they are, float32 (P, D)."""
    size = learner.config.input_size
    with torch.inference_mode():
        parts = [learner.describe(reduce(part[:, 0].float(), size)) for part in shelf.pixels.split(CHUNK)]
    return torch.cat(parts)


def validation_of(pictures: Sequence[Picture], config: TrainConfig) -> Validation:
    """Prepare held-out *pictures*."""
    asked = pictures[: config.queries]
    views = [picture.pixels for picture in pictures]
    views += [edited(picture, family, 1.0) for family in MAIN for picture in asked]
    squares = np.stack([to_square(view, config.input_size, SMOOTH).transpose(2, 0, 1) for view in views])
    return Validation(torch.from_numpy(squares), Looks.of(pictures), len(asked))


def recall(learner: Learner, validation: Validation, config: TrainConfig) -> tuple[float, ...]:
    """Return the share of copies nearer than the nearest pairs of different pictures, for each main family."""
    rows = _describe(learner, validation.images)
    references = len(validation.looks.hashes)
    edge = operating_distance(rows[:references], validation.looks, config.target)
    copies = rows[references:].reshape(len(MAIN), validation.queries, -1)
    distances = np.linalg.norm(copies - rows[: validation.queries], axis=2)
    return tuple(round(float(share), 4) for share in (distances < edge).mean(1))
