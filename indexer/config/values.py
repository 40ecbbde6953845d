"""
The values of a batch configuration, one frozen class for each table of the file.

A field's `rule` says what the file may hold there; the field's default is the key's default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from indexer.config.rules import (
    COMMAND,
    PATH,
    PATTERNS,
    PLACE,
    SECONDS,
    SOURCE,
    TEXT,
    YES_NO,
    Rule,
    number,
    one_of,
    whole,
)


def _key(rule: Rule, default: Any = None) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"rule": rule})


def _needed(rule: Rule) -> Any:  # noqa: ANN401 - as above
    return field(metadata={"rule": rule})


@dataclass(frozen=True, slots=True)
class Collection:
    """
    Where the collection is, and what a new one becomes.

    Attributes:
        uri: a Milvus Lite path, absolute, or a server's address.
        name: its name there.
        radius: Euclidean, for a new collection; None: the encoder's.
        second_look: whether a new collection confirms what lies within the radius; None: it does.
        strict: whether in a new collection a logo, or what moved, makes another picture; None: they do not.

    """

    uri: str = _key(PLACE, "twinlens.db")
    name: str = _key(TEXT, "images")
    radius: float | None = _key(number(0, open_low=True))
    second_look: bool | None = _key(YES_NO)
    strict: bool | None = _key(YES_NO)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Which encoder, and where it runs: *weights* is another one's file, None the shipped one."""

    weights: Path | None = _key(PATH)  # noqa: RUF009 - _key makes a field, here as below
    device: Literal["auto", "cpu", "cuda"] = _key(one_of("auto", "cpu", "cuda"), "auto")


@dataclass(frozen=True, slots=True)
class Source:
    """
    One source, with what is taken of it.

    Attributes:
        path: an absolute path or a URL.
        include: patterns as in .gitignore; only what matches is taken, all where there are none.
        exclude: likewise; what matches is left out.
        priority: sources are read from the lowest on; what is read first becomes the original.

    """

    path: str = _needed(SOURCE)
    include: tuple[str, ...] = _key(PATTERNS, ())
    exclude: tuple[str, ...] = _key(PATTERNS, ())
    priority: int = _key(whole(-1_000_000, 1_000_000), 100)


@dataclass(frozen=True, slots=True)
class Reports:
    """Where reports go: the *folder*, how many runs to *keep*, and whether images that are *unchanged* get a row."""

    folder: Path = _key(PATH, Path("reports"))  # noqa: RUF009
    keep: int = _key(whole(1), 30)
    unchanged: bool = _key(YES_NO, default=False)


@dataclass(frozen=True, slots=True)
class Limited:
    """
    How long a run may take, and how it works.

    Attributes:
        max_seconds: wall time after which a run takes no more images; None: no limit.
        max_images: new or changed images after which it takes no more; None: no limit.
        threads: that encode; None: all cores.
        batch_size: images per look-up, search and write.
        max_pixels: images with more are rejected.

    """

    max_seconds: float | None = _key(SECONDS)
    max_images: int | None = _key(whole(1))
    threads: int | None = _key(whole(1, 1024))
    batch_size: int = _key(whole(1, 4096), 512)
    max_pixels: int = _key(whole(1), 200_000_000)


@dataclass(frozen=True, slots=True)
class Vanish:
    """After how many *grace_days* a vanished image's entry goes, and which *share* of a source may vanish at most."""

    grace_days: float = _key(number(0), 7.0)
    at_most_share: float = _key(number(0, 1), 0.5)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The *file* for node_exporter's textfile collector; None: none is written."""

    file: Path | None = _key(PATH)  # noqa: RUF009


@dataclass(frozen=True, slots=True)
class Notify:
    """The *command* that gets the summary on standard input, and the seconds that it may take; None: none is run."""

    command: str | None = _key(COMMAND)
    timeout_s: float = _key(number(0, 86_400, open_low=True), 60.0)


@dataclass(frozen=True, slots=True)
class Logs:
    """The *format* of the log on standard error, and the seconds between two lines on the progress."""

    format: str = _key(one_of("text", "json"), "text")
    progress_s: float = _key(number(0, open_low=True), 60.0)


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    What is told of the schedule; the program itself never waits.

    Attributes:
        every_hours: between two runs; a metric that alert rules can use.
        note: in words, for whoever reads the file.

    """

    every_hours: float | None = _key(number(0, 24 * 366, open_low=True))
    note: str | None = _key(TEXT)


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """All of a configuration; *file* is where it was read, *source* is in the order of the priorities."""

    file: Path
    source: tuple[Source, ...]
    collection: Collection
    encoder: Encoder
    reports: Reports
    limits: Limited
    vanish: Vanish
    metrics: Metrics
    notify: Notify
    log: Logs
    schedule: Schedule


TABLES: dict[str, type[Any]] = {
    "collection": Collection,
    "encoder": Encoder,
    "reports": Reports,
    "limits": Limited,
    "vanish": Vanish,
    "metrics": Metrics,
    "notify": Notify,
    "log": Logs,
    "schedule": Schedule,
}
"""The tables of the file, besides the `[[source]]` ones."""
