"""
Other finders of duplicates, each in an environment of its own, to measure on the same files in the same run.

Each is asked for what Twinlens does by itself: all groups of duplicates in one folder, by its own defaults.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measuring import ProcessFailedError, timed

_FASTDUP = """
import sys, fastdup
finder = fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1])
finder.run(print_summary=False)
finder.similarity()
"""

_PHASH = """
import sys
from imagededup.methods import PHash
PHash(verbose=False).find_duplicates(image_dir=sys.argv[1])
"""

_CZKAWKA = """
import sys, czkawka
finder = czkawka.ImageSimilarity()
finder.set_directories([sys.argv[1]])
finder.set_similarity(10)
finder.find_similar()
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """
    Another finder of duplicates.

    Attributes:
        name: as the table shows it.
        package: its name on PyPI, and that of its environment.
        arguments: for its environment's Python; FOLDER and WORK stand for the pictures and an empty folder.
        requirements: what pip installs.
        newer: whether to give it Python 3.12 or 3.13, because it needs that, or has wheels that fit each other.
    """

    name: str
    package: str
    arguments: tuple[str, ...]
    requirements: tuple[str, ...]
    newer: bool = False

    def command(self, python: Path, folder: Path, work: Path) -> list[str | Path]:
        """Return the command that finds the duplicates in *folder*."""
        places = {"FOLDER": str(folder), "WORK": str(work)}
        return [python, *(places.get(argument, argument) for argument in self.arguments)]


def _immaculate(method: str) -> Peer:
    arguments = ("-m", "immaculate", "FOLDER", "--json", "--method", method)
    return Peer(f"Immaculate {method}", "immaculate", arguments, ("immaculate[sscd]",), newer=True)


PEERS = (
    _immaculate("pdq"),
    _immaculate("sscd_distilled"),
    Peer("fastdup", "fastdup", ("-c", _FASTDUP, "FOLDER", "WORK"), ("fastdup",)),
    Peer("imagededup PHash", "imagededup", ("-c", _PHASH, "FOLDER"), ("imagededup",), newer=True),
    Peer("czkawka", "czkawka", ("-c", _CZKAWKA, "FOLDER"), ("czkawka",)),
)

QUIET = {"SENTRY_OPT_OUT": "1", "PYTHONWARNINGS": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""No reports to a peer's makers, no advice."""


class PeerMissingError(Exception):
    """A peer cannot be measured here; the message says why in one line."""


def pythons() -> Iterator[str]:
    """Yield commands that may start Python 3.12 or 3.13."""
    yield from ("python3.12", "python3.13")
    for version in ("3.12", "3.13"):
        yield from map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))


def python_for(peer: Peer) -> str:
    """
    Return a Python that can run *peer*: this one, or the first of `pythons` that starts.

    Raises:
        PeerMissingError: none does.
    """
    for name in pythons() if peer.newer else (sys.executable,):
        path = shutil.which(name)
        if path and not subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode:
            return path
    raise PeerMissingError("needs Python 3.12 or 3.13, which is not here")


def environment_of(peer: Peer, folder: Path) -> Path:
    """
    Return the Python of *peer*'s environment in *folder*, which is made when it is absent.

    Raises:
        PeerMissingError: it cannot be made.
    """
    home = folder / peer.package
    python = home.absolute() / "bin" / "python"
    try:
        if not python.exists():
            timed([python_for(peer), "-m", "venv", home])
        if not _is_there(python, peer):
            timed([python, "-m", "pip", "install", "--quiet", *peer.requirements], environment=QUIET)
    except ProcessFailedError as error:
        raise PeerMissingError(f"cannot be installed: {error}") from error
    return python


def _is_there(python: Path, peer: Peer) -> bool:
    try:
        timed([python, "-c", f"import {peer.package}"], environment=QUIET)
    except ProcessFailedError:
        return False
    return True


def version_of(peer: Peer, python: Path) -> str:
    """Return the version of *peer* that is installed for *python*."""
    told = f"from importlib.metadata import version; print(version({peer.package!r}))"
    return timed([python, "-c", told])[1][-1]


def surroundings(work: Path) -> dict[str, str]:
    """Return the environment variables for a run that may keep nothing between runs: its caches go into *work*."""
    return {**QUIET, "XDG_CACHE_HOME": str(work), "TMPDIR": str(work), "HOME": os.environ.get("HOME", str(work))}
