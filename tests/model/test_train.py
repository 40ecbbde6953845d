"""Training: edits of whole batches, the loss, the memory bank, batches, checkpoints, and a whole small run."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnx", reason="needs the train extra")

import torch
from torch.nn.functional import normalize

from model import batch_edits
from model.augment import MAIN
from model.batch_edits import RELIGHTINGS, WILD, BatchEdit, EditMix, copies
from model.batches import batch, hard_rows, nearest, nearest_of_shelf, neighbours, rows_of, shelve, spread
from model.calibrate import nearest_pairs
from model.cli import main
from model.data import DRAWN, Picture, is_held_out
from model.graph import read_model, spec_of, weights_of, write
from model.learner import INPUT_SIZE, STATE, WEIGHTS, CentredLinear, CheckpointError
from model.loss import Bank, LossConfig, info_nce, koleo, loss, pooled
from model.network import SiameseEncoder, layout_of
from model.preprocess import SMOOTH, to_square
from model.recipes import RECIPES, Curriculum, TrainConfig, debug_cpu
from model.spec import FLOAT32_WEIGHTS, SHIPPED_WEIGHTS
from model.train import NONE_HARD, Run, _learner, train
from model.vary import Vary, vary

Pixels = npt.NDArray[np.uint8]
EDITS: tuple[BatchEdit, ...] = (
    *RELIGHTINGS,
    batch_edits.grey,
    batch_edits.zoom_crop,
    batch_edits.salt_and_pepper,
    batch_edits.gaussian_noise,
    *(edit for edit in WILD if edit is not batch_edits.rescale),
)


@pytest.fixture(scope="module")
def images(photos: Mapping[str, Pixels]) -> torch.Tensor:
    """Give the photographs as a batch, float32 (4, 3, 64, 64) on 0-255."""
    squares = [to_square(pixels, 64, SMOOTH).transpose(2, 0, 1) for pixels in photos.values()]
    return torch.from_numpy(np.stack(squares)).float()


@pytest.fixture(scope="module")
def tiles(photos: Mapping[str, Pixels]) -> list[Picture]:
    """Cut the photographs into some hundred small pictures that do not overlap."""
    cut = [
        whole[top : top + 48, left : left + 48]
        for whole in photos.values()
        for top in range(0, whole.shape[0] - 47, 48)
        for left in range(0, whole.shape[1] - 47, 48)
    ]
    return [Picture(f"tiles/{number}", pixels) for number, pixels in enumerate(cut) if pixels.std() > 12]


def _seeded(seed: int = 0) -> torch.Generator:
    """Return a generator with a fixed seed."""
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("edit", EDITS)
def test_no_strength_changes_nothing(images: torch.Tensor, edit: BatchEdit) -> None:
    """At strength 0 each edit gives back its input, but for rounding."""
    torch.testing.assert_close(edit(images, _seeded(), torch.zeros(4, 1, 1, 1)), images, atol=0.2, rtol=0)


@pytest.mark.parametrize("edit", EDITS)
def test_full_strength_changes_images(images: torch.Tensor, edit: BatchEdit) -> None:
    """At strength 1 most images are other ones (a range may begin at nothing), and the same seed makes the same one."""
    first, again = (edit(images, _seeded(), torch.ones(4, 1, 1, 1)) for _ in range(2))
    assert ((first - images).abs().mean((1, 2, 3)) > 0.01).sum() >= 2
    torch.testing.assert_close(first, again, atol=0, rtol=0)


def test_zoom_shows_a_window_of_the_image() -> None:
    """On an image whose values are its coordinates, the window is as large as the zoom says, and inside."""
    slope = torch.linspace(0, 255, 101).expand(8, 3, 101, 101)
    window = batch_edits.zoom_crop(slope, _seeded(), torch.ones(8, 1, 1, 1))
    width = (window[..., -2] - window[..., 1])[:, 0, 50] / (255 * 98 / 100)
    assert (width > 1 / 1.5 - 0.01).all()
    assert (width < 1.001).all()
    assert window.min() > -1
    assert window.max() < 256


def test_noise_keeps_to_its_range() -> None:
    """Salt and pepper hit at most 6 % of the pixels, half of them white; sigma is at most 30."""
    flat = torch.full((64, 3, 64, 64), 128.0)
    hit = batch_edits.salt_and_pepper(flat, _seeded(), torch.ones(64, 1, 1, 1))
    shares = (hit != 128).float().mean((1, 2, 3))
    assert 0.02 < shares.mean() < 0.04
    assert shares.max() < 0.07
    assert int((hit == 255).sum()) == pytest.approx(int((hit == 0).sum()), rel=0.1)
    sigmas = batch_edits.gaussian_noise(flat, _seeded(), torch.ones(64, 1, 1, 1)).std((1, 2, 3))
    assert sigmas.max() < 30.5
    assert 12 < sigmas.mean() < 18


def test_copies_are_on_the_scale_and_follow_the_mix(images: torch.Tensor) -> None:
    """A mix of nothing but noise leaves the mean alone; any mix stays on 0-255."""
    many = images.repeat(8, 1, 1, 1)
    edited = copies(many, _seeded(), 1.0, EditMix())
    assert (edited.min() >= 0, edited.max() <= 255) == (True, True)
    only = EditMix(colour=0, zoom=0, noise=0, combined=0, grey=1, wild=0)
    grey = copies(many, _seeded(), 1.0, only)
    assert ((grey.amax(1) - grey.amin(1)) <= (many.amax(1) - many.amin(1)) + 0.01).all()


@pytest.mark.parametrize(("stored", "size"), [(208, 144), (208, 160), (144, 144), (288, 144), (331, 144), (96, 20)])
def test_reduction_is_that_of_serving(stored: int, size: int) -> None:
    """The reduction of a batch gives the pixels that serving gives to the network, to a level, even of noise."""
    square = np.random.default_rng(stored).integers(0, 256, (stored, stored, 3)).astype(np.uint8)
    expected = to_square(square, size, SMOOTH).transpose(2, 0, 1).astype(np.float32)
    found = batch_edits.reduce(torch.from_numpy(square.transpose(2, 0, 1).copy())[None].float(), size)[0].numpy()
    assert np.abs(found - expected).max() <= 1


def _unit(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    """Return random unit rows."""
    return normalize(torch.from_numpy(rng.standard_normal(shape)), dim=-1)


def test_the_loss_equals_a_slow_one() -> None:
    """InfoNCE over masked others plus KoLeo, recomputed pair by pair."""
    rng, config = np.random.default_rng(0), LossConfig(temperature=0.5, spread=2.0, shared=0.0)
    clean, edits, others = (_unit(rng, rows, 4) for rows in (3, 6, 9))
    alone = torch.zeros(3, dtype=torch.bool)
    owner, alike = torch.arange(3).repeat(2), torch.from_numpy(rng.random((3, 9)) < 0.3)
    terms = []
    for m in range(6):
        n = int(owner[m])
        for row in (clean[n], edits[m]):
            likeness = math.exp(float(clean[n] @ edits[m]) / 0.5)
            rest = sum(math.exp(float(row @ others[k]) / 0.5) for k in range(9) if not alike[n, k])
            terms.append(-math.log(likeness / (likeness + rest)))
    gaps = [min(float((clean[n] - others[k]).norm()) for k in range(9) if not alike[n, k]) for n in range(3)]
    expected = np.mean(terms) - 2 * np.mean(np.log(gaps))
    assert float(loss(clean, edits, owner, others, alike, alone, config)) == pytest.approx(expected)


def test_pooled_pressure_is_one_for_all() -> None:
    """Wholly shared, every row feels the mean of all rows' pressures; not shared, its own."""
    own = torch.tensor([0.0, math.log(3.0)])
    none = torch.zeros(2, dtype=torch.bool)
    torch.testing.assert_close(pooled(own, 0.0, none), own)
    torch.testing.assert_close(pooled(own, 1.0, none), torch.full((2,), math.log(2.0)))


