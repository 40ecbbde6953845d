"""Real photographs and the shipped encoder for the tests of `model`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from skimage import data

from model import Encoder, load_encoder
from model.spec import SHIPPED_WEIGHTS

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def photos() -> Mapping[str, Pixels]:
    """Give four photographs that scikit-image carries in its package."""
    return {
        "astronaut": data.astronaut(),
        "cat": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
    }


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """Load the shipped encoder on the CPU."""
    return load_encoder(device="cpu")


@pytest.fixture(scope="session")
def weights() -> bytes:
    """Read the shipped weights file."""
    return SHIPPED_WEIGHTS.read_bytes()
