"""The documents say what the program does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from commandline import Twinlens

from indexer.cli import cli
from indexer.config import TEMPLATE, Source, load
from indexer.config.values import TABLES
from indexer.errors import ExitCode
from indexer.records import Outcome
from indexer.report import metrics

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
BATCH = (ROOT / "docs/batch.md").read_text(encoding="utf-8")
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
    """The JSON lines that the README shows name the fields that are printed today, and no others."""
    shown = [json.loads(line) for line in re.findall(r'^\{"type": "(?:image|summary)".*\}$', README, re.MULTILINE)]
    rows = twinlens("query", shared_photos / "a-00.jpg", "--uri", full_uri, "--json").rows
    assert [row.keys() for row in shown] == [row.keys() for row in rows]
    assert shown[-1]["config"].keys() == rows[-1]["config"].keys()


def test_the_readme_shows_what_the_demo_prints(twinlens: Twinlens, tmp_path: Path) -> None:
    """Each line of the README's demo is one of a fresh run's, in order, but for the digits of distances and seconds."""

    def lines(text: str) -> list[str]:
        return [re.sub(r"\d\.\d+", "#", line) for line in text.splitlines() if line != "  …"]

    shown = lines(README.partition("$ scripts/twinlens demo\n")[2].partition("```")[0])
    printed = iter(
        lines(twinlens("demo", "--folder", tmp_path / "demo").out.replace(f"{tmp_path}/demo", "twinlens-demo"))
    )
    assert all(line in printed for line in shown)


def test_every_link_leads_somewhere() -> None:
    """Links between the documents lead to files that are there."""
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_door_is_named() -> None:
    """ARCHITECTURE.md lists each module that may import a heavy library."""
    table = ARCHITECTURE.partition("| library | doors |")[2].partition("\n\n")[0]
    modules = (*ROOT.glob("model/**/*.py"), *ROOT.glob("indexer/**/*.py"))
    doors = {path.stem for path in modules if "TID251" in path.read_text(encoding="utf-8")}
    assert len(doors) > 20
    assert doors <= set(re.findall(r"(\w+)`", table))


def test_the_example_of_a_configuration_is_valid(tmp_path: Path) -> None:
    """What docs/batch.md shows can be read."""
    example = BATCH.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "twinlens.toml").write_text(example, encoding="utf-8")
    assert [source.path for source in load(tmp_path / "twinlens.toml").source] == ["/srv/photos", "/mnt/scans"]


def test_every_key_of_the_configuration_is_explained() -> None:
    """The table of keys in docs/batch.md, and the file that init writes, name each table and key."""
    table = BATCH.partition("| table | key |")[2].partition("\n\n")[0]
    for name, kind in {**TABLES, "source": Source}.items():
        for key in fields(kind):
            assert f"`{key.name}`" in table, key.name
            assert re.search(rf"^(# )?{key.name} = ", TEMPLATE, re.MULTILINE), key.name
        assert f"[{name}]" in table


def test_every_metric_is_explained(tmp_path: Path) -> None:
    """docs/batch.md names each metric that a run writes, and its rules use no other."""
    row = dict.fromkeys(("exit_code", "seconds", "interrupted", *(outcome.value for outcome in Outcome)), 0)
    parts = {"absent": [], "sweep": {"vanished": 0}, "collection": {"originals": 0}}
    metrics.write(tmp_path / "t.prom", {**row, **parts}, collection="images", finished_s=0.0, every_hours=1)
    written = set(re.findall(r"^# TYPE (\w+)", (tmp_path / "t.prom").read_text(), re.MULTILINE))
    assert set(re.findall(r"\btwinlens_\w+", BATCH)) == written


def test_every_exit_code_of_a_batch_is_explained() -> None:
    """docs/batch.md says what each asks an operator to do."""
    table = BATCH.partition("| code | means |")[2].partition("\n\n")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert listed == set(ExitCode) - {ExitCode.COPY_FOUND}