def test_drawn_pages_press_on_nobody_else() -> None:
    """The pressure of a row that stands alone is its own, and is no part of the others' mean."""
    own, alone = torch.tensor([0.0, math.log(3.0), 9.0]), torch.tensor([False, False, True])
    torch.testing.assert_close(pooled(own, 1.0, alone), torch.tensor([math.log(2.0), math.log(2.0), 9.0]))


def test_the_loss_falls_as_pairs_close_and_rises_as_others_near() -> None:
    """Both halves of the loss point the right way."""
    near, far = (info_nce(torch.tensor([cosine]), torch.tensor([10.0]), 0.05) for cosine in (0.9, 0.5))
    assert near < far
    rows, none = _unit(np.random.default_rng(0), 1, 4), torch.zeros(1, 1, dtype=torch.bool)
    assert koleo(rows, normalize(rows + 0.1), none) > koleo(rows, -rows, none)


def test_the_bank_is_a_ring() -> None:
    """It gives what was put in, and the newest takes the oldest's place."""
    bank = Bank(3, 2, torch.device("cpu"))
    bank.push(torch.ones(2, 2), torch.tensor([7, 8]))
    assert bank.filled()[1].tolist() == [7, 8]
    bank.push(2 * torch.ones(2, 2), torch.tensor([9, 10]))
    assert bank.filled()[1].tolist() == [10, 8, 9]
    assert bank.filled()[0][:, 0].tolist() == [2, 1, 2]


