"""How many cores this process may use: the one place, for threads of `model` and of `indexer`. Needs nothing."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells a container how many microseconds of processor time it gets (first) in how many (second)."""


def usable_cores() -> int:
    """Return the cores that the system lets this process run on, at least 1: `taskset` and containers' limits count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cores_of_quota(cores)))


def _cores_of_quota(all_of_them: int) -> int:
    try:
        quota, period = map(int, QUOTA.read_text().split())
    except (OSError, ValueError):  # none is set, or another system
        return all_of_them
    return math.ceil(quota / period)
