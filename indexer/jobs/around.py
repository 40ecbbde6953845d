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
        token: for a server that asks for it; never shown.
        stop: ends the run early.

    """

    log: Log
    clock: Callable[[], int]
    token: str | None = field(default=None, repr=False)
    stop: Stop = field(default_factory=Stop)


def where_of(config: BatchConfig, token: str | None) -> Where:
    """Return the collection that *config* names."""
    return Where(config.collection.uri, config.collection.name, token)


def selections_of(config: BatchConfig) -> list[Selection]:
    """Return the sources of *config*, in the order in which they are read."""
    return [Selection(source.path, source.include, source.exclude) for source in config.source]


def opened(config: BatchConfig, token: str | None, *, create: bool = True) -> Index:
    """Open the index that *config* names; raises as open_index does."""
    return open_index(
        where_of(config, token),
        radius=config.collection.radius,
        second_look=config.collection.second_look,
        create=create,
        weights=config.encoder.weights,
        device=config.encoder.device,
    )
