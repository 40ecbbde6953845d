"""`twinlens runs`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from indexer.cli.batch import config_option
from indexer.errors import ConfigError


@click.command()
@config_option
@click.option("--folder", type=click.Path(path_type=Path), help="The folder of reports, without a configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, one object for each run.")
def runs(config_file: Path, folder: Path | None, as_json: bool) -> None:
    """
    List the runs of `twinlens batch` whose reports are kept, the oldest first.

    A run is named by when it began (UTC); `killed` is one that could not write its summary.
    """
    from indexer.config import load
    from indexer.report.folder import past_runs
    from indexer.report.history import runs_table

    if folder is not None and not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}; name the one that [reports] folder in the configuration names")
    past = past_runs(folder or load(config_file).reports.folder)
    if as_json:
        for run in past:
            row = {"run": run.name, "outcome": run.outcome, "folder": str(run.path)}
            click.echo(json.dumps(row | (run.summary or {}), ensure_ascii=False))
        return
    click.echo("\n".join(runs_table(past)) if past else "no runs yet")
