"""What to install is said in the words of the way in which Twinlens was installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.extras import how_to_install

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
