"""Thumbnails: any size, and the quick ways to find specks and paper beside the obvious ones."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from model.decode import decode_image
from model.grey import resized
from model.paper import PARTS, SPOTS, _evenly_lit
from model.second_look import as_jpeg, is_thumbnail, thumbnail
from model.specks import APART, CALM, PATCHES, SPECKLED, _speckled

Pixels = npt.NDArray[np.uint8]


def test_a_picture_of_any_size_has_a_thumbnail() -> None:
    """Not even a picture of a few pixels, or of one row or column, is an error."""
    rng = np.random.default_rng(0)
    shapes = [*product(range(1, 9), repeat=2), (1, 3000), (3000, 1), (4, 900)]
    assert all(is_thumbnail(thumbnail(rng.integers(0, 256, (*shape, 3), np.uint8))) for shape in shapes)


def speckled(grey: Pixels) -> bool:
    """Return what _speckled is to: whether enough patches hold a pixel that stands out from calm neighbours."""
    lonely = np.zeros(grey.shape, np.bool_)
    for y, x in np.ndindex(grey.shape):
        around = grey[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].astype(int)
        others = np.delete(around.ravel(), (y - max(y - 1, 0)) * around.shape[1] + x - max(x - 1, 0))
        out = max(grey[y, x] - others.max(), others.min() - grey[y, x])
        lonely[y, x] = out >= APART and np.ptp(others) <= CALM
    side = len(grey) // PATCHES
    return int(lonely.reshape(PATCHES, side, PATCHES, side).any((1, 3)).sum()) >= SPECKLED


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (0.005, False), (0.03, True), (0.5, False)])
def test_specks_are_told_from_calm_and_from_turmoil(share: float, expected: bool) -> None:
    """Some specks on calm ground are found, few or none are not, nor so many that none is alone."""
    rng = np.random.default_rng(0)
    grey = rng.integers(120, 132, (48, 48)).astype(np.uint8)
    grey[rng.random(grey.shape) < share] = 255
    assert (_speckled(grey), speckled(grey)) == (expected, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_light_is_evened_out_part_by_part(dtype: type[np.generic]) -> None:
    """The middle level of each part becomes that of them all, whatever is left of a level is dropped."""
    x = np.linspace(0, 90, 112)
    grey = (np.random.default_rng(0).integers(60, 80, (112, 112)) + x).astype(dtype)
    spots = resized(grey.astype(np.float32), PARTS * SPOTS, PARTS * SPOTS).reshape(PARTS, SPOTS, PARTS, SPOTS)
    paper = np.median(spots.swapaxes(1, 2).reshape(PARTS, PARTS, -1), axis=2).astype(np.float32)
    lit = grey.astype(np.float64) - resized(paper, 112, 112) + np.median(paper)
    apart = _evenly_lit(grey).astype(int) - np.floor(np.clip(lit, 0, 255)).astype(int)
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() < 0.001


def test_a_thumbnail_can_be_looked_at(photos: Mapping[str, Pixels]) -> None:
    """As a JPEG it has the picture's proportions, its light, and about its colours."""
    for pixels in photos.values():
        small = decode_image(as_jpeg(thumbnail(pixels))).pixels
        expected = cv2.resize(pixels, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert small.shape[1] / small.shape[0] == pytest.approx(pixels.shape[1] / pixels.shape[0], rel=0.02)
        assert np.abs(small.astype(float) - expected).mean() < 12
        assert np.abs(small.mean((0, 1)) - expected.mean((0, 1))).max() < 4
    with pytest.raises(ValueError, match="no thumbnail"):
        as_jpeg(b"x" * 200)
