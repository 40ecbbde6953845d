"""Prints a run while it goes on; ingest and query share it."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import click

from indexer import interrupt
from indexer.errors import ExitCode
from indexer.jobs.run import Run
from indexer.records import Outcome, Verdict
from indexer.report import progress, text
from indexer.report.jsonl import ReportFile, line
from indexer.summary import RunSummary


@dataclass(frozen=True, slots=True)
class Output:
    """What to print: *as_json*, a *report* file, *verbose*; *total* counts the images for the time left."""

    as_json: bool
    report: str | None
    verbose: bool
    total: Callable[[], int] | None = None

    @classmethod
    def of(cls, options: dict[str, Any], total: Callable[[], int] | None) -> Output:
        """Return what the command line's *options* ask for."""
        return cls(options["as_json"], options["report"], options["verbose"], total)


@contextmanager
def _stopping_politely(run: Run) -> Iterator[None]:
    """Let the first Ctrl-C finish what is in flight, and the second end it at once."""

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - signal's signature
        signal.signal(signal.SIGINT, before)
        run.stop()
        click.echo("\nfinishing the images in flight; press Ctrl-C again to stop at once", err=True)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def carry_out(run: Run, output: Output) -> RunSummary:
    """Do the work of *run* and print it; the summary is printed also when it is cut short."""
    interrupt.is_raised()
    gc.freeze()
    gc.enable()
    with ExitStack() as stack:
        report = stack.enter_context(ReportFile(output.report)) if output.report else None
        try:
            with _stopping_politely(run):
                for verdict in progress.shown(run, output.total):
                    if report:
                        report.add(verdict)
                    _print_verdict(verdict, output)
        finally:
            summary = run.summary()
            _print_summary(summary, output)
        if report:
            report.finish(summary)
    if summary.interrupted:
        raise KeyboardInterrupt
    return summary


def _print_verdict(verdict: Verdict, output: Output) -> None:
    if output.as_json:
        progress.say(line("image", verdict.as_row()))
    elif output.verbose or verdict.outcome in (Outcome.COPY, Outcome.REJECTED):
        progress.say(text.verdict_line(verdict))


def _print_summary(summary: RunSummary, output: Output) -> None:
    if output.as_json:
        progress.say(line("summary", summary.as_row()))
        return
    for row in text.summary_lines(summary):
        click.echo(row, file=sys.stdout)


def code_of(summary: RunSummary) -> ExitCode:
    """Return the exit code of a run that ended."""
    return ExitCode.REJECTED if summary.rejected else ExitCode.DONE
