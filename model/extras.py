"""How to install an optional part, in the words of the way in which Twinlens itself was installed: the one place."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def how_to_install(extra: str, *, prefix: Path = Path(sys.prefix), root: Path = _ROOT) -> str:
    """
    Return the command that adds *extra*, a name of pyproject's optional dependencies.

    Args:
        extra: its name.
        prefix: the folder of the Python environment that runs.
        root: the folder that holds the packages; in a checkout scripts/setup lies below it.
    """
    if (root / "scripts" / "setup").is_file() and prefix.resolve() == (root / ".venv").resolve():
        return f"scripts/setup {extra}"
    return f'pip install "twinlens[{extra}]"'
