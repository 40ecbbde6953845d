"""The weights file: what it says of itself, and how a bad one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model import Encoder, EncoderLoadError, EncoderSpec, load_encoder
from model.spec import METADATA_KEY


def test_the_spec_comes_out_of_the_file(encoder: Encoder) -> None:
    """The shipped file holds a spec with D = 128 and the default radius."""
    assert (encoder.spec.dim, encoder.spec.radius) == (128, 0.01)


def test_metadata_round_trip(encoder: Encoder) -> None:
    """What is written is read back."""
    assert EncoderSpec.from_metadata(encoder.spec.to_metadata()) == encoder.spec


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 1.0},
        {"interpolation": "NEAREST"},
        {"mean": (0.0, 0.0, 0.0)},
        {"std": (1.0, 1.0, 1.0)},
        {"input_size": 96},
        {"headroom": 2.0},
        {"dim": 64},
        {"weights_sha256": "0" * 64},
    ],
)
def test_the_fingerprint_names_all_that_decides_a_descriptor(encoder: Encoder, change: dict[str, object]) -> None:
    """Each such field changes the fingerprint."""
    assert replace(encoder.spec, **change).fingerprint != encoder.spec.fingerprint


def test_the_fingerprint_ignores_name_and_radii(encoder: Encoder) -> None:
    """None of them changes a descriptor, so none makes a collection unfit."""
    other = replace(encoder.spec, name="x", radius=0.02, inner_radius=0.001)
    assert other.fingerprint == encoder.spec.fingerprint


def test_a_spec_without_an_inner_radius_is_read(encoder: Encoder) -> None:
    """A file that was written before there was one loads, and its fingerprint is what it was."""
    values = json.loads(encoder.spec.to_metadata()[METADATA_KEY])
    del values["inner_radius"]
    read = EncoderSpec.from_metadata({METADATA_KEY: json.dumps(values)})
    assert (read.inner_radius, read.fingerprint) == (0.0, encoder.spec.fingerprint)


def test_a_spec_without_a_headroom_is_read(encoder: Encoder) -> None:
    """A file that was written before there was one keeps its fingerprint, and three times the input's size."""
    before = replace(encoder.spec, headroom=3.0)
    values = json.loads(before.to_metadata()[METADATA_KEY])
    del values["headroom"]
    read = EncoderSpec.from_metadata({METADATA_KEY: json.dumps(values)})
    assert (read, read.least_px) == (before, 3 * read.input_size)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """The message names the file and the remedy."""
    with pytest.raises(EncoderLoadError, match=r"none\.onnx: No such file or directory; check the path"):
        load_encoder(tmp_path / "none.onnx")


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped", "no spec", "edited spec"])
@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_a_bad_file_is_refused(tmp_path: Path, weights: bytes, damage: str, runtime: str) -> None:
    """Whatever is wrong with the file, one error names it and says what to do."""
    path = tmp_path / "bad.onnx"
    middle = len(weights) // 2
    flipped = weights[:middle] + bytes([weights[middle] ^ 1]) + weights[middle + 1 :]
    path.write_bytes(
        {
            "empty": b"",
            "text": b"not a model at all",
            "truncated": weights[:middle],
            "flipped": flipped,
            "no spec": weights.replace(b"twinlens.spec", b"twinlens.spam"),
            "edited spec": weights.replace(b'"input_size": 1', b'"input_size": 2'),
        }[damage]
    )
    with pytest.raises(EncoderLoadError, match=r"again|export"):
        _load(path, runtime)


def _load(path: Path, runtime: str) -> None:
    """Load the file by the runtime of that name."""
    if runtime == "onnx":
        load_encoder(path, device="cpu")
        return
    pytest.importorskip("torch")
    from model.runtime.torch import TorchRuntime  # noqa: PLC0415

    TorchRuntime(path.read_bytes(), "cpu")
