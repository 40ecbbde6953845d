"""How many cores this process may use: the one place, for threads of `model` and of `indexer`. Needs nothing."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that the system lets this process run on, at least 1: `taskset` and containers' sets count."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
