"""The last line of every report: what a run saw, what became of it, and where the time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from indexer.records import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class RunSummary:
    """
    The sums of one run; seen = unique + copy + rejected + unchanged.

    Attributes:
        seen: images that the sources offered and that were judged.
        unique: became originals.
        copy: lie within the radius of an original, and were confirmed where the collection takes a second look.
        exact: those copies whose bytes equal an earlier entry's.
        of_gone: those copies whose original's file was not there any more: moved files, as often as not.
        lookalikes: of those that became originals, how many lie within the radius of another that was refuted.
        rejected: could not be used.
        unchanged: indexed before and untouched since.
        ignored: files in folders and archives that are no images by their names.
        excluded: images, folders and archives that the patterns left out.
        truncated: images with more originals within the radius than are looked at.
        rejected_by_kind: counts of rejected images by their kind.
        seconds: wall time.
        seconds_by_stage: time in each stage, summed over its threads.
        interrupted: whether the run was cut short.
        config: the settings that were in force, with the encoder's fingerprint.

    """

    seen: int
    unique: int
    copy: int
    exact: int
    of_gone: int
    lookalikes: int
    rejected: int
    unchanged: int
    ignored: int
    excluded: int
    truncated: int
    rejected_by_kind: dict[str, int]
    seconds: float
    seconds_by_stage: dict[str, float]
    interrupted: bool
    config: dict[str, Any]

    def as_row(self) -> dict[str, Any]:
        """Return the summary as a dictionary that JSON can hold."""
        return asdict(self)


@dataclass(slots=True)
class Tally:
    """Counts verdicts while they pass."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    of_gone: int = 0
    lookalikes: int = 0
    truncated: int = 0
    complete: bool = False
    stopped: bool = False
    start: float = field(default_factory=perf_counter)

    def count(self, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
        """Yield *verdicts* as they come, and remember whether the last one was reached."""
        for verdict in verdicts:
            self.outcomes[verdict.outcome] += 1
            self.exact += verdict.outcome is Outcome.COPY and verdict.exact
            self.of_gone += verdict.outcome is Outcome.COPY and verdict.original_is_there is False
            self.lookalikes += verdict.outcome is Outcome.UNIQUE and verdict.lookalike is not None
            self.truncated += verdict.truncated
            if verdict.kind:
                self.kinds[verdict.kind] += 1
            yield verdict
        self.complete = not self.stopped

    def summary(
        self, *, ignored: int = 0, excluded: int = 0, stages: dict[str, float], config: dict[str, Any]
    ) -> RunSummary:
        """Return the sums so far."""
        return RunSummary(
            seen=self.outcomes.total(),
            unique=self.outcomes[Outcome.UNIQUE],
            copy=self.outcomes[Outcome.COPY],
            exact=self.exact,
            of_gone=self.of_gone,
            lookalikes=self.lookalikes,
            rejected=self.outcomes[Outcome.REJECTED],
            unchanged=self.outcomes[Outcome.UNCHANGED],
            ignored=ignored,
            excluded=excluded,
            truncated=self.truncated,
            rejected_by_kind=dict(sorted(self.kinds.items())),
            seconds=round(perf_counter() - self.start, 3),
            seconds_by_stage={name: round(spent, 3) for name, spent in stages.items()},
            interrupted=not self.complete,
            config=config,
        )
