"""What serving may rely on: shapes, law 2 bit by bit, every form of input, the documented check."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from model import Encoder

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def sixteen(photos: Mapping[str, Pixels]) -> list[Pixels]:
    """Sixteen pictures of many shapes, cut from the photographs."""
    rng = np.random.default_rng(0)
    whole = list(photos.values())
    cuts = [whole[i % 4][rng.integers(90) :, rng.integers(90) :] for i in range(12)]
    return whole + cuts


@pytest.fixture(scope="module")
def alone(encoder: Encoder, sixteen: list[Pixels]) -> npt.NDArray[np.float32]:
    """Their descriptors, each embedded by itself."""
    return np.concatenate([encoder.embed([image]) for image in sixteen])


def test_descriptors_have_the_promised_shape_and_length(encoder: Encoder, alone: npt.NDArray[np.float32]) -> None:
    """Descriptors are float32 (N, D), and each has the length s."""
    assert (alone.dtype, alone.shape) == (np.float32, (16, encoder.spec.dim))
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), encoder.spec.scale, rtol=1e-5)


def test_no_images_give_an_empty_matrix(encoder: Encoder) -> None:
    """An empty batch is a batch."""
    assert encoder.embed([]).shape == (0, encoder.spec.dim)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_batch_size_changes_no_bit(
    encoder: Encoder, sixteen: list[Pixels], alone: npt.NDArray[np.float32], size: int
) -> None:
    """A descriptor is the same in batches of 1, 3 and 16."""
    batches = [encoder.embed(sixteen[start : start + size]) for start in range(0, 16, size)]
    assert np.concatenate(batches).tobytes() == alone.tobytes()


def test_order_changes_no_bit(encoder: Encoder, sixteen: list[Pixels], alone: npt.NDArray[np.float32]) -> None:
    """A descriptor is the same at any position in any order."""
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(16)
        assert encoder.embed([sixteen[i] for i in order]).tobytes() == alone[order].tobytes()


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_change_no_bit(
    encoder: Encoder, sixteen: list[Pixels], alone: npt.NDArray[np.float32], threads: int
) -> None:
    """A descriptor is the same however many threads call at once."""
    with ThreadPoolExecutor(threads) as pool:
        together = np.concatenate(list(pool.map(lambda image: encoder.embed([image]), sixteen * 4)))
    assert together.tobytes() == np.tile(alone, (4, 1)).tobytes()


def test_a_path_a_file_bytes_and_a_picture_agree(
    encoder: Encoder, photos: Mapping[str, Pixels], tmp_path: Path
) -> None:
    """Every form of one image gives the same descriptor, float32 (D,)."""
    path = tmp_path / "cat.png"
    Image.fromarray(photos["cat"]).save(path)
    expected = encoder.embed([photos["cat"]])[0]
    forms = [path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), Image.open(path)]
    assert all(encoder(form).tobytes() == expected.tobytes() for form in forms)


def test_the_documented_check_tells_copies_from_others(
    encoder: Encoder, photos: Mapping[str, Pixels], tmp_path: Path
) -> None:
    """`norm(encoder(a) - encoder(b)) < 0.01` holds for a re-saved copy, and not for another picture."""
    for name in ("cat", "coffee"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.png")
    Image.fromarray(photos["cat"]).resize((300, 200)).save(tmp_path / "copy.jpg", quality=80)
    cat, coffee, copy = (encoder(tmp_path / name) for name in ("cat.png", "coffee.png", "copy.jpg"))
    assert np.linalg.norm(cat - copy) < 0.01
    assert np.linalg.norm(cat - coffee) >= 0.01


def test_all_shipped_photographs_are_told_apart(encoder: Encoder, photos: Mapping[str, Pixels]) -> None:
    """No two different photographs lie within the radius."""
    z = encoder.embed(list(photos.values())).astype(np.float64)
    distances = np.linalg.norm(z[:, None] - z, axis=2)[np.triu_indices(len(z), 1)]
    assert distances.min() >= encoder.spec.radius


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4000, 3), (4000, 1, 3), (7, 3, 3)])
def test_odd_shapes_give_finite_descriptors(encoder: Encoder, shape: tuple[int, int, int]) -> None:
    """One pixel, a line and a column have descriptors like any image."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.isfinite(encoder.embed([image])).all()


@pytest.mark.parametrize("value", [0, 127, 255])
def test_blank_images_give_finite_descriptors(encoder: Encoder, value: int) -> None:
    """A blank image is divided by no zero."""
    assert np.isfinite(encoder.embed([np.full((64, 64, 3), value, np.uint8)])).all()


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
)
def test_what_is_not_rgb_is_refused(encoder: Encoder, image: npt.NDArray[np.generic]) -> None:
    """Another shape or type is a mistake of the caller, named as such."""
    with pytest.raises(ValueError, match=r"expected uint8 pixels of shape \(H, W, 3\)"):
        encoder.embed([image])  # type: ignore[list-item]


def test_nothing_is_noted_about_the_user(tmp_path: Path) -> None:
    """ONNX Runtime, which would note in the home who uses it and how, writes nothing there."""
    code = "import numpy, model; model.load_encoder(device='cpu').embed([numpy.zeros((9, 9, 3), numpy.uint8)])"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    silent = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], check=True, env=silent | home)
    assert not [*tmp_path.rglob("*onnx*")]


def test_importing_model_loads_nothing_heavy_and_serving_no_torch() -> None:
    """`import model` brings no library along, and the CPU encoder neither torch nor onnx."""
    code = (
        "import sys, model; heavy = {'numpy', 'PIL', 'onnxruntime', 'torch', 'onnx'};"
        "assert not heavy & set(sys.modules);"
        "model.load_encoder(device='cpu'); assert not {'torch', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
