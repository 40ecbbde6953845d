"""What the commands of `model` share: options, and how they end where the user can mend what went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec

import click

from model.data import DEFAULT_DATA
from model.errors import ModelError
from model.extras import how_to_install
from model.spec import SHIPPED_WEIGHTS

P = ParamSpec("P")


class NewFile(click.Path):
    """A file to write once all is measured: that its folder is there is checked before."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401
        """Return the path; refuse one in a folder that is not there or cannot be written to."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            self.fail(f"{path} cannot be written: make the folder {folder}, or name another file", param, ctx)
        return path


DATA = click.option(
    "--data",
    "data",
    multiple=True,
    type=click.Path(path_type=Path),
    default=[DEFAULT_DATA],
    show_default=True,
    help="A folder of pictures or tar files, or a tar file; may be given more than once.",
)
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
FILE = click.Path(path_type=Path, dir_okay=False)
NEW_FILE = NewFile(dir_okay=False)
WEIGHTS = click.option(
    "--weights", type=EXISTING, default=SHIPPED_WEIGHTS, help="The weights file.  [default: the shipped one]"
)
WORKERS = click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Threads.")
PICTURE = click.option("--picture", type=NEW_FILE, help="Also draw it to this PNG or SVG file.")
JSON = click.option("--json", "target", type=NEW_FILE, help="Also write a JSON file.")
SSCD = click.option(
    "--sscd", type=click.Path(path_type=Path, file_okay=False, exists=True), help="An unzipped wheel of SSCD."
)
EVERY = click.option("--all", "every", is_flag=True, help="Take both sides of the split.")
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
EXTRAS = {"matplotlib": "plots", "onnx": "train", "torch": "train"}  # what brings a package
TELL = partial(click.echo, err=True, nl=False)


def one_message(command: Callable[P, None]) -> Callable[P, None]:
    """Let *command* end with one message and exit code 1 where something went wrong that the user can mend."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except ModelError as error:
            raise click.ClickException(str(error)) from error

    return run


def need(package: str, what: str) -> None:
    """Refuse *what*, an option, a file or a command, before any work where *package* is missing."""
    if find_spec(package) is None:
        raise click.ClickException(f"{what} needs {package}: {how_to_install(EXTRAS[package])}")
