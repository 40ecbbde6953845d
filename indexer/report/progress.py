"""A progress bar on standard error, only where a person looks at it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Thread
from typing import TypeVar

from tqdm import tqdm

from indexer.errors import TwinlensError
from indexer.records import Outcome, Verdict

T = TypeVar("T")


def shown(verdicts: Iterable[Verdict], total: Callable[[], int] | None) -> Iterator[Verdict]:
    """
    Yield *verdicts* beneath a bar with rate and time left.

    *total* counts the images beforehand; it runs beside the work, so that nothing waits for it.
    """
    if not sys.stderr.isatty():
        yield from verdicts
        return
    with tqdm(unit=" images", smoothing=0.05, dynamic_ncols=True, file=sys.stderr) as bar:
        if total is not None:
            Thread(target=_count, args=(bar, total), daemon=True).start()
        found = dict.fromkeys((Outcome.COPY, Outcome.REJECTED), 0)
        for verdict in verdicts:
            if verdict.outcome in found:
                found[verdict.outcome] += 1
                bar.set_postfix({o.value: n for o, n in found.items()}, refresh=False)
            bar.update()
            yield verdict


def counted(items: Iterable[T], total: int | None, unit: str = " images") -> Iterator[T]:
    """Yield *items* beneath a bar; *total* of them, where that is known."""
    bar = tqdm(items, total=total, unit=unit, smoothing=0.05, dynamic_ncols=True, disable=not sys.stderr.isatty())
    yield from bar


def _count(bar: tqdm[None], total: Callable[[], int]) -> None:
    with suppress(TwinlensError, OSError):  # what cannot be counted is done without a total, and says itself why not
        bar.total = total()
        bar.refresh()


def say(text: str) -> None:
    """Print *text* to standard output without tearing the bar."""
    with tqdm.external_write_mode(file=sys.stdout):
        sys.stdout.write(text + "\n")
