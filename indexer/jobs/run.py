"""A run of any job: iterate over it to do the work, ask it for the summary at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.records import Outcome, Verdict
from indexer.sources import Sighted, SourceStats
from indexer.stages import Stopwatch
from indexer.summary import RunSummary, Tally


@dataclass(frozen=True, slots=True)
class Run:
    """
    One pass over sources; it can be iterated over once.

    Attributes:
        verdicts: does the work while it is read.
        clock: measures the stages.
        stats: what the sources passed over, by now.
        config: what was in force.
        tally: the counts.
        sighted: what an ingest saw, for a sweep; None for a query.

    """

    verdicts: Iterator[Verdict]
    clock: Stopwatch
    stats: SourceStats
    config: dict[str, Any]
    tally: Tally
    sighted: Sighted | None = None

    def __iter__(self) -> Iterator[Verdict]:
        """Yield verdicts in the order of the sources; one that was yielded by an ingest is stored."""
        return self.tally.count(self._noted())

    def _noted(self) -> Iterator[Verdict]:
        for verdict in self.verdicts:
            if self.sighted:
                self.sighted.note(verdict.uri, readable=verdict.outcome is not Outcome.REJECTED)
            yield verdict

    def stop(self) -> None:
        """Take no more images; those in flight are finished and yielded, so that none is stored in silence."""
        self.tally.stopped = True

    def summary(self) -> RunSummary:
        """Return the sums so far; `interrupted` until the last verdict was read."""
        over = {"ignored": self.stats.ignored, "excluded": self.stats.excluded}
        return self.tally.summary(**over, stages=self.clock.seconds, config=self.config)
