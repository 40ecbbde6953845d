"""The network that compares pages: its file, its answers, and how it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from model import page_evidence, second_look
from model.augment import FAMILIES
from model.documents import PAGES, documents
from model.page_evidence import PagesError, evidence
from model.reprint import other_band, other_lines, other_words
from model.second_look import EVIDENT, laid_pages, thumbnail


@pytest.fixture
def _anew() -> Iterator[None]:
    """Let the network be opened anew, before and after."""
    page_evidence._session.cache_clear()
    yield
    page_evidence._session.cache_clear()


def test_copies_of_pages_have_more_evidence_than_other_pages() -> None:
    """Of drawn pages with all three edits, the evidence is higher for the page itself than for its neighbours."""
    pages = documents(8)
    plain = [thumbnail(page.pixels) for page in pages]
    edited = [thumbnail(FAMILIES["combined"](p.pixels, np.random.default_rng(n), 1.0)) for n, p in enumerate(pages)]
    own, other = [], []
    for at, copy in enumerate(edited):
        neighbour = at - at % PAGES + (at + 1) % PAGES
        for found, one in ((own, plain[at]), (other, plain[neighbour])):
            laid = laid_pages(copy, one)
            found.extend([evidence(*laid)] if laid else [])
    assert np.median(own) > EVIDENT
    assert np.median(other) < 0


@pytest.mark.parametrize(("page", "family", "seed"), [("clock", "combined", 20), ("microaneurysms", "noise", 4)])
def test_what_the_rules_refute_by_little_is_confirmed_on_evidence(
    page: str, family: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture on an even ground is found again under edits that are too much for the rules alone."""
    pixels = np.repeat(getattr(data, page)()[..., None], 3, 2)
    pair = thumbnail(FAMILIES[family](pixels, np.random.default_rng(seed), 1.0)), thumbnail(pixels)
    assert second_look.second_look(*pair).score == second_look.MIN_SCORE
    monkeypatch.setattr(second_look, "EVIDENT", np.inf)
    assert second_look.second_look(*pair).score < second_look.MIN_SCORE


@pytest.mark.parametrize(("page", "seed"), [("page", 6), ("12", 2), ("12", 6), ("42", 4)])
def test_other_words_that_the_rules_let_pass_are_refuted_on_evidence(
    page: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with some words exchanged for others is no copy, also where it agrees well enough as a whole."""
    pixels = documents(6)[int(page)].pixels if page.isdigit() else np.repeat(data.page()[..., None], 3, 2)
    other = other_words(pixels, np.random.default_rng(seed))
    assert other is not None
    pair = thumbnail(other), thumbnail(pixels)
    assert second_look.second_look(*pair).score == second_look.TOLD_APART
    monkeypatch.setattr(second_look, "OTHERWISE", -np.inf)
    assert second_look.second_look(*pair).score >= second_look.MIN_SCORE


@pytest.mark.usefixtures("_anew")
@pytest.mark.parametrize("left", [None, b"", b"another network"])
def test_another_network_is_refused(left: bytes | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pages are compared by the file that the method names, or not at all."""
    file = tmp_path / "pages.onnx"
    if left is not None:
        file.write_bytes(left)
    monkeypatch.setattr(page_evidence, "WEIGHTS", file)
    with pytest.raises(PagesError, match=r"pages\.onnx.*install Twinlens again"):
        evidence(np.zeros((64, 64), np.float32), np.zeros((64, 64), np.float32))


def test_a_page_with_other_words_is_another_page() -> None:
    """It differs in many places but not in size, comes out the same again, and a photograph has no words."""
    page = documents(1)[0].pixels
    made, again = (other_words(page, np.random.default_rng(3)) for _ in range(2))
    assert made is not None
    assert again is not None
    assert np.array_equal(made, again)
    assert made.shape == page.shape
    assert 0.01 < (made != page).any(2).mean() < 0.5
    assert other_words(np.full((80, 80, 3), 200, np.uint8), np.random.default_rng(0)) is None


def test_a_page_with_other_lines_keeps_the_rest() -> None:
    """A part of its height shows what stood elsewhere; above and below it nothing changed."""
    page = documents(1)[0].pixels
    changed = (other_lines(page, np.random.default_rng(0)) != page).any((1, 2))
    assert 0.05 < changed.mean() < 0.75
    assert not changed[: int(0.05 * len(page))].any()


def test_a_page_with_another_band_keeps_the_rest() -> None:
    """A band of it shows what stands elsewhere, the rest did not change; of an even sheet none is made."""
    page = documents(1)[0].pixels
    made = other_band(page, np.random.default_rng(1))
    assert made is not None
    (rows,) = (made != page).any((1, 2)).nonzero()
    assert 0.02 * len(page) < rows[-1] - rows[0] < 0.2 * len(page)
    assert other_band(np.full((80, 80, 3), 200, np.uint8), np.random.default_rng(1)) is None


def test_torch_and_onnx_agree() -> None:
    """The file gives the evidence that the network that was trained gives, for any size of page."""
    torch = pytest.importorskip("torch", reason="needs the train extra")
    from model.page_network import INPUT, PageNetwork, to_onnx  # noqa: PLC0415
    from model.runtime.onnx import open_session  # noqa: PLC0415

    torch.manual_seed(0)
    network = PageNetwork()
    network(torch.randn(8, 2, 64, 64))  # batch norm has seen something
    network.eval()
    session = open_session(to_onnx(network))
    for height, width in ((160, 160), (272, 96), (32, 400)):
        pages = torch.randn(1, 2, height, width)
        (told,) = session.run(None, {INPUT: pages.numpy()})
        assert told == pytest.approx(network(pages).detach().numpy(), abs=1e-4)


@pytest.mark.slow
def test_it_learns_to_tell_pages_apart(tmp_path: Path) -> None:
    """A short training on a page and a few drawn layouts lowers the loss, and writes the file."""
    pytest.importorskip("torch", reason="needs the train extra")
    from click.testing import CliRunner  # noqa: PLC0415

    from model.cli import main  # noqa: PLC0415

    for number in range(6):
        crop = data.page()[: 150 + 2 * number, 4 * number :]
        Image.fromarray(crop).convert("RGB").save(tmp_path / f"{number}.png")
    out = tmp_path / "pages.onnx"
    options = ["--data", str(tmp_path), "--layouts", "2", "--steps", "60", "--out", str(out)]
    result = CliRunner().invoke(main, ["train-pages", *options])
    assert result.exit_code == 0, result.output
    losses = [float(line.split("loss")[1].split()[0]) for line in result.output.splitlines() if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]
    assert out.read_bytes()
