"""Every file of the corpus of bad and odd files comes to what it must come to."""

from __future__ import annotations

import numpy as np
import pytest
from corpus.make import CASES, Case

from indexer.decode import Decoded, decode
from indexer.errors import ImageError

GOOD = [case for case in CASES if case.kind == "ok"]
BAD = [case for case in CASES if case.kind != "ok"]


def names(case: Case) -> str:
    """Return the test's name."""
    return case.name


def quarters(image: Decoded) -> list[list[int]]:
    """Return the colours in the middle of the four quarters."""
    height, width = image.pixels.shape[:2]
    at = [(height // 4, width // 4), (height // 4, width * 3 // 4), (height * 3 // 4, width // 4)]
    return [image.pixels[y, x].tolist() for y, x in [*at, (height * 3 // 4, width * 3 // 4)]]


@pytest.mark.parametrize("case", GOOD, ids=names)
def test_odd_files_are_decoded(case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    """An odd but valid file gives the right size, orientation and colours, and nothing is printed."""
    image = decode(case.make())
    assert (image.width, image.height) == case.size
    assert image.pixels.shape == (case.size[1], case.size[0], 3)
    assert np.abs(np.subtract(quarters(image), case.quarters)).max() <= 6
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("case", BAD, ids=names)
def test_bad_files_are_rejected_with_a_reason(case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    """A bad file is named by kind and in one sentence, and nothing is printed."""
    with pytest.raises(ImageError) as caught:
        decode(case.make())
    assert caught.value.kind == case.kind, str(caught.value)
    assert case.reason in str(caught.value)
    assert str(caught.value).endswith((".", ")."))
    assert capfd.readouterr() == ("", "")


def test_the_corpus_is_large_and_its_names_are_distinct() -> None:
    """Each of the corpus's files, at least forty of them bad, has a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(BAD) >= 40
