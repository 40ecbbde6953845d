"""The weights file: what it says of itself, and how a bad one is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model import Encoder, EncoderLoadError, EncoderSpec, load_encoder


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


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_a_network_that_takes_no_pixels_is_refused(tmp_path: Path, weights: bytes, runtime: str) -> None:
    """A file of an earlier version, whose network took normalised numbers, is refused as it is loaded."""
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    from model.graph import read_model, spec_of, write_body  # noqa: PLC0415 - needs onnx

    made, numbers = onnx.helper, onnx.TensorProto.FLOAT
    values = [made.make_tensor_value_info(name, numbers, [1, 3, 8, 8]) for name in ("images", "out")]
    graph = made.make_graph([made.make_node("Identity", ["images"], ["out"])], "old", values[:1], values[1:])
    model = made.make_model(graph, opset_imports=[made.make_opsetid("", 17)], ir_version=8)
    write_body(tmp_path / "old.onnx", model.SerializeToString(), spec_of(read_model(weights)))
    with pytest.raises(EncoderLoadError, match=r"takes no 8-bit pixels, .*; export it again"):
        _load(tmp_path / "old.onnx", runtime)


def _load(path: Path, runtime: str) -> None:
    """Load the file by the runtime of that name."""
    if runtime == "onnx":
        load_encoder(path, device="cpu")
        return
    pytest.importorskip("torch")
    from model.runtime.torch import TorchRuntime  # noqa: PLC0415

    TorchRuntime(path.read_bytes(), "cpu")
