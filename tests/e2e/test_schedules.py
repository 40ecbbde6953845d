"""The scripts and units that start the nightly run in docker/ and docs/batch.md."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

from indexer.config.values import Notify
from indexer.store.access import TIMEOUT_S

ROOT = Path(__file__).parents[2]
BATCH = (ROOT / "docs/batch.md").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker/compose.yaml").read_text(encoding="utf-8")
CRONJOB = (ROOT / "docker/kubernetes/cronjob.yaml").read_text(encoding="utf-8")
Started = Callable[[str, int], subprocess.Popen[str]]


def script(yaml: str) -> str:
    """Return the shell script in *yaml*."""
    found = re.search(r"- \|\n(( +).*\n(?:\2.*\n)*)", yaml)
    assert found
    return dedent(found[1]).replace("$$", "$")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Return what starts a script beside a twinlens that ends with a code, at once or, if it is 0, on SIGTERM."""
    shells: list[subprocess.Popen[str]] = []

    def start(text: str, code: int) -> subprocess.Popen[str]:
        sleeping = "sleep 30 & trap 'kill $!; sleep 0.3; echo finished; exit 5' TERM; echo begun; wait\n"
        (tmp_path / "twinlens").write_text(f"#!/bin/sh\n{f'exit {code}' if code else sleeping}\n")
        (tmp_path / "twinlens").chmod(0o755)
        path = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = ["/bin/sh", "-c", text]
        shells.append(subprocess.Popen(command, env=path, stdout=-1, stderr=-1, text=True, start_new_session=True))
        return shells[-1]

    yield start
    for shell in shells:
        with shell, suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.parametrize(("code", "told"), [(1, 1), (2, 2), (3, 3), (4, 0), (5, 0)])
def test_a_job_fails_only_for_what_somebody_must_mend(started: Started, code: int, told: int) -> None:
    """Rejected images, and another run that goes on, are no failed job."""
    assert started(script(CRONJOB), code).wait(20) == told


@pytest.mark.parametrize("yaml", [CRONJOB, COMPOSE], ids=["job", "compose"])
def test_sigterm_reaches_the_run_and_is_waited_for(started: Started, yaml: str) -> None:
    """The shell hands it on, and ends with success once the run has finished what was in flight."""
    shell = started(script(yaml), 0)
    assert shell.stdout
    assert shell.stdout.readline() == "begun\n"
    shell.send_signal(signal.SIGTERM)
    out, err = shell.communicate(timeout=20)
    assert (shell.returncode, out) == (0, "finished\n"), err


def test_compose_ends_between_two_runs_too(started: Started) -> None:
    """Waiting for the next night is no reason to be killed."""
    shell = started(script(COMPOSE), 5)
    assert shell.stderr
    assert shell.stderr.readline() == "twinlens batch ended with code 5\n"
    shell.send_signal(signal.SIGTERM)
    assert shell.wait(20) == 0


def test_a_run_has_longer_to_stop_than_its_waits_together() -> None:
    """Everywhere it gets ten minutes: more than a call to a Milvus that is away and a notification that hangs."""
    assert re.findall(r"^ +terminationGracePeriodSeconds: (\d+)$", CRONJOB, re.MULTILINE) == ["600"]
    assert re.findall(r"^ +stop_grace_period: (\w+)$", COMPOSE, re.MULTILINE) == ["10m"]
    assert re.findall(r"^TimeoutStopSec=(\d+)$", BATCH, re.MULTILINE) == ["600"]
    assert TIMEOUT_S + Notify().timeout_s < 600 / 2


@pytest.mark.parametrize("name", ["twinlens.service", "twinlens.timer"])
def test_the_units_of_the_docs_are_those_of_docker(name: str) -> None:
    """There is one truth about them."""
    unit = (ROOT / "docker/systemd" / name).read_text(encoding="utf-8")
    assert f"```ini\n{unit[unit.index('[Unit]') :]}```" in BATCH