def test_near_copies_are_masked(photos: Mapping[str, Pixels]) -> None:
    """A picture and itself, and a picture and its shifted twin; the other near pair is a hard one."""
    cat = photos["cat"]
    pictures = [Picture(f"x/{i}", pixels) for i, pixels in enumerate([cat, cat[:-20, 30:], photos["coffee"]])]
    looks = shelve(pictures, 32, torch.device("cpu"), workers=1).looks
    known = neighbours(looks, looks.alike, torch.tensor([[0, 1], [0, 2]]), workers=2)
    assert known.hard.tolist() == [[0, 2]]
    assert known.alike.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_drawn_pages_are_no_hard_pairs(photos: Mapping[str, Pixels]) -> None:
    """A page that the run drew is never a near-copy, and takes no place on the list of nearest pairs."""
    pictures = [Picture(name, photos["cat"]) for name in (f"{DRAWN}/1", f"{DRAWN}/2", "x/1", "x/2")]
    looks = shelve(pictures, 32, torch.device("cpu"), workers=1).looks
    known = neighbours(looks, looks.alike, torch.tensor([[0, 1], [1, 2]]), workers=1)
    assert known.alike.nonzero().tolist() == [[0, 0], [1, 1], [2, 2], [2, 3], [3, 2], [3, 3]]
    assert nearest_of_shelf(torch.eye(4), looks, 5).tolist() == [[2, 3]]


def test_the_nearest_pairs_are_those_of_calibration() -> None:
    """Torch's list over several chunks of rows is numpy's; asked for more than all, it gives all."""
    rows = _unit(np.random.default_rng(0), 1500, 16)
    expected = [[pair.first, pair.second] for pair in nearest_pairs(rows.numpy().astype(np.float32), 200)]
    assert nearest(rows, 200).tolist() == expected
    assert len(nearest(rows[:5], 100)) == 10


def test_an_epoch_sees_each_picture_once() -> None:
    """The batches of an epoch are disjoint, and another epoch has another order."""
    config = replace(debug_cpu(), pictures=5)
    rows = torch.cat([rows_of(step, 20, config) for step in range(4)])
    assert sorted(rows.tolist()) == list(range(20))
    assert rows_of(4, 20, config).tolist() != rows_of(0, 20, config).tolist()


def test_no_picture_is_in_more_hard_pairs_than_it_may() -> None:
    """Of a series whose frames are all near each other, the nearest pairs stay, and pairs of others after them."""
    series = [[0, 1], [0, 2], [1, 2], [0, 3], [3, 1], [2, 3], [4, 5]]
    assert spread(torch.tensor(series), 2).tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]
    assert spread(torch.empty(0, 2, dtype=torch.int64), 2).shape == (0, 2)


