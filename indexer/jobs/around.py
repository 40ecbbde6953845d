"""What a scheduled run gets from outside, and what its configuration means to the jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from indexer.config import BatchConfig
from indexer.jobs.index import Index, Where, open_index
from indexer.jobs.stop import Stop
from indexer.report.log import Log
from indexer.sources import Selection


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
        strict=config.collection.strict,
        create=create,
        weights=config.encoder.weights,
        device=config.encoder.device,
    )
