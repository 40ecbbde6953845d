"""Near pairs of different pictures: found, counted by part and kind, with distances known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model.calibrate import nearest_others
from model.data import Picture
from model.hard_groups import HardGroup, hard_groups
from model.kinds import pairs_by_kind
from model.mistakes import Mistakes, by_kind, by_part, within_group
from model.receipts import invoices, receipt

LINE = np.array([[0.0], [1.0], [3.0], [10.0]], np.float32)
COPIES = {"colour": np.array([[0.5], [1.0]], np.float32)}
KINDS = ("pets", "pets", "garments", "documents")


def _never(_first: int, _second: int) -> bool:
    return False


def test_nearest_others_leave_out_the_own_picture() -> None:
    """Of copies and references, each copy's own picture is no pair; in many blocks as in one."""
    z = np.random.default_rng(0).standard_normal((700, 3)).astype(np.float32)
    copies = z[:600] + np.float32(0.01)
    distances = np.linalg.norm(copies[:, None].astype(np.float64) - z, axis=2)
    distances[np.arange(600), np.arange(600)] = np.inf
    found = [pair.distance for pair in nearest_others(copies, z, 40)]
    np.testing.assert_allclose(found, np.sort(distances, axis=None)[:40], atol=1e-6)


def test_mistakes_are_counted_by_part() -> None:
    """Within 1.2: one pair as they are, and both copies with the other's picture, nearest first."""
    found = Mistakes.of(LINE, COPIES, _never)
    parts = by_part(found, 1.2)
    assert [near.pair.distance for near in found.near][:3] == [0.5, 1.0, 1.0]
    assert {part: (row["pairs"], row["false_positives"]) for part, row in parts.items()} == {
        "unedited": (6, 1),
        "colour": (6, 2),
        "together": (12, 3),
    }


def test_near_copies_are_no_mistakes() -> None:
    """A pair that a plain check calls alike is counted apart, whichever picture is edited."""
    together = by_part(Mistakes.of(LINE, COPIES, lambda i, j: (i, j) == (0, 1)), 1.2)["together"]
    assert (together["false_positives"], together["near_copies"]) == (0, 3)


def test_kinds_add_up_to_all_pairs() -> None:
    """The pairs by two kinds are all that were compared."""
    counts = pairs_by_kind(KINDS, 2, 1)
    assert counts.total() == 12
    assert (counts["pets / pets"], counts["garments / pets"]) == (3, 4)


def test_mistakes_are_counted_by_kind() -> None:
    """All three mistakes are of pets against pets, of three such pairs."""
    found = by_kind(Mistakes.of(LINE, COPIES, _never), 1.2, KINDS)
    assert found["pets / pets"] == {"pairs": 3, "false_positives": 3, "rate": 1.0}
    assert found["garments / pets"]["false_positives"] == 0


def test_few_pairs_give_no_rate() -> None:
    """Twelve pairs tell nothing of one in a million."""
    assert Mistakes.of(LINE, COPIES, _never).reach(1e-6, KINDS) is None


@pytest.mark.parametrize(("surely", "pairs", "wrong"), [(True, 2, 1), (False, 1, 0)])
def test_groups_that_surely_differ_need_no_check(surely: bool, pairs: int, wrong: int) -> None:
    """What is known to differ counts though a plain check calls it alike."""
    group = HardGroup("x", ((0, 1), (0, 2)), surely)
    found = within_group(group, LINE, lambda i, j: (i, j) == (0, 1), 1.2)
    assert (found["pairs"], found["false_positives"]) == (pairs, wrong)


def test_frames_follow_each_other_by_number() -> None:
    """Frames of one name and near numbers are a burst; pages of one source are a group."""
    blank = np.zeros((1, 1, 3), np.uint8)
    pictures = [Picture(f"grocery/{i}.jpg", blank) for i in range(3)] + [Picture("ocrd_assets/a", blank)] * 2
    originals = {
        "grocery/0.jpg": "a/Kiwi_001.jpg",
        "grocery/1.jpg": "a/Kiwi_002.jpg",
        "grocery/2.jpg": "a/Kiwi_009.jpg",
    }
    found = {group.name: group.pairs for group in hard_groups(pictures, originals)}
    assert found == {"pages of ocrd_assets": ((3, 4),), "frames of grocery": ((0, 1),)}


def test_receipts_differ_and_repeat() -> None:
    """One number gives one receipt; another gives other items on the same layout."""
    first, again, other = (receipt(number) for number in (1, 1, 2))
    assert np.array_equal(first, again)
    assert 0.01 < (first != other).any(2).mean() < 0.3


def test_invoices_are_for_the_same_goods() -> None:
    """Two of them differ in the numbers at the right and below, not in the names at the left, and repeat."""
    (first, other), (again, _) = ([page.pixels for page in invoices(2)] for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first[:440, :200], other[:440, :200])
    assert (first != other).any(2)[:440, 200:].any()
