"""Preprocessing: sizes, values, and the antialiased reduction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from model import Encoder
from model.preprocess import preprocess, to_square

Pixels = npt.NDArray[np.uint8]


def test_the_network_sees_8_bit_pixels(encoder: Encoder) -> None:
    """A blank image stays what it was in every place, uint8 (S, S, 3)."""
    size = encoder.spec.input_size
    out = preprocess(np.full((40, 50, 3), (255, 7, 0), np.uint8), encoder.spec)
    assert (out.dtype, out.shape) == (np.uint8, (size, size, 3))
    assert (out == (255, 7, 0)).all()


def test_reduction_averages_noise_away() -> None:
    """Noise of sigma 30 on a large blank image shrinks by far as it is reduced in one antialiased step."""
    noise = np.random.default_rng(0).normal(127, 30, (1280, 1280, 3)).clip(0, 255).astype(np.uint8)
    assert to_square(noise, 160, "BILINEAR").std() < 6


def test_input_is_left_alone(photos: Mapping[str, Pixels], encoder: Encoder) -> None:
    """Read-only and strided pixels are read, never written."""
    view = photos["cat"][::2, ::-1]
    view.flags.writeable = False
    same = preprocess(np.ascontiguousarray(view), encoder.spec)
    assert preprocess(view, encoder.spec).tobytes() == same.tobytes()
