"""What became of one scheduled run: the last line of its report, and all that metrics and notifications tell."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from indexer import sources
from indexer.config import BatchConfig
from indexer.errors import ExitCode
from indexer.jobs.sweep import SweepSummary
from indexer.records import Counts
from indexer.store.door import shown
from indexer.summary import RunSummary


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """
    What became of one run.

    Attributes:
        run: the sums of the ingest; all zero where it did not begin.
        exit_code: see README.
        reason: why it was cut short: a reason of Stop, or `error`; None if it was not.
        error: what ended it; None if nothing did.
        absent: what was left alone: sources that were not there, or not read to their end; also what was held back.
        sweep: what became of entries without an image; None where the run did not get that far.
        counts: what the collection held at the end; None if that is not known.
        report: the run's folder; None where it could not be made.
        started: in ISO 8601, UTC; `finished` likewise.
        finished: see there.
        seconds: wall time of all of it.
        configuration: what was in force.

    """

    run: RunSummary
    exit_code: ExitCode
    reason: str | None
    error: str | None
    absent: tuple[str, ...]
    sweep: SweepSummary | None
    counts: Counts | None
    report: Path | None
    started: str
    finished: str
    seconds: float
    configuration: dict[str, Any]

    def as_row(self) -> dict[str, Any]:
        """Return the summary as a dictionary that JSON can hold: that of an ingest, and what a batch adds."""
        return self.run.as_row() | {
            "started": self.started,
            "finished": self.finished,
            "seconds": self.seconds,
            "exit_code": int(self.exit_code),
            "reason": self.reason,
            "error": self.error,
            "absent": list(self.absent),
            "sweep": asdict(self.sweep) if self.sweep else None,
            "collection": asdict(self.counts) if self.counts else None,
            "report": str(self.report) if self.report else None,
            "configuration": self.configuration,
        }


def last_words(summary: BatchSummary) -> str:
    """Return the run in one line."""
    sums = summary.run
    how = summary.error or (f"cut short ({summary.reason}), the next run goes on" if sums.interrupted else "done")
    how += f", without {', '.join(summary.absent)}" if summary.absent and not summary.error else ""
    return f"{how}; {sums.seen} images, exit code {int(summary.exit_code)}"


def plain(config: BatchConfig) -> dict[str, Any]:
    """Return *config* as JSON can hold it, without secrets: of the command, only its first word is told."""
    command = config.notify.command
    told = replace(
        config,
        collection=replace(config.collection, uri=shown(config.collection.uri)),
        source=tuple(replace(source, path=sources.shown(source.path)) for source in config.source),
        notify=replace(config.notify, command=shlex.split(command)[0] if command else None),
    )
    return {
        name: [_texts(each) for each in value] if name == "source" else _texts(value)
        for name, value in asdict(told).items()
    }


def _texts(value: Any) -> Any:  # noqa: ANN401 - as JSON has it
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    return str(value) if isinstance(value, Path) else value