def test_the_nearest_hard_pairs_are_drawn_most() -> None:
    """Whole pairs are drawn, the first quarter of the list half of the time; an empty list gives none."""
    hard = torch.arange(200).view(100, 2)
    drawn = hard_rows(hard, _seeded(), 1000).view(-1, 2)
    assert (drawn[:, 1] - drawn[:, 0] == 1).all()
    assert float((drawn[:, 0] < 50).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert len(hard_rows(hard[:0], _seeded(), 5)) == 0


def test_a_batch_is_decided_by_its_step(tiles: list[Picture]) -> None:
    """The same step gives the same batch, of the stated shape; a varied one differs."""
    shelf, config = shelve(tiles[:20], 64, torch.device("cpu"), workers=1), replace(debug_cpu(), input_size=32, hard=4)
    hard, varied = torch.tensor([[0, 1]]), replace(config, vary=Vary(share=1.0))
    first, again, other = (batch(shelf, hard, 3, some) for some in (config, config, varied))
    assert first.images.shape == (84, 3, 32, 32)
    torch.testing.assert_close(first.images, again.images, atol=0, rtol=0)
    assert not torch.equal(first.images, other.images)
    assert first.owner.tolist() == [*range(28), *range(28)]


def test_a_varied_picture_is_another_one_in_all_its_variants() -> None:
    """Window, turn, colours and the joined half are drawn once a picture: its variants stay equal; the rest stay."""
    plain = 255 * torch.rand(12, 1, 3, 24, 24, generator=_seeded())
    pair = plain.repeat(1, 2, 1, 1, 1)
    made = vary(pair, _seeded(), Vary(share=1.0))
    torch.testing.assert_close(made[:, 0], made[:, 1], atol=0, rtol=0)
    assert all(float((one - old).abs().mean()) > 5 for one, old in zip(made[:, 0], plain[:, 0], strict=True))
    some = (vary(pair, _seeded(), Vary(share=0.5)) != pair).flatten(1).any(1)
    assert 0 < int(some.sum()) < 12


def test_a_joined_picture_shows_two() -> None:
    """One side of the line is the picture's own, the other the next one's, 40-60 % of it."""
    flat = torch.arange(6.0)[:, None, None, None, None].expand(6, 1, 3, 50, 50) * 40
    whole = Vary(share=1.0, least=1.0, most=1.0, turned=0.0, joined=1.0, tinted=0.0)
    joined = vary(flat, _seeded(), whole).round()
    for index, picture in enumerate(joined):
        own = float((picture == 40 * index).float().mean())
        assert set(picture.unique().tolist()) == {40.0 * index, 40.0 * ((index - 1) % 6)}
        assert 0.38 <= own <= 0.62


def test_the_kept_weights_are_the_running_mean(tiles: list[Picture], tmp_path: Path) -> None:
    """Averaged over a thousand steps, they stay near the first one; over one, they are the last ones."""
    weights = weights_of(read_model(FLOAT32_WEIGHTS.read_bytes()))
    moved = []
    for steps in (1, 1000):
        run = Run(FLOAT32_WEIGHTS, tmp_path / str(steps), tell=lambda _: None)
        train(run, *_split(tiles), replace(_tiny(), average=steps))
        kept = torch.load(run.out / WEIGHTS, weights_only=True)
        trunk = (name for name in weights if name.startswith("blocks."))
        moved.append(sum(float((kept[name] - torch.from_numpy(weights[name])).abs().sum()) for name in trunk))
    assert 0 < moved[1] < moved[0] / 2


def test_edits_grow_along_the_curriculum() -> None:
    """From the first strength to the whole range, and not beyond."""
    curriculum = Curriculum(first=0.5, ramp=0.4)
    assert [curriculum.strength(done) for done in (0.0, 0.2, 0.4, 1.0)] == pytest.approx([0.5, 0.75, 1.0, 1.0])


def test_the_centred_layer_points_where_the_plain_one_does() -> None:
    """Directions are the same before training, and it folds back into a plain layer."""
    torch.manual_seed(0)
    plain, features = torch.nn.Linear(6, 3), torch.rand(10, 6) + 2
    centred = CentredLinear(plain, features)
    torch.testing.assert_close(normalize(centred(features)), normalize(plain(features)))
    plain.load_state_dict(centred.plain())
    torch.testing.assert_close(plain(features), centred(features))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_give_whole_configurations(name: str) -> None:
    """Each warms up within its steps and asks for edits that add up."""
    config = RECIPES[name]()
    mix = config.mix
    assert config.warm_up < config.steps
    assert mix.colour + mix.zoom + mix.noise + mix.combined + mix.grey + mix.wild <= 1


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write an encoder with the shipped trunk and a random linear step."""
    model = read_model(FLOAT32_WEIGHTS.read_bytes())
    weights, spec = weights_of(model), spec_of(model)
    torch.manual_seed(0)
    network = SiameseEncoder(layout_of(spec.architecture, spec.dim))
    trunk = {name: torch.from_numpy(values) for name, values in weights.items() if not name.startswith("whiten.")}
    network.load_state_dict(trunk, strict=False)
    path = tmp_path_factory.mktemp("start") / "start.onnx"
    write(path, network, spec)
    return path


def _curve(out: Path) -> list[dict[str, float]]:
    """Read a run's curve."""
    with (out / "curve.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _split(tiles: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Return what fits and what is held out."""
    return [tile for tile in tiles if not is_held_out(tile.name)], [tile for tile in tiles if is_held_out(tile.name)]


def _tiny() -> TrainConfig:
    """Return a run of four steps."""
    return replace(debug_cpu(), steps=4, save_every=2, pictures=4, input_size=32, store_size=32, queries=4)


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_left(tiles: list[Picture], start: Path, tmp_path: Path) -> None:
    """Left off and resumed, a run ends near where an unbroken one does; its files stay small."""
    for out, spans in (("whole", [(False, None)]), ("broken", [(False, 2), (True, None)])):
        for resume, until in spans:
            train(Run(start, tmp_path / out, resume, until, lambda _: None), *_split(tiles), _tiny())
    whole, broken = (torch.load(tmp_path / out / WEIGHTS, weights_only=True) for out in ("whole", "broken"))
    assert [row["step"] for row in _curve(tmp_path / "broken")] == [0, 2, 4]
    for name, values in whole.items():
        torch.testing.assert_close(broken[name], values, atol=2e-3, rtol=1e-2)
    assert max((tmp_path / "whole" / name).stat().st_size for name in (WEIGHTS, STATE)) < 16e6


def _held_out_loss(start: Path, trained: Path | None, tiles: list[Picture]) -> float:
    """Return the loss on edited held-out pictures at full strength, of *start* or of the weights in *trained*."""
    config, shelf = debug_cpu(), shelve(_split(tiles)[1], 128, torch.device("cpu"), workers=1)
    learner = _learner(start, shelf, config, torch.device("cpu"))
    if trained is not None:
        kept, weights = learner.average.module, torch.load(trained, weights_only=True)
        kept.whiten = torch.nn.Linear(kept.pooled_features, kept.layout.dim)
        kept.load_state_dict({name: weights[name] for name in weights if name != INPUT_SIZE})
    some = batch(shelf, NONE_HARD, config.steps, config)
    with torch.no_grad():
        views = learner.describe(some.images)
    same = some.ids[:, None] == torch.cat([some.ids, some.ids[some.owner]])
    clean, edits = views.split([len(some.ids), len(some.owner)])
    return float(loss(clean, edits, some.owner, views, same, some.drawn, config.loss))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_debug_cpu_learns_what_carries_over(tiles: list[Picture], start: Path, tmp_path: Path) -> None:
    """On pictures that the recipe does not learn from the loss falls, and recall rises over that of its start."""
    train(Run(start, tmp_path, tell=lambda _: None), *_split(tiles), debug_cpu())
    before, after = (_held_out_loss(start, weights, tiles) for weights in (None, tmp_path / WEIGHTS))
    assert after < before - 0.3
    first, *_, last = (np.mean([row[family] for family in MAIN]) for row in _curve(tmp_path))
    assert last > first + 0.02


def test_training_from_no_encoder_says_so(tiles: list[Picture], tmp_path: Path) -> None:
    """A start that is no encoder's file, or an int8 one, is named, without a traceback."""
    (tmp_path / "tiles").mkdir()
    for number, tile in enumerate(tiles[:40]):
        Image.fromarray(tile.pixels).save(tmp_path / "tiles" / f"{number}.png")
    (tmp_path / "notes.onnx").write_text("# Notes")
    options = ["--recipe", "debug_cpu", "--data", str(tmp_path / "tiles"), "--out", str(tmp_path / "run")]
    for start, told in ((tmp_path / "notes.onnx", "it is no ONNX model"), (SHIPPED_WEIGHTS, "its weights are int8")):
        result = CliRunner().invoke(main, ["train", *options, "--start", str(start)])
        assert result.exit_code == 1
        assert f"{start.name}: {told}" in result.stderr


def test_there_must_be_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    """Before pictures are read, the message names the file that is missing, and the option."""
    options = ["--recipe", "debug_cpu", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--resume"]
    result = CliRunner().invoke(main, ["train", *options])
    assert result.exit_code == 1
    assert f"{tmp_path / 'run' / STATE} is not there: name the --out of a run that left off" in result.stderr


def test_a_run_goes_on_with_its_own_checkpoint_only(tiles: list[Picture], start: Path, tmp_path: Path) -> None:
    """A file of something else, and a text, are told from a checkpoint, and what to do."""
    shelf, device = shelve(tiles[:20], 32, torch.device("cpu"), workers=1), torch.device("cpu")
    learner = _learner(start, shelf, _tiny(), device)
    for content in (b"# Notes", b""):
        (tmp_path / STATE).write_bytes(content)
        with pytest.raises(
            CheckpointError, match=rf"{STATE} is no checkpoint of this run \(.+\); go on with the recipe"
        ):
            learner.resume(tmp_path)
    torch.save({"step": 3}, tmp_path / STATE)
    with pytest.raises(CheckpointError, match="no checkpoint of this run"):
        learner.resume(tmp_path)


def test_training_without_data_says_where_it_looked(tmp_path: Path) -> None:
    """An empty folder ends `train` in one message with the place and the option, and no run is begun."""
    options = ["--recipe", "debug_cpu", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, ["train", *options])
    assert result.exit_code == 1
    assert f"no pictures at {tmp_path}: name a folder or tar files of images with --data" in result.stderr
    assert not (tmp_path / "run").exists()
