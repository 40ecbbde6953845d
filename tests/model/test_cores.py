"""How many threads are worth having."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from model.cores import usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to cores")
def test_a_process_bound_to_one_core_counts_one() -> None:
    """Bound by its parent, as by taskset or Kubernetes, it does not count the cores that it may not use."""
    bound = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import model.data as d; print(d.WORKERS)"
    )
    told = subprocess.run([sys.executable, "-c", bound], capture_output=True, text=True, check=True)
    assert told.stdout == "1\n"


def test_there_is_a_core_at_least() -> None:
    """A pool of threads can be made with it anywhere, and it is no more than the machine has."""
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
