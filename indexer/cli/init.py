"""`twinlens init`."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.errors import ConfigError


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="twinlens.toml")
def init(path: Path) -> None:
    """
    Write a commented configuration for `twinlens batch`, by default twinlens.toml.

    A file that is there is never overwritten.
    """
    from indexer.config import TEMPLATE

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already, and is left as it is; name another file") from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; name another file") from error
    click.echo(f"wrote {path}; name your sources in it, then: twinlens batch --config {path} --check")
