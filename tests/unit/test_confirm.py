"""The door to the second look: what the indexer relies on, whatever is behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pictures
import pytest

from indexer import EncoderError, confirm
from indexer.records import THUMBNAIL_MAX_BYTES
from indexer.verdict import Place, Rule, place_among
from model import page_evidence
from model.augment import FAMILIES
from model.receipts import receipts


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2000, 3), (2000, 3, 3), (150, 200, 3), (1500, 1000, 3)])
def test_a_thumbnail_fits_its_place(shape: tuple[int, int, int]) -> None:
    """Of any picture there is one, it is never empty, and it is not longer than a collection holds."""
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert 0 < len(confirm.thumbnail(noise)) <= THUMBNAIL_MAX_BYTES


def test_a_picture_confirms_itself_and_no_other() -> None:
    """The same picture is confirmed, another one is not; what comes back is plain numbers, the same each time."""
    one, other = (confirm.thumbnail(pictures.part(number)) for number in (0, 1))
    looks = [confirm.look_again(one, one), confirm.look_again(one, other)]
    assert [look.score >= confirm.MIN_SCORE for look in looks] == [True, False]
    assert looks == [confirm.look_again(one, one), confirm.look_again(one, other)]
    assert json.loads(json.dumps([looks[0].score, looks[0].scale, looks[0].shift, looks[0].mirrored]))


def test_nothing_near_is_no_place() -> None:
    """Without matches no look is taken, and the image belongs to nobody."""
    assert place_among([], b"", Rule(confirm.look_again, 0.0, 0.5)) == Place()


def test_a_network_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page in doubt, here under a caption, needs it; that an installation lost it is no bug, and says what to do."""
    page = receipts(3)[2].pixels
    captioned = FAMILIES["caption"](page, np.random.default_rng(0), 1.0)
    monkeypatch.setattr(page_evidence, "WEIGHTS", tmp_path / "pages.onnx")
    page_evidence._session.cache_clear()
    with pytest.raises(EncoderError, match=r"pages\.onnx.*install Twinlens again"):
        confirm.look_again(confirm.thumbnail(captioned), confirm.thumbnail(page))
    page_evidence._session.cache_clear()
