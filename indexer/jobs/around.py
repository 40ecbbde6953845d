"""What a scheduled run gets from outside, and what its configuration means to the jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from indexer.config import BatchConfig
from indexer.jobs.index import Index, Where, open_index
from indexer.report.log import Log
from indexer.sources import Selection


@dataclass(slots=True)
class Stop:
    """
    A wish that the run ends early, from a signal's handler or another thread.

    Attributes:
        reason: `signal`, `max_seconds`, `max_images` or `report`; None while nobody wants it.

    """

    reason: str | None = None
    _act: Callable[[], None] | None = None

    def __call__(self, reason: str) -> None:
        """Ask for it; the first reason counts."""
        self.reason = self.reason or reason
        if self._act:
            self._act()

    def then(self, act: Callable[[], None]) -> None:
        """Call *act* when it is asked for, at once if it was."""
        self._act = act
        if self.reason:
            act()


@dataclass(frozen=True, slots=True)
class Around:
    """
    What a run gets from outside besides its configuration.

    Attributes:
        log: where it tells what happens.
        clock: nanoseconds since the epoch; names the run and ages what vanished.
        where: the collection, and how it is reached; the token in it is never shown.
        stop: ends the run early.

    """

    log: Log
    clock: Callable[[], int]
    where: Where
    stop: Stop = field(default_factory=Stop)


def selections_of(config: BatchConfig) -> list[Selection]:
    """Return the sources of *config*, in the order in which they are read."""
    return [Selection(source.path, source.include, source.exclude) for source in config.source]


def opened(config: BatchConfig, where: Where, *, create: bool = True) -> Index:
    """Open the index at *where* as *config* wants it; raises as open_index does."""
    return open_index(
        where,
        radius=config.collection.radius,
        second_look=config.collection.second_look,
        create=create,
        weights=config.encoder.weights,
        device=config.encoder.device,
    )
