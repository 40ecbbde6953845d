"""What an unattended run tells others: metrics, a command, a log."""

from __future__ import annotations

import io
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from indexer.report import metrics
from indexer.report.log import Log, forwarded
from indexer.report.notify import notify

ROW: dict[str, Any] = {
    "exit_code": 0,
    "seconds": 12.5,
    "interrupted": False,
    "absent": [],
    "unique": 3,
    "copy": 2,
    "rejected": 1,
    "unchanged": 90,
    "sweep": {"vanished": 4, "absent": (), "held_back": ({"uri": "/mnt", "reason": "x"},)},
    "collection": {"originals": 60, "copies": 33},
}


def write(path: Path, finished_s: float = 1000.0, collection: str = "images", **row: object) -> dict[str, float]:
    """Write the metrics of a run and return them by name and labels."""
    metrics.write(path, ROW | row, collection=collection, finished_s=finished_s, every_hours=24)
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[0] != "#"}


def test_metrics_hold_the_run(tmp_path: Path) -> None:
    """Each number of the summary that an alert may want is there, labelled."""
    told = write(tmp_path / "t.prom", 1.5e9 + 0.25)
    assert told['twinlens_last_run_timestamp_seconds{collection="images"}'] == 1.5e9 + 0.25
    assert told['twinlens_last_success_timestamp_seconds{collection="images"}'] == 1.5e9 + 0.25
    assert told['twinlens_last_run_images{collection="images",outcome="copy"}'] == 2
    assert told['twinlens_last_run_entries{collection="images",change="vanished"}'] == 4
    assert told['twinlens_collection_entries{collection="images",role="originals"}'] == 60
    assert told['twinlens_expected_interval_seconds{collection="images"}'] == 86_400


def test_each_metric_is_explained_once_before_its_values(tmp_path: Path) -> None:
    """HELP and TYPE stand before each family, as node_exporter wants it; nothing but the file is left."""
    write(tmp_path / "t.prom")
    lines = (tmp_path / "t.prom").read_text().splitlines()
    explained = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert explained == [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert explained == list(dict.fromkeys(line.partition("{")[0] for line in lines if line[0] != "#"))
    assert [file.name for file in tmp_path.iterdir()] == ["t.prom"]


@pytest.mark.parametrize(("code", "kept"), [(5, 2000.0), (0, 2000.0), (3, 1000.0), (1, 1000.0)])
def test_the_last_success_is_remembered(tmp_path: Path, code: int, kept: float) -> None:
    """A run that failed does not move it, one that rejected some images does."""
    write(tmp_path / "t.prom", 1000.0)
    told = write(tmp_path / "t.prom", 2000.0, exit_code=code)
    assert told['twinlens_last_success_timestamp_seconds{collection="images"}'] == kept
    assert told['twinlens_last_run_timestamp_seconds{collection="images"}'] == 2000.0


def test_a_run_that_never_succeeded_has_no_success(tmp_path: Path) -> None:
    """No value is better than a wrong one; a run that failed early counts no entries."""
    told = write(tmp_path / "t.prom", exit_code=3, sweep=None, collection_=None)
    assert not [name for name in told if "success" in name or "last_run_entries" in name]


def test_labels_are_escaped(tmp_path: Path) -> None:
    """A quote in a name does not break the file."""
    assert 'twinlens_last_run_exit_code{collection="a\\"b\\\\"}' in write(tmp_path / "t.prom", collection='a"b\\')


def python(code: str) -> str:
    """Return a command that runs *code*."""
    return f'{sys.executable} -c "{code}"'


def test_the_command_gets_the_summary(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It comes as JSON on standard input; what the command prints does not mix with results."""
    code = f"import sys; open('{tmp_path}/got', 'w').write(sys.stdin.read()); print('sent')"
    assert notify(python(code), {"seen": 3, "uri": "ä"}, 30) is None
    assert json.loads((tmp_path / "got").read_text()) == {"seen": 3, "uri": "ä"}
    assert capfd.readouterr() == ("", "sent\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("raise SystemExit(7)"), "exited with 7"),
        ("/nowhere/mail -s x", "cannot start '/nowhere/mail': No such file"),
        ("true", None),
    ],
)
def test_a_command_that_fails_is_told(command: str, said: str | None) -> None:
    """Nothing is raised; one that does not read its input is fine."""
    told = notify(command, {"seen": "x" * 200_000}, 30)
    assert told is None if said is None else said in (told or "")


@pytest.mark.parametrize("command", ["false swordfish", "/nowhere/mail swordfish", "sh -c 'sleep 9' swordfish"])
def test_a_commands_arguments_are_not_told(command: str) -> None:
    """They may be secrets, such as a header with a token."""
    told = notify(command, {}, 0.2)
    assert told
    assert "swordfish" not in told


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    """After its time it is over, also when it started others."""
    began = time.monotonic()
    told = notify("sh -c 'sleep 60 & sleep 60'", {}, 0.2)
    assert "took longer than 0.2 s" in (told or "")
    assert time.monotonic() - began < 10


def test_a_log_for_programs_is_json_lines() -> None:
    """Each event has its time, level, name, message and fields."""
    stream = io.StringIO()
    Log(stream, as_json=True, clock=lambda: 0)("absent", "no\nmount", "warning", source="/mnt")
    row = {"time": "1970-01-01T00:00:00Z", "level": "warning", "event": "absent", "message": "no\nmount"}
    assert json.loads(stream.getvalue()) == row | {"source": "/mnt"}


def test_a_log_for_people_is_one_line_an_event() -> None:
    """File names cannot break it."""
    stream = io.StringIO()
    Log(stream, as_json=False, clock=lambda: 0)("absent", "no\nmount", "warning")
    assert stream.getvalue() == "1970-01-01T00:00:00Z warning: no\\nmount\n"


def test_a_log_has_what_the_package_tells_meanwhile() -> None:
    """A wait for another run's lease is an event of the log, during the run and not after."""
    stream = io.StringIO()
    with forwarded(Log(stream, as_json=False, clock=lambda: 0)):
        logging.getLogger("indexer.store.lease").warning("waiting %d s", 50)
    logging.getLogger("indexer.store.lease").warning("later")
    assert stream.getvalue() == "1970-01-01T00:00:00Z warning: waiting 50 s\n"


def test_a_log_that_nobody_takes_stops_nothing() -> None:
    """A full disk beneath the log is no reason to end a run."""
    stream = Path("/dev/full").open("w")  # noqa: SIM115 - closed below
    Log(stream, as_json=False, clock=lambda: 0)("start", "said")
    with pytest.raises(OSError, match="space"):
        stream.close()
