"""ONNX Runtime and torch compute the same descriptors from the same file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.preprocess import preprocess

pytest.importorskip("torch", reason="needs the train extra")

from model.runtime.onnx import OnnxRuntime
from model.runtime.torch import TorchRuntime
from model.spec import FLOAT32_WEIGHTS, SHIPPED_WEIGHTS

Pixels = npt.NDArray[np.uint8]


@pytest.mark.parametrize(("path", "share"), [(FLOAT32_WEIGHTS, 0.001), (SHIPPED_WEIGHTS, 0.1)])
def test_torch_and_onnx_agree(path: Path, share: float, photos: Mapping[str, Pixels]) -> None:
    """Most differ by a thousandth of the radius at most, all by a *share*: a rounding of int8 may fall apart."""
    onnx, torch = OnnxRuntime(path.read_bytes()), TorchRuntime(path.read_bytes(), "cpu")
    noise = np.random.default_rng(0).integers(0, 256, (12, 90, 120, 3), np.uint8)
    images = [preprocess(image, onnx.spec) for image in [*photos.values(), *noise]]
    difference = np.linalg.norm(onnx.run(images) - torch.run(images), axis=1)
    assert np.median(difference) < 0.001 * onnx.spec.radius
    assert difference.max() < share * onnx.spec.radius


def test_both_read_one_spec(weights: bytes) -> None:
    """The same file says the same to both."""
    assert OnnxRuntime(weights).spec == TorchRuntime(weights, "cpu").spec
