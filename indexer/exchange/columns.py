"""
The shape of our Parquet files: which columns and key-value metadata they have, and how an Entry becomes a row.

Two kinds of files share it: a *collection* has all of COLUMNS, *descriptors* only those of FACTS, with the thumbnail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from indexer.errors import ConfigError
from indexer.records import Entry, Look, Lookalike, Outcome, Settings, Vector

VERSION = 1
"""Of the files' shape; a later one that an older Twinlens would misread has a higher number."""

DESCRIPTOR = "descriptor"
THUMBNAIL = "thumbnail"

_PREFIX = "twinlens."
_VERSION_KEY = "version"
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}
_CELLS: dict[str, tuple[type, ...]] = {"string": (str,), "int64": (int,), "double": (int, float), "bool": (bool,)}


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column of simple values; it may be null.

    Attributes:
        name: its name.
        kind: Arrow's name of its type.
        get: takes the value from an entry, or from what is known of an image before it is one.

    """

    name: str
    kind: str
    get: Callable[[Any], Any]


FACTS = (
    Column("uri", "string", lambda entry: entry.uri),
    Column("sha256", "string", lambda entry: entry.sha256),
    Column("size", "int64", lambda entry: entry.size),
    Column("mtime_ns", "int64", lambda entry: entry.mtime_ns),
    Column("width", "int64", lambda entry: entry.width),
    Column("height", "int64", lambda entry: entry.height),
    Column("format", "string", lambda entry: entry.format),
)
"""What is known of an image before it is judged, but for its descriptor and thumbnail."""

REJECTION = (
    Column("rejected", "string", lambda image: image.kind),
    Column("reason", "string", lambda image: image.reason),
)
"""Why an image could not be encoded; a file of descriptors may have these, null where all is well."""

VERDICT = (
    Column("outcome", "string", lambda entry: (Outcome.UNIQUE if entry.is_original else Outcome.COPY).value),
    Column("original", "string", lambda entry: entry.original),
    Column("distance", "double", lambda entry: entry.distance),
    Column("exact", "bool", lambda entry: entry.exact),
    Column("score", "double", lambda entry: entry.look and entry.look.score),
    Column("scale", "double", lambda entry: entry.look and entry.look.scale),
    Column("shift_x", "double", lambda entry: entry.look and entry.look.shift[0]),
    Column("shift_y", "double", lambda entry: entry.look and entry.look.shift[1]),
    Column("mirrored", "bool", lambda entry: entry.look and entry.look.mirrored),
    Column("changed", "double", lambda entry: entry.look and entry.look.changed),
    Column("lookalike", "string", lambda entry: entry.lookalike and entry.lookalike.uri),
    Column("lookalike_distance", "double", lambda entry: entry.lookalike and entry.lookalike.distance),
    Column("lookalike_score", "double", lambda entry: entry.lookalike and entry.lookalike.score),
    Column("lookalike_changed", "double", lambda entry: entry.lookalike and entry.lookalike.changed),
    Column("missing_since", "int64", lambda entry: entry.missing_since),
)
"""What became of it."""

COLUMNS = (*FACTS, *VERDICT)

LATER = frozenset({"changed", "lookalike_changed", "max_changed"})
"""Columns and settings that files of earlier versions lack."""


def to_metadata(settings: Settings) -> dict[str, str]:
    """Return *settings* as key-value metadata of a file: one key for each, what is no text as JSON has it."""
    told = {_VERSION_KEY: VERSION} | asdict(settings)
    return {_PREFIX + name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}


def told_settings(where: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    """
    Return those of Settings' fields that a file's *metadata* tells; messages call the file *where*.

    Raises:
        ConfigError: one cannot be understood, or the file has the shape of a later Twinlens.
    """
    told = {name[len(_PREFIX) :]: text for name, text in metadata.items() if name.startswith(_PREFIX)}
    version = _number(where, _VERSION_KEY, told.pop(_VERSION_KEY, str(VERSION)), "int")
    if version > VERSION:
        raise ConfigError(f"{where} has the shape {version} of a later Twinlens; update Twinlens")
    kinds = {field.name: str(field.type) for field in fields(Settings)}
    return {
        name: text if kinds[name] == "str" else _number(where, name, text, kinds[name])
        for name, text in told.items()
        if name in kinds
    }


def _number(where: str, name: str, text: str, kind: str) -> Any:  # noqa: ANN401 - int, float or bool
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if type(value) not in _TYPES[kind]:
        raise ConfigError(f"{where}: its metadata {_PREFIX}{name} is {text!r:.80}, no {kind}; write the file again")
    return value


def whole_again(value: Any) -> Any:  # noqa: ANN401 - as it came
    """Return *value*, as a whole number where a tool has made a float of one, as of a column that holds nulls."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def cell(column: Column, value: Any) -> Any:  # noqa: ANN401 - a number, text or None
    """
    Return *value* as a cell of *column*; whole numbers are whole again.

    Raises:
        ValueError: it is of another type.
    """
    value = whole_again(value) if column.kind == "int64" else value
    if value is not None and type(value) not in _CELLS[column.kind]:
        raise ValueError(f"the {column.name} {value!r:.80}, which is no {column.kind}")
    return value


def to_entry(row: Mapping[str, Any], descriptor: Vector, thumbnail: bytes) -> Entry:
    """Return the entry that a *row* of COLUMNS stands for."""
    look, lookalike = None, None
    if row["score"] is not None:
        shift = row["shift_x"], row["shift_y"]
        look = Look(row["score"], row["scale"], shift, row["mirrored"], row.get("changed") or 0.0)
    if row["lookalike"] is not None:
        distance, score = row["lookalike_distance"], row["lookalike_score"]
        lookalike = Lookalike(row["lookalike"], distance, score, row.get("lookalike_changed") or 0.0)
    facts = {column.name: row[column.name] for column in FACTS}
    verdict = {name: row[name] for name in ("original", "distance", "exact", "missing_since")}
    return Entry(**facts, **verdict, descriptor=descriptor, thumbnail=thumbnail, look=look, lookalike=lookalike)
