"""The alert rules of docs/batch.md, as Prometheus reads them."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser
import pytest

BATCH = (Path(__file__).parents[2] / "docs/batch.md").read_text(encoding="utf-8")
RULES = re.findall(r"- alert: (\w+).*\n +expr: (?:>\n((?: {10,}.*\n)+)|(.*)\n)", BATCH)


def test_every_alert_has_an_expression() -> None:
    """None is passed over by what follows."""
    assert len(RULES) == BATCH.count("- alert:") > 0


@pytest.mark.parametrize("expression", [folded or plain for _, folded, plain in RULES], ids=[rule[0] for rule in RULES])
def test_every_alert_parses(expression: str) -> None:
    """One rule that does not parse makes Prometheus refuse them all."""
    assert promql_parser.parse(expression)
