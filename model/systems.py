"""
What is measured side by side: a system turns pictures into vectors whose Euclidean distance ranks them.

A hash of bits is such a vector too, of zeros and ones: the square of its Euclidean distance is the Hamming distance.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from model.data import Picture
from model.pixels import Pixels
from model.preprocess import preprocess
from model.runtime.onnx import OnnxRuntime
from model.spec import EncoderLoadError

Prepared = npt.NDArray[Any]
"""One picture as a system's network takes it."""

Distance = Literal["Euclidean", "Hamming"]
"""How the distances of a system are told."""

TIMED = 32
"""Pictures in the batch that is timed."""

TIMINGS = 5
"""Times that it is timed; the median counts."""


class System(Protocol):
    """A way to tell copies."""

    name: str
    """Unique among the systems of one run."""

    distance: Distance
    """How its distances are told to people."""

    radius: float | None
    """Euclidean; its operating point, where it has one."""

    def prepare(self, pixels: Pixels, /) -> Prepared:
        """Return the network's input for one picture; thread-safe."""

    def describe(self, prepared: Sequence[Prepared], /) -> npt.NDArray[np.float32]:
        """Return the vectors, float32 (N, D)."""


class EncoderSystem:
    """One of this project's weights files, each picture a run of its own, on *workers* threads."""

    distance: Distance = "Euclidean"

    def __init__(self, name: str, path: Path, workers: int) -> None:
        """Load the file at *path*; raises EncoderLoadError."""
        self.name = name
        try:
            self._runtime = OnnxRuntime(path.read_bytes())
        except (OSError, EncoderLoadError) as error:
            raise EncoderLoadError(f"cannot use the encoder's file {path}: {error}") from error
        self.spec = self._runtime.spec
        self.radius: float | None = self.spec.radius
        self._pool = ThreadPoolExecutor(workers)

    def prepare(self, pixels: Pixels, /) -> Prepared:
        """Return uint8 (S, S, 3)."""
        return preprocess(pixels, self.spec)

    def describe(self, prepared: Sequence[Prepared], /) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D)."""
        return np.concatenate(list(self._pool.map(lambda image: self._runtime.run([image]), prepared)))


def milliseconds(system: System, pictures: Sequence[Picture]) -> dict[str, float]:
    """Time one batch: milliseconds per picture of preparing (on one thread) and of describing."""
    pixels = [pictures[place % len(pictures)].pixels for place in range(TIMED)]
    prepared = [system.prepare(image) for image in pixels]
    system.describe(prepared)
    return {
        "prepare": _median_ms(lambda: [system.prepare(image) for image in pixels]) / TIMED,
        "describe": _median_ms(lambda: system.describe(prepared)) / TIMED,
    }


def _median_ms(work: Callable[[], object]) -> float:
    """Return the median of a few timings of *work*, in milliseconds."""
    spent = []
    for _ in range(TIMINGS):
        start = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(spent)
