"""Which pictures scripts/gather_pictures.py takes, and which it leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageEnhance
from skimage import data as photos

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

import gather_pictures


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return folders: photographs, a darker copy of one, a plain, a tiny, a long and a broken picture."""
    folder = tmp_path / "packages" / "one" / "deep"
    folder.mkdir(parents=True)
    cat, coffee = (Image.fromarray(read()) for read in (photos.cat, photos.coffee))
    cat.save(folder / "cat.jpg")
    coffee.save(folder / "coffee.png")
    ImageEnhance.Brightness(cat).enhance(0.8).save(folder / "cat again.jpg")
    Image.new("RGB", (300, 300), "teal").save(folder / "plain.png")
    cat.resize((90, 60)).save(folder / "tiny.png")
    cat.resize((900, 120)).save(folder / "long.png")
    (folder / "broken.png").write_bytes((folder / "coffee.png").read_bytes()[:2000])
    return tmp_path / "packages"


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(gather_pictures.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _short_side(path: Path) -> int:
    with Image.open(path) as image:
        return min(image.size)


def test_one_of_each_picture_is_taken(packages: Path, tmp_path: Path) -> None:
    """The near-copy, the plain, tiny, long and broken files are left; what is taken is reduced to 208 pixels."""
    assert "one: 2 pictures" in _run(packages / "one", "--out", tmp_path / "out")
    assert [_short_side(path) for path in (tmp_path / "out" / "one").iterdir()] == [208, 208]


def test_near_copies_of_known_pictures_are_left(packages: Path, tmp_path: Path) -> None:
    """What is known already, edited or not, is not taken again."""
    (tmp_path / "known").mkdir()
    Image.fromarray(photos.cat()).resize((240, 160)).save(tmp_path / "known" / "small cat.png")
    assert "one: 1 pictures" in _run(packages / "one", "--known", tmp_path / "known", "--out", tmp_path / "out")


def test_no_more_than_asked_for_are_taken(packages: Path, tmp_path: Path) -> None:
    """`--most` bounds each source."""
    assert "one: 1 pictures" in _run(packages / "one", "--most", 1, "--out", tmp_path / "out")
