"""Preprocessing: sizes, values, and the antialiased reduction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from model import Encoder
from model.preprocess import SMOOTH, preprocess, to_square

Pixels = npt.NDArray[np.uint8]


def test_the_network_sees_8_bit_pixels(encoder: Encoder) -> None:
    """A blank image stays what it was in every place, uint8 (S, S, 3)."""
    size = encoder.spec.input_size
    out = preprocess(np.full((40, 50, 3), (255, 7, 0), np.uint8), encoder.spec)
    assert (out.dtype, out.shape) == (np.uint8, (size, size, 3))
    assert (out == (255, 7, 0)).all()


@pytest.mark.parametrize("interpolation", [SMOOTH, "BILINEAR"])
def test_reduction_averages_noise_away(interpolation: str) -> None:
    """Noise of sigma 30 on a large blank image shrinks by far as it is reduced."""
    noise = np.random.default_rng(0).normal(127, 30, (1280, 1280, 3)).clip(0, 255).astype(np.uint8)
    assert to_square(noise, 160, interpolation).std() < 6


@pytest.mark.parametrize(
    ("height", "width"), [(144, 144), (100, 90), (208, 208), (287, 431), (700, 150), (1, 1), (90, 2000)]
)
def test_smooth_reduction_moves_nothing(height: int, width: int) -> None:
    """A slope across the picture comes out where Pillow's filter puts it, to a level, whatever the sides."""
    slope = np.linspace(20, 235, width)[None, :, None] * np.linspace(0.7, 1, height)[:, None, None]
    pixels = np.repeat(np.rint(slope), 3, axis=2).astype(np.uint8)
    smooth, pillow = (to_square(pixels, 144, filter_).astype(int) for filter_ in (SMOOTH, "BILINEAR"))
    assert np.abs(smooth - pillow).max() <= 2


@pytest.mark.parametrize("side", [150, 180, 208, 260, 280, 300, 400, 570, 800, 1200])
def test_smooth_reduction_is_as_smooth_as_pillows(side: int) -> None:
    """Of noise about as much is left as Pillow's BILINEAR leaves, whatever the reduction."""
    noise = np.random.default_rng(side).integers(60, 196, (side, side, 3)).astype(np.uint8)
    smooth, pillow = (float(to_square(noise, 144, filter_).std()) for filter_ in (SMOOTH, "BILINEAR"))
    assert smooth == pytest.approx(pillow, rel=0.25)


def test_input_is_left_alone(photos: Mapping[str, Pixels], encoder: Encoder) -> None:
    """Read-only and strided pixels are read, never written."""
    view = photos["cat"][::2, ::-1]
    view.flags.writeable = False
    same = preprocess(np.ascontiguousarray(view), encoder.spec)
    assert preprocess(view, encoder.spec).tobytes() == same.tobytes()
