"""Preprocessing: sizes, values, and the antialiased reduction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from model import Encoder
from model.preprocess import preprocess, to_square

Pixels = npt.NDArray[np.uint8]


def test_values_are_normalised_by_the_spec(encoder: Encoder) -> None:
    """A blank image becomes (value - mean) / std in every place, float32 (3, S, S)."""
    spec = encoder.spec
    out = preprocess(np.full((40, 50, 3), 255, np.uint8), spec)
    assert (out.dtype, out.shape) == (np.float32, (3, spec.input_size, spec.input_size))
    np.testing.assert_array_equal(out[:, 0, 0], (255 - np.float32(spec.mean)) / np.float32(spec.std))
    assert np.ptp(out, axis=(1, 2)).max() == 0


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
