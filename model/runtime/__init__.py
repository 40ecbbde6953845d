"""
Where the network runs: `onnx` on the CPU, `torch` on CUDA; both keep the protocol below.

A runtime gives one image the same descriptor, bit by bit, whatever else is in the batch and whoever else calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.preprocess import Square
from model.spec import EncoderSpec


class Runtime(Protocol):
    """One loaded network."""

    @property
    def spec(self) -> EncoderSpec:
        """What the weights file says of itself."""

    def run(self, images: Sequence[Square]) -> npt.NDArray[np.float32]:
        """Return the descriptors, float32 (N, D), of images as `preprocess` leaves them; thread-safe."""
