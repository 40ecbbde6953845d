"""The copy edits: deterministic, gentle at strength 0, and what each promises."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from model.augment import FAMILIES, full_zoom, gaussian_noise, grey, rescale, salt_and_pepper, zoom_crop

Pixels = npt.NDArray[np.uint8]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_edit_is_decided_by_its_generator(photos: Mapping[str, Pixels], family: str) -> None:
    """The same generator state gives the same uint8 RGB pixels, and the input stays as it was."""
    before = photos["coffee"].copy()
    first, second = (FAMILIES[family](photos["coffee"], np.random.default_rng(3), 1.0) for _ in range(2))
    assert (first.dtype, first.ndim, first.shape[2]) == (np.uint8, 3, 3)
    assert first.tobytes() == second.tobytes()
    assert np.array_equal(photos["coffee"], before)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"jpeg", "webp"}))
def test_strength_zero_is_nearly_the_image_itself(photos: Mapping[str, Pixels], family: str) -> None:
    """Without strength an edit leaves the image, but for rounding."""
    same = FAMILIES[family](photos["cat"], np.random.default_rng(0), 0.0)
    assert np.abs(same.astype(int) - photos["cat"]).mean() < 1


@pytest.mark.parametrize("family", FAMILIES)
def test_one_pixel_can_be_edited(family: str) -> None:
    """The smallest image survives every edit."""
    edited = FAMILIES[family](np.full((1, 1, 3), 90, np.uint8), np.random.default_rng(1), 1.0)
    assert 1 <= edited.shape[0] <= 2
    assert 1 <= edited.shape[1] <= 2


def test_salt_and_pepper_keeps_to_its_share(photos: Mapping[str, Pixels]) -> None:
    """At most 6 % of the pixels change."""
    changed = [
        (salt_and_pepper(photos["cat"], np.random.default_rng(seed), 1.0) != photos["cat"]).any(2).mean()
        for seed in range(10)
    ]
    assert 0 < max(changed) < 0.065


def test_gaussian_noise_keeps_to_its_sigma() -> None:
    """The deviation on mid grey stays at or below 30."""
    blank = np.full((200, 200, 3), 128, np.uint8)
    assert max(gaussian_noise(blank, np.random.default_rng(s), 1.0).std() for s in range(10)) < 31


def test_the_full_zoom_is_the_end_of_the_range() -> None:
    """Two thirds of a slope across the picture are left, by whatever generator; a zoom may leave more."""
    slope = np.repeat(np.tile(np.arange(240, dtype=np.uint8), (240, 1))[..., None], 3, axis=2)
    edits, seeds = (full_zoom, zoom_crop), range(9)
    spans = {edit: [int(np.ptp(edit(slope, np.random.default_rng(seed), 1.0))) for seed in seeds] for edit in edits}
    assert all(abs(span - 160) <= 2 for span in spans[full_zoom])
    assert max(spans[zoom_crop]) > 180


def test_zoom_keeps_the_size_and_scaling_changes_it(photos: Mapping[str, Pixels]) -> None:
    """A zoomed copy has the image's own size; a rescaled one at least half of it."""
    cat, rng = photos["cat"], np.random.default_rng(5)
    assert zoom_crop(cat, rng, 1.0).shape == cat.shape
    assert cat.shape[0] / 2 - 1 <= rescale(cat, rng, 1.0).shape[0] < cat.shape[0]


def test_grey_has_three_equal_channels(photos: Mapping[str, Pixels]) -> None:
    """At full strength no colour is left."""
    assert np.ptp(grey(photos["cat"], np.random.default_rng(0), 1.0), axis=2).max() == 0
