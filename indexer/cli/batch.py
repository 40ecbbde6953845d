"""`twinlens batch`."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer import interrupt
from indexer.cli.options import where
from indexer.errors import ConfigError, ExitCode, TwinlensError

if TYPE_CHECKING:
    from indexer.config import BatchConfig
    from indexer.jobs.around import Around
    from indexer.jobs.stop import Stop
    from indexer.report.log import Log

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default="twinlens.toml",
    show_default=True,
    help="The configuration; twinlens init writes one.",
)


@click.command()
@config_option
@click.option("--check", is_flag=True, help="Show what is in force, test all that a run needs, and change nothing.")
@click.option("--max-seconds", type=float, help="Take no more images after so long.")
@click.option("--max-images", type=click.IntRange(1), help="Take no more after so many new or changed images.")
@click.option("--notify", metavar="COMMAND", help="Run this with the summary, JSON, on its standard input.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Of the log on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_obj
def batch(clock: Callable[[], int], /, config_file: Path, check: bool, as_json: bool, **options: Any) -> int:  # noqa: ANN401
    """
    Do one unattended run over the configured sources, as cron calls it every night.

    Reads what is new or changed, notices what vanished or moved, and writes a report. SIGTERM, SIGHUP or Ctrl-C
    finish the images in flight; the next run goes on. The options override the file; TWINLENS_TOKEN and
    TWINLENS_URI come from the environment. docs/batch.md has examples for cron, systemd and Kubernetes.

    \b
      twinlens init                             write a commented twinlens.toml
      twinlens batch --check                    rehearse
      twinlens batch --config /etc/twinlens.toml
    """  # noqa: D301 - click wants the character \b itself
    from indexer.jobs.stop import Stop

    stop, log_format = Stop(), options["log_format"]
    try:
        with nullcontext() if check else _stopping_politely(stop):
            config = _configured(config_file, options)
            log_format = config.log.format
            if check:
                return _check(config, as_json=as_json)
            return _run(config, _around(config, stop, clock), as_json=as_json)
    except TwinlensError as error:
        if log_format != "json" or check:
            raise
        _log("json", clock)("end", str(error), "error", exit_code=int(error.exit_code))
        return error.exit_code


def _log(form: str, clock: Callable[[], int]) -> Log:
    from indexer.report.log import Log

    return Log(sys.stderr, form == "json", clock)


@contextmanager
def _stopping_politely(stop: Stop) -> Iterator[None]:
    """Let SIGTERM, SIGHUP and the first Ctrl-C end the run early; a second Ctrl-C at once, whatever else ended it."""
    presses = count(1)
    terminal = [stream for stream in (1, 2) if os.isatty(stream)]

    def handle(number: int, frame: object) -> None:
        if number == signal.SIGINT and next(presses) > 1:
            if not stop.heard:
                interrupt.leave(number, frame)
            raise KeyboardInterrupt
        if number == signal.SIGHUP:  # what would be said to a terminal that is gone is said to nobody
            for stream in terminal:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        stop("signal")

    heard = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal is gone; under nohup, that is ignored
        heard.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _configured(file: Path, options: dict[str, Any]) -> BatchConfig:
    """Return the configuration, with what the command line and the environment override."""
    from indexer.config import checked_command, checked_seconds, load

    config, told = load(file), options["notify"]
    limits = {name: options[name] for name in ("max_seconds", "max_images") if options[name] is not None}
    if "max_seconds" in limits:
        checked_seconds(limits["max_seconds"])
    uri = os.environ.get("TWINLENS_URI")
    return replace(
        config,
        collection=replace(config.collection, uri=uri) if uri else config.collection,
        limits=replace(config.limits, **limits),
        notify=config.notify if told is None else replace(config.notify, command=checked_command(told)),
        log=replace(config.log, format=options["log_format"]) if options["log_format"] else config.log,
    )


def _around(config: BatchConfig, stop: Stop, clock: Callable[[], int]) -> Around:
    from indexer.jobs.around import Around

    return Around(_log(config.log.format, clock), clock, where(config.collection.uri, config.collection.name), stop)


def _run(config: BatchConfig, around: Around, *, as_json: bool) -> int:
    from indexer.jobs.batch import batch as do
    from indexer.report.log import forwarded
    from indexer.report.text import batch_lines, summary_lines

    gc.freeze()
    gc.enable()
    with forwarded(around.log):
        summary = do(config, around)
    if as_json:
        click.echo(json.dumps(summary.as_row(), ensure_ascii=False))
    else:
        begun = bool(summary.run.seen) or summary.error is None
        sums = summary_lines(summary.run, begun=begun, named_by="the report names")
        click.echo("\n".join([*sums, *batch_lines(summary.as_row())]))
    return summary.exit_code


def _check(config: BatchConfig, *, as_json: bool) -> int:
    from indexer.config import effective
    from indexer.jobs.check import check, forecast, worst

    if as_json:
        raise ConfigError("--check prints TOML and text; leave --json out")
    place = where(config.collection.uri, config.collection.name)
    click.echo(f"# in force, from {config.file}\n{effective(config)}\n")
    click.echo(f"# TWINLENS_TOKEN is {'set' if place.token else 'not set'}\n")
    marks = {ExitCode.DONE: "ok  ", ExitCode.REJECTED: "WARN"}
    findings = []
    for finding in check(config, place):
        findings.append(finding)
        click.echo(f"{marks.get(finding.code, 'FAIL')}  {finding.subject}: {finding.told}")
    click.echo(f"\n{forecast(findings)}")
    return worst(findings)
