"""Pages that are drawn to be learned from: many of one layout, all different."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

import torch

from model.batches import neighbours, shelve
from model.documents import PAGES, documents


def test_pages_of_one_layout_differ_and_come_out_the_same_again() -> None:
    """Each page of a layout has its size and its own contents; drawing again gives the same pixels."""
    first, again = documents(2), documents(2)
    assert [page.name for page in first] == [f"documents/{n}-{page}" for n in range(2) for page in range(PAGES)]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    layout = first[:PAGES]
    assert len({page.pixels.shape for page in layout}) == 1
    assert len({page.pixels.tobytes() for page in layout}) == PAGES


def test_drawn_pages_are_pushed_apart_however_alike() -> None:
    """No plain check may mask two pages of one layout: they are never near-copies."""
    shelf = shelve(documents(1), 64, torch.device("cpu"), workers=1)
    known = neighbours(shelf.looks, shelf.looks.alike, torch.tensor([[0, 1], [2, 5]]), workers=1)
    assert torch.equal(known.alike, torch.eye(PAGES, dtype=torch.bool))
