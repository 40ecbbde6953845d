"""Gate and second look measured together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

from model import Encoder
from model.cli import main
from model.data import Picture
from model.plots import draw_pairs, draw_whole
from model.spec import SHIPPED_WEIGHTS
from model.strangers import (
    SIDES,
    Judge,
    Rule,
    View,
    by_side,
    confirmed_pairs,
    counted,
    expected_at_most,
    looked_at,
    rate_of,
)
from model.systems import EncoderSystem
from model.whole import WholeConfig, _confirmed_line, as_text, beside, measure, recall_at, view_of

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def views(encoder: Encoder, photos: Mapping[str, Pixels]) -> dict[str, View]:
    """Describe the photographs."""
    return {name: view_of(encoder, pixels) for name, pixels in photos.items()}


def test_the_whole_is_what_gate_and_look_both_find(
    encoder: Encoder, photos: Mapping[str, Pixels], tmp_path: Path
) -> None:
    """The shares multiply; re-saved photographs are found, no different pictures pass, and it can be drawn."""
    pictures = [Picture(f"x/{name}", pixels[:300, :400]) for name, pixels in photos.items()]
    figures = measure(encoder, pictures, {}, WholeConfig(queries=2, workers=2), lambda _: None)
    for found in figures["recall"].values():
        assert found["whole"] == pytest.approx(found["gate"] * found["look"])
    assert figures["recall"]["jpeg"]["whole"] == 1
    assert {found["confirmed"] for found in figures["different"].values()} == {0}
    assert "receipts of one shop" in as_text(figures)
    draw_whole(tmp_path / "whole.png", figures)
    with Image.open(tmp_path / "whole.png") as drawn:
        assert drawn.width > 500


def test_the_inner_radius_needs_no_look(views: Mapping[str, View]) -> None:
    """Strictly within it different pictures pass; from it on they are compared, and refuted."""
    rule = Rule(radius=0.01, inner=0.002)
    assert rule.look(0.0019, views["cat"], views["coffee"])
    assert not rule.look(0.002, views["cat"], views["coffee"])


def test_recall_is_told_at_any_radius(encoder: Encoder, photos: Mapping[str, Pixels]) -> None:
    """`calibrate` draws it at the radius that it found: nothing passes a tiny one, everything a huge one."""
    pictures, config = [Picture("x/cat", photos["cat"][:200, :200])], WholeConfig(queries=1)
    tiny, huge = (recall_at(encoder, pictures, Rule(radius, 0.0), config, lambda _: None) for radius in (1e-9, 1.0))
    assert {tuple(found.values()) for found in tiny.values()} == {(0, 0, 0)}
    assert {found["gate"] for found in huge.values()} == {1}
    assert huge["jpeg"]["whole"] == 1


@pytest.fixture
def judge() -> Iterator[Judge]:
    """Look at pairs within 0.02, of which those within 0.01 lie within the radius; no two are near-copies."""
    with ThreadPoolExecutor(1) as pool:
        yield Judge(Rule(radius=0.01, inner=0.002), 0.02, lambda *_: False, pool)


def placed(views: Mapping[str, View], *places: tuple[str, float]) -> list[View]:
    """Return the thumbnails of photographs, with descriptors on a line: their distances are known by hand."""
    return [View(np.array([x, 0], np.float32), views[name].thumbnail) for name, x in places]


@pytest.mark.parametrize(
    ("found", "most"), [(0, 3.00), (1, 4.74), (2, 6.30), (10, 16.96), (168, 190.94), (3650, 3750.95)]
)
def test_a_count_bounds_its_mean_at_95_percent(found: int, most: float) -> None:
    """The bound is the one that tables of the Poisson distribution have, of no count and of thousands."""
    assert expected_at_most(found) == pytest.approx(most, abs=0.005)
    assert rate_of(found, 10**9)["at_most"] == pytest.approx(expected_at_most(found) / 1e9)


def test_the_bound_keeps_its_promise() -> None:
    """Where the rate is just above the bound of what was found, so few are seen in one of twenty experiments."""
    seen = np.random.default_rng(0).poisson([[1.001 * expected_at_most(found)] for found in (1, 5)], (2, 100_000))
    assert [(counts <= found).mean() for counts, found in zip(seen, (1, 5), strict=True)] == pytest.approx(
        [0.05, 0.05], abs=0.003
    )


def test_no_bound_is_above_one(views: Mapping[str, View], judge: Judge) -> None:
    """None of one pair bounds the rate at 1 and no higher, and so do six of six."""
    apart = judge.unedited(placed(views, ("cat", 0), ("cat", 1)))
    assert (counted(apart, 0.01)["rate"], counted(apart, 0.01)["at_most"]) == (0, 1)
    same = judge.edited("noise", placed(views, ("cat", 0), ("cat", 0)), placed(views, *[("cat", 0.005)] * 4))
    assert (counted(same, 0.01)["confirmed"], counted(same, 0.01)["at_most"]) == (6, 1)


def test_a_wider_gate_shows_the_look_more_pairs(views: Mapping[str, View], judge: Judge) -> None:
    """A pair between radius and gate counts for the look alone; one beyond the gate is compared and not looked at."""
    part = judge.unedited(placed(views, ("cat", 0), ("coffee", 0.009), ("cat", 0.015), ("rocket", 1)))
    assert part.pairs == 6
    assert [counted(part, 0.01)[head] for head in ("within_radius", "confirmed")] == [2, 0]
    assert [looked_at(part)[head] for head in ("looked_at", "confirmed")] == [3, 1]


def test_near_copies_are_set_aside(views: Mapping[str, View], judge: Judge) -> None:
    """What a plain check calls near-copies is counted apart and never looked at."""
    plain = replace(judge, alike=lambda first, second: (first, second) == (0, 1))
    part = plain.unedited(placed(views, ("cat", 0), ("cat", 0.005), ("cat", 0.006)))
    assert (part.near_copies, [near.pair.first for near in part.near]) == (1, [2, 2])


def test_confirmed_pairs_are_listed_once(views: Mapping[str, View], judge: Judge) -> None:
    """Two pictures that pass in two parts are listed once, at the nearer distance; a line tells what lies within."""
    cats = placed(views, ("cat", 0), ("cat", 0.015))
    parts = [judge.unedited(cats), judge.edited("noise", placed(views, ("cat", 0.006)), cats)]
    (listed,) = confirmed_pairs(parts, ["x/a", "x/b"], 0.01)
    assert (listed["pictures"], listed["within_radius"]) == (["x/a", "x/b"], True)
    assert listed["distance"] == pytest.approx(0.009)
    assert [found["part"] for found in listed["in"]] == ["edited by noise", "unedited"]
    assert _confirmed_line(listed, 0.01) == "0.00900  x/a  x/b  (edited by noise 1)"


def test_pairs_are_told_by_side_of_the_split(views: Mapping[str, View], judge: Judge) -> None:
    """All pairs have a side, by what each picture is; a pair within the radius is counted on its own."""
    shown = placed(views, ("cat", 0), ("coffee", 1), ("cat", 2), ("rocket", 2.009))
    parts = [judge.unedited(shown), judge.edited("noise", shown[:2], shown)]
    found = by_side(parts, 0.01, [True, True, False, False], 2)
    assert {side: found[side]["pairs"] for side in SIDES} == {SIDES[0]: 1 + 2, SIDES[1]: 4 + 4, SIDES[2]: 1 + 0}
    assert [found[side]["within_radius"] for side in SIDES] == [0, 0, 1]


def test_others_are_asked_for_the_same_copies(encoder: Encoder, photos: Mapping[str, Pixels]) -> None:
    """The encoder by its radius alone, as a system beside the whole, finds a copy where the gate lets it pass."""
    pieces = [pixels[y : y + 90, x : x + 80] for pixels in photos.values() for y in (0, 90, 180) for x in (0, 80, 160)]
    pictures = [Picture(f"x/{place}", pixels) for place, pixels in enumerate(pieces)]
    config = WholeConfig(queries=6)
    figures = measure(encoder, pictures, {}, config, lambda _: None)
    system = EncoderSystem("radius", SHIPPED_WEIGHTS, 2)
    system.radius = None
    found = beside([system], pictures, figures, config, lambda _: None)
    assert found["recall"]["radius"]["jpeg"] == figures["recall"]["jpeg"]["gate"] == 1
    assert found["rate"] == pytest.approx(5 / figures["different"]["together"]["pairs"])
    assert "radius" in as_text(figures | {"beside": found})


def test_measuring_without_data_says_where_it_looked(tmp_path: Path) -> None:
    """An empty folder ends `whole` in a message with the place and the option that names another."""
    result = CliRunner().invoke(main, ["whole", "--data", str(tmp_path)])
    assert (result.exit_code, str(tmp_path) in result.stderr, "--data" in result.stderr) == (1, True, True)


def test_the_command_takes_both_sides_of_the_split(tmp_path: Path, photos: Mapping[str, Pixels]) -> None:
    """Every picture is compared, whichever side it is on, and so many are edited; a wider gate has its own table."""
    for name, pixels in photos.items():
        Image.fromarray(pixels[:256, :256]).save(tmp_path / f"{name}.png")
    folder, target = tmp_path / "sheets", tmp_path / "whole.json"
    options = ["--data", str(tmp_path), "--all", "--queries", "1", "--counted", "2", "--json", str(target)]
    result = CliRunner().invoke(main, ["whole", *options, "--gate", "0.011", "--sheets", str(folder)])
    assert result.exit_code == 0, result.output
    figures = json.loads(target.read_text())
    assert (figures["references"], figures["different"]["unedited"]["pairs"]) == (4, 6)
    assert figures["different"]["edited by noise"]["pairs"] == 2 * 3
    assert "the look alone, within 0.011" in result.stdout


def test_confirmed_pairs_are_drawn(tmp_path: Path, photos: Mapping[str, Pixels]) -> None:
    """Twenty-five pairs fill one sheet and begin another."""
    draw_pairs(tmp_path, [("two cats", photos["cat"][:40, :40], photos["cat"][:40, :40])] * 25)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["001.png", "002.png"]
