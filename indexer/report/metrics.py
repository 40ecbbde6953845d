"""
The last run as Prometheus metrics, in a file for node_exporter's textfile collector.

All are gauges, labelled with the collection's name, so that several archives may share one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import DID_ITS_WORK
from indexer.report import atomic
from indexer.targets import check_replaceable

_BEGINS = b"# HELP twinlens_"
"""What every file of metrics begins with."""

_SUCCESS = "twinlens_last_success_timestamp_seconds"
_OUTCOMES = ("unique", "copy", "rejected", "unchanged")


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One metric: *values* by the value of the label *by*; without that label the only key is empty."""

    name: str
    help: str
    values: Mapping[str, float]
    by: str = ""

    def lines(self, labels: Mapping[str, str]) -> Iterable[str]:
        if self.values:
            yield f"# HELP {self.name} {self.help}"
            yield f"# TYPE {self.name} gauge"
        for key, value in self.values.items():
            all_ = dict(labels) | ({self.by: key} if self.by else {})
            listed = ",".join(f'{name}="{_escaped(text)}"' for name, text in all_.items())
            yield f"{self.name}{{{listed}}} {value:.17g}"


def check_place(path: Path) -> None:
    """Raise ConfigError unless nothing, or earlier metrics, are at *path*."""
    check_replaceable(path, begins=_BEGINS, kind="file of metrics")


def write(path: Path, row: Mapping[str, Any], *, collection: str, finished_s: float, every_hours: float | None) -> None:
    """
    Write the metrics of the run whose summary is *row*; of the last success, where this was none, the old time stays.

    Raises:
        ConfigError: another file is there; it stays.
        OSError: the file cannot be written.

    """
    check_place(path)
    success = finished_s if row["exit_code"] in DID_ITS_WORK else _last_success(path)
    gauges = [*_of_run(row, finished_s, success), *_of_schedule(every_hours)]
    labels = {"collection": collection}
    atomic.write_parts(path, (line + "\n" for gauge in gauges for line in gauge.lines(labels)))


def _of_run(row: Mapping[str, Any], finished_s: float, success: float | None) -> list[_Gauge]:
    sweep, held = row["sweep"] or {}, row["collection"] or {}
    changes = {name: float(count) for name, count in sweep.items() if name not in ("absent", "held_back")}
    return [
        _one("twinlens_last_run_timestamp_seconds", "When the last run ended, seconds since the epoch.", finished_s),
        _one(_SUCCESS, "When the last run that did its work (exit code 0 or 5) ended.", success),
        _one("twinlens_last_run_duration_seconds", "How long the last run took.", row["seconds"]),
        _one("twinlens_last_run_exit_code", "How the last run ended; see docs/batch.md.", row["exit_code"]),
        _one("twinlens_last_run_interrupted", "1 if the last run was cut short, else 0.", row["interrupted"]),
        _one("twinlens_last_run_absent_sources", "Sources that the last run could not read.", len(row["absent"])),
        _Gauge(
            "twinlens_last_run_images",
            "Images that the last run saw, by outcome.",
            {outcome: row[outcome] for outcome in _OUTCOMES},
            "outcome",
        ),
        _Gauge(
            "twinlens_last_run_entries",
            "Entries of images that are not where they were, by what the last run did.",
            changes,
            "change",
        ),
        _Gauge(
            "twinlens_collection_entries",
            "Entries of the collection after the last run, by role.",
            {role: float(count) for role, count in held.items()},
            "role",
        ),
    ]


def _of_schedule(every_hours: float | None) -> list[_Gauge]:
    seconds = None if every_hours is None else every_hours * 3600
    return [_one("twinlens_expected_interval_seconds", "Time between two runs, as configured.", seconds)]


def _one(name: str, help_: str, value: float | None) -> _Gauge:
    return _Gauge(name, help_, {} if value is None else {"": float(value)})


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _last_success(path: Path) -> float | None:
    """Return the time of the last success that the file at *path* tells, None where it tells none."""
    try:
        found = re.search(rf"^{_SUCCESS}{{.*}} (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return float(found[1]) if found else None
    except (OSError, ValueError):
        return None
