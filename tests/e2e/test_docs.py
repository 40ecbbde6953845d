"""The documents say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commandline import Twinlens

from indexer.cli import cli
from indexer.errors import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = cli.list_commands(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained(command: str, twinlens: Twinlens) -> None:
    """Each command has a help of its own and stands in the README."""
    result = twinlens(command, "--help")
    assert (result.code, "Usage: twinlens" in result.out) == (0, True)
    assert re.search(rf"twinlens {command}\b", README)


def test_every_exit_code_is_in_the_readme() -> None:
    """The table of exit codes is complete and has no other."""
    table = README.partition("| exit code |")[2].partition("\n\n")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert listed == set(ExitCode)


def test_the_example_rows_have_the_real_fields(twinlens: Twinlens, full_uri: str, shared_photos: Path) -> None:
    """The JSON lines that the README shows name the fields that are printed today."""
    image, summary = re.findall(r'^\{"type": "(?:image|summary)".*\}$', README, re.MULTILINE)
    rows = twinlens("query", shared_photos / "a-00.jpg", "--uri", full_uri, "--json").rows
    for shown, row in zip((image, summary), rows, strict=True):
        assert set(re.findall(r'"(\w+)": ', shown)) >= set(row)


def test_every_link_leads_somewhere() -> None:
    """Links between the documents lead to files that are there."""
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
