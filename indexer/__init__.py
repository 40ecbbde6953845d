"""
Twinlens finds the copies in an image archive, and only the copies.

    from indexer import open_index

All public names are here; they are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.errors import ConfigError as ConfigError
    from indexer.errors import EncoderError as EncoderError
    from indexer.errors import ImageError as ImageError
    from indexer.errors import LockHeld as LockHeld
    from indexer.errors import SourceError as SourceError
    from indexer.errors import StoreError as StoreError
    from indexer.errors import TwinlensError as TwinlensError
    from indexer.jobs.census import HeldBack as HeldBack
    from indexer.jobs.index import Index as Index
    from indexer.jobs.index import Tuning as Tuning
    from indexer.jobs.index import Where as Where
    from indexer.jobs.index import open_index as open_index
    from indexer.jobs.run import Run as Run
    from indexer.jobs.sweep import SweepPolicy as SweepPolicy
    from indexer.jobs.sweep import SweepSummary as SweepSummary
    from indexer.records import Entry as Entry
    from indexer.records import Group as Group
    from indexer.records import Outcome as Outcome
    from indexer.records import Verdict as Verdict
    from indexer.sources import Selection as Selection
    from indexer.sources import SourceOptions as SourceOptions
    from indexer.stream import Limits as Limits
    from indexer.summary import RunSummary as RunSummary

_HOMES = {
    "ConfigError": "errors",
    "EncoderError": "errors",
    "Entry": "records",
    "Group": "records",
    "HeldBack": "jobs.census",
    "ImageError": "errors",
    "Index": "jobs.index",
    "Limits": "stream",
    "LockHeld": "errors",
    "Outcome": "records",
    "Run": "jobs.run",
    "RunSummary": "summary",
    "Selection": "sources",
    "SourceError": "errors",
    "SourceOptions": "sources",
    "StoreError": "errors",
    "SweepPolicy": "jobs.sweep",
    "SweepSummary": "jobs.sweep",
    "Tuning": "jobs.index",
    "TwinlensError": "errors",
    "Verdict": "records",
    "Where": "jobs.index",
    "open_index": "jobs.index",
}

__all__ = [  # noqa: PLE0604 - names of __getattr__
    *_HOMES,
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the language has it
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"indexer.{_HOMES[name]}"), name)
