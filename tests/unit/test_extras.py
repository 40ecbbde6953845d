"""What to install is said in the words of the way in which Twinlens was installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model.extras import how_to_install

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("prefix", "told"),
    [(ROOT / ".venv", "scripts/setup ray"), (Path("/usr"), 'pip install "twinlens[ray]"')],
)
def test_a_checkout_names_its_script_and_any_other_environment_pip(prefix: Path, told: str) -> None:
    """scripts/setup fills the checkout's own .venv and no other, so only there is it named."""
    assert how_to_install("ray", prefix=prefix, root=ROOT) == told


def test_an_installed_package_names_pip(tmp_path: Path) -> None:
    """Where the packages lie in an environment, not in a checkout, there is no script to name."""
    assert how_to_install("s3", prefix=tmp_path / ".venv", root=tmp_path) == 'pip install "twinlens[s3]"'


def test_plots_bring_no_torch() -> None:
    """The extra that a user's picture needs is matplotlib alone."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert [requirement.partition(">")[0] for requirement in extras["plots"]] == ["matplotlib"]
