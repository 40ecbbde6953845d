"""The int8 copy of the shipped encoder: an encoder of its own that stays near the first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx", reason="needs the train extra")

from model import Encoder, load_encoder
from model.data import Picture
from model.encoder import SHIPPED_WEIGHTS
from model.quantize import quantize

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def small(photos: Mapping[str, Pixels], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Quantise the shipped file by pieces of four photographs."""
    out = tmp_path_factory.mktemp("int8") / "int8.onnx"
    pieces = [pixels[y : y + 200, x : x + 200] for pixels in photos.values() for y in (0, 90) for x in (0, 200)]
    quantize(SHIPPED_WEIGHTS, out, [Picture(f"x/{place}", pixels) for place, pixels in enumerate(pieces)])
    return load_encoder(out, device="cpu")


def test_int8_stays_near_float32(small: Encoder, encoder: Encoder, photos: Mapping[str, Pixels]) -> None:
    """Descriptors move by less than half the radius, and keep their length."""
    images = list(photos.values())
    first, second = encoder.embed(images), small.embed(images)
    assert np.linalg.norm(first - second, axis=1).max() < 0.5 * encoder.spec.radius
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), encoder.spec.scale, rtol=1e-5)


def test_int8_is_an_encoder_of_its_own(small: Encoder, encoder: Encoder) -> None:
    """Its descriptors are never compared with the first's: another fingerprint, which names it."""
    assert small.spec.fingerprint != encoder.spec.fingerprint
    assert "-int8-" in small.spec.fingerprint


def test_int8_changes_no_bit_in_a_batch(small: Encoder, photos: Mapping[str, Pixels]) -> None:
    """One image's descriptor does not depend on its neighbours."""
    images = list(photos.values())
    assert small.embed(images).tobytes() == np.concatenate([small.embed([image]) for image in images]).tobytes()
