"""The steps of docker/Dockerfile, without a container: what it copies is enough to install and to run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import folder

from indexer.config import load

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()


def _copied(dockerfile: str) -> list[str]:
    """Return the names that *dockerfile* copies from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    return [name for line in lines for name in line.split()]


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.train"])
def test_the_context_lets_through_what_is_copied(name: str) -> None:
    """The ignore file shuts out everything but the names that are copied."""
    ignore = (ROOT / "docker" / f"{name}.dockerignore").read_text().splitlines()
    copied = _copied((ROOT / "docker" / name).read_text())
    assert ignore[0] == "*"
    assert set(copied) == {line[1:] for line in ignore if line.startswith("!")}


def test_the_nightly_job_has_a_configuration() -> None:
    """The batch configuration that Compose and Kubernetes mount is one that the program reads."""
    config = load(ROOT / "docker" / "twinlens.toml")
    assert [source.path for source in config.source] == ["/photos"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_install_step_gives_a_command_that_works(tmp_path: Path) -> None:
    """Installed from the copied files alone, by the Dockerfile's own pip command, `twinlens` finds a copy."""
    for name in _copied(DOCKERFILE):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    command = re.search(r"^RUN python (.*?)\n\n", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert command
    script = command[1].replace("\\\n", " ").replace("/opt/twinlens", str(tmp_path / "venv"))
    subprocess.run(["bash", "-ec", f'"{sys.executable}" {script}'], cwd=tmp_path, check=True)
    twinlens = tmp_path / "venv" / "bin" / "twinlens"
    pictures = folder(tmp_path / "pictures", 3)
    asked = [twinlens, "ingest", pictures, "--uri", tmp_path / "a.db", "--json"]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    summary = json.loads(told.stdout.splitlines()[-1])
    assert (told.returncode, summary["seen"], summary["copy"], summary["rejected"]) == (5, 10, 4, 3)
