"""Gate and second look measured together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

from model import Encoder
from model.cli import main
from model.data import Picture
from model.plots import draw_whole
from model.whole import Rule, View, WholeConfig, _counted, as_text, measure, view_of

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


def test_few_false_positives_are_bounded_by_the_rule_of_three(views: Mapping[str, View]) -> None:
    """None of 300 pairs bounds the rate at 1 %, as one does; four of them are told as they are."""
    rule, same = Rule(radius=0.01, inner=0.002), (0.005, views["cat"], views["cat"])
    assert [_counted(rule, 300, [same] * passing)["at_most"] for passing in (0, 1)] == [0.01, 0.01]
    assert _counted(rule, 400, [same] * 4)["at_most"] == 0.01


def test_measuring_without_data_says_where_it_looked(tmp_path: Path) -> None:
    """The command names the place and the option."""
    result = CliRunner().invoke(main, ["whole", "--data", str(tmp_path)])
    assert (result.exit_code, str(tmp_path) in result.stderr, "--data" in result.stderr) == (1, True, True)
