"""How many threads are worth having."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model import cores
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


@pytest.mark.parametrize(("quota", "most"), [("50000 100000", 1), ("max 100000", 64), ("150000 100000", 2), ("", 64)])
def test_a_containers_quota_counts(quota: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processor time, as Docker and Kubernetes set it, is rounded up to whole cores; none is no limit."""
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    cores.QUOTA.write_text(quota)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert usable_cores() == most
