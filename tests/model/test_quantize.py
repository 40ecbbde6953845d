"""The int8 copy of an encoder: an encoder of its own that stays near the first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx", reason="needs the train extra")

import onnx
from onnx import numpy_helper

from model import Encoder, load_encoder
from model.data import Picture
from model.quantize import quantize
from model.spec import FLOAT32_WEIGHTS, SHIPPED_WEIGHTS, EncoderLoadError

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def small_file(photos: Mapping[str, Pixels], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Quantise the float32 file by pieces of four photographs."""
    out = tmp_path_factory.mktemp("int8") / "int8.onnx"
    pieces = [pixels[y : y + 200, x : x + 200] for pixels in photos.values() for y in (0, 90) for x in (0, 200)]
    quantize(FLOAT32_WEIGHTS, out, [Picture(f"x/{place}", pixels) for place, pixels in enumerate(pieces)])
    return out


@pytest.fixture(scope="module")
def small(small_file: Path) -> Encoder:
    """Load what was quantised."""
    return load_encoder(small_file, device="cpu")


@pytest.fixture(scope="module")
def large() -> Encoder:
    """Load the float32 file."""
    return load_encoder(FLOAT32_WEIGHTS, device="cpu")


def test_int8_stays_near_float32(small: Encoder, large: Encoder, photos: Mapping[str, Pixels]) -> None:
    """Descriptors move by less than half the radius, and keep their length."""
    images = list(photos.values())
    first, second = large.embed(images), small.embed(images)
    assert np.linalg.norm(first - second, axis=1).max() < 0.5 * large.spec.radius
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), large.spec.scale, rtol=1e-5)


def test_int8_is_an_encoder_of_its_own(small: Encoder, large: Encoder) -> None:
    """Its descriptors are never compared with the first's: another fingerprint, which names it."""
    assert small.spec.fingerprint != large.spec.fingerprint
    assert "-int8-" in small.spec.fingerprint


def test_int8_changes_no_bit_in_a_batch(small: Encoder, photos: Mapping[str, Pixels]) -> None:
    """One image's descriptor does not depend on its neighbours."""
    images = list(photos.values())
    assert small.embed(images).tobytes() == np.concatenate([small.embed([image]) for image in images]).tobytes()


@pytest.mark.parametrize("shipped", [False, True])
def test_weights_take_seven_bits(small_file: Path, shipped: bool) -> None:
    """Two products of an activation and a weight fit the 16 bits that some processors add in."""
    parts = map(numpy_helper.to_array, onnx.load(SHIPPED_WEIGHTS if shipped else small_file).graph.initializer)
    most = max(int(np.abs(part.astype(int)).max()) for part in parts if part.dtype == np.int8)
    assert 32 < most <= 2**15 // (2 * 255)


def test_int8_is_not_quantised_again(tmp_path: Path) -> None:
    """It has no weights to begin from; the error names the file that has."""
    with pytest.raises(EncoderLoadError, match=r"int8 already; name .*float32\.onnx"):
        quantize(SHIPPED_WEIGHTS, tmp_path / "again.onnx", [])
